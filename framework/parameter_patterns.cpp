#include "framework/parameter_patterns.h"

#include <algorithm>
#include <utility>

#include "framework/error.h"

namespace heed {

namespace {

struct CollectNames : Visitor {
  std::vector<ParameterNames> found;
  void on_parameter(const std::string& name, Parameter& parameter) override {
    const auto same = std::find_if(found.begin(), found.end(), [&](const ParameterNames& other) {
      return other.parameter == parameter;
    });
    if (same == found.end())
      found.push_back({parameter, {name}});
    else
      same->names.push_back(name);
  }
};

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  // After a mismatch, let the last * match one character more and try again. An earlier * need not
  // change: it already matched as few characters as possible.
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;  // place of the last *
  std::size_t star_end = 0;                   // end in `name` of what the last * matches
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p;
      star_end = n;
      ++p;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      ++star_end;
      p = star + 1;
      n = star_end;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

ParameterPatterns::ParameterPatterns(std::vector<std::string> patterns)
    : patterns_(std::move(patterns)) {
  for (const std::string& pattern : patterns_) {
    if (pattern.empty() || pattern == "!")
      fail("an empty pattern matches no name; give one such as 'encoder.*' or '!*.bias'");
    only_exclusions_ = only_exclusions_ && pattern.front() == '!';
  }
}

bool ParameterPatterns::chooses(std::span<const std::string> names) const {
  bool chosen = only_exclusions_;
  for (const std::string& pattern : patterns_) {
    const bool excludes = pattern.front() == '!';
    const std::string_view glob = std::string_view(pattern).substr(excludes ? 1 : 0);
    const auto matches_glob = [&](const std::string& name) { return matches(glob, name); };
    if (std::none_of(names.begin(), names.end(), matches_glob)) continue;
    if (excludes) return false;
    chosen = true;
  }
  return chosen;
}

std::vector<std::string> unmatched(const std::vector<ParameterNames>& all,
                                   const ParameterPatterns& patterns) {
  std::vector<std::string> result;
  for (const std::string& pattern : patterns.patterns()) {
    const std::string_view glob = std::string_view(pattern).substr(pattern.front() == '!' ? 1 : 0);
    const auto matches_name = [&](const std::string& name) { return matches(glob, name); };
    const auto matches_parameter = [&](const ParameterNames& p) {
      return std::any_of(p.names.begin(), p.names.end(), matches_name);
    };
    if (std::none_of(all.begin(), all.end(), matches_parameter)) result.push_back(pattern);
  }
  return result;
}

std::vector<ParameterNames> parameter_names(AnyModule module) {
  CollectNames collect;
  module.visit(collect);
  return std::move(collect.found);
}

std::vector<std::string> unmatched(AnyModule module, const ParameterPatterns& patterns) {
  return unmatched(parameter_names(module), patterns);
}

}  // namespace heed
