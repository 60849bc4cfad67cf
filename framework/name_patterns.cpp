#include "framework/name_patterns.h"

#include <algorithm>
#include <utility>

#include "framework/error.h"

namespace heed {

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

NamePatterns::NamePatterns(std::vector<std::string> patterns) : patterns_(std::move(patterns)) {
  for (const std::string& pattern : patterns_) {
    if (pattern.empty() || pattern == "!")
      fail("an empty pattern matches no name; give one such as 'encoder.*' or '!*.bias'");
    only_exclusions_ = only_exclusions_ && pattern.front() == '!';
  }
}

bool NamePatterns::chooses(std::span<const std::string> names) const {
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

}  // namespace heed
