#include "framework/reuse.h"

#include <algorithm>
#include <map>

#include <fmt/ranges.h>

#include "framework/error.h"
#include "framework/listing.h"

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

std::vector<std::string> unmatched_among(const std::vector<ParameterNames>& all,
                                         const NamePatterns& patterns) {
  std::vector<std::string> result;
  for (const std::string& pattern : patterns.patterns()) {
    const std::string_view glob = std::string_view(pattern).substr(pattern.front() == '!' ? 1 : 0);
    const auto matched = [&](const std::string& name) { return matches(glob, name); };
    if (std::none_of(all.begin(), all.end(), [&](const ParameterNames& p) {
          return std::any_of(p.names.begin(), p.names.end(), matched);
        }))
      result.push_back(pattern);
  }
  return result;
}

/// Whether tensors of this shape fit, row by row.
bool fits_by_rows(const Shape& source, const RowMap& map) {
  const Shape& model = map.parameter.shape();
  return source.rank() >= 1 && source.rank() == model.rank() && source[0] == map.source_rows &&
         source.with(0, model[0]) == model && model[0] == static_cast<Index>(map.rows.size());
}

}  // namespace

std::vector<ParameterNames> parameter_names(AnyModule module) {
  CollectNames collect;
  module.visit(collect);
  return std::move(collect.found);
}

std::vector<std::string> unmatched(AnyModule module, const NamePatterns& patterns) {
  return unmatched_among(parameter_names(module), patterns);
}

int freeze(AnyModule module, const NamePatterns& patterns) {
  std::vector<ParameterNames> all = parameter_names(module);
  const std::vector<std::string> without = unmatched_among(all, patterns);
  check(without.empty(), "freeze", "expected patterns that match parameters; got {}",
        fmt::join(without, ", "));
  const auto chosen = std::partition(
      all.begin(), all.end(), [&](const ParameterNames& p) { return !patterns.chooses(p.names); });
  check(std::any_of(all.begin(), chosen,
                    [](const ParameterNames& p) { return p.parameter.trainable(); }),
        "freeze", "expected something left to train; got patterns that freeze every parameter");
  for (auto p = chosen; p != all.end(); ++p) {
    p->parameter.trainable() = false;
    p->parameter.clear_gradient();
  }
  return static_cast<int>(all.end() - chosen);
}

Index LoadingPlan::Loaded::numbers() const {
  if (rows.empty()) return from.size();
  return static_cast<Index>(
             std::count_if(rows.begin(), rows.end(), [](Index row) { return row >= 0; })) *
         (to.value().size() / to.shape()[0]);
}

std::string LoadingPlan::problems() const {
  std::string text;
  const auto say = [&](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  if (!missing.empty()) say(fmt::format("missing: {}", first_three(missing)));
  std::vector<std::string> shapes;
  for (const Mismatch& m : mismatched)
    shapes.push_back(fmt::format("{} is {} and should be {}", m.name, m.source, m.model));
  if (!shapes.empty()) say(fmt::format("of another shape: {}", first_three(shapes)));
  if (!unmatched.empty())
    say(fmt::format("patterns that match no parameter: {}", first_three(unmatched)));
  if (text.empty() && loaded.empty()) say("nothing is chosen");
  return text;
}

LoadingPlan plan_loading(std::span<const NamedTensor> source, AnyModule model,
                         const NamePatterns& chosen, std::span<const RowMap> rows) {
  const std::vector<ParameterNames> all = parameter_names(model);
  std::map<std::string_view, const Tensor*> found;
  for (const auto& [name, tensor] : source)
    found.emplace(name, &tensor);
  for (const RowMap& map : rows)
    for (Index row : map.rows)
      check(row >= -1 && row < map.source_rows, "plan_loading", "expected rows below {}; got {}",
            map.source_rows, row);
  LoadingPlan plan;
  plan.unmatched = unmatched_among(all, chosen);
  std::map<std::string_view, bool> known;
  for (const auto& [parameter, names] : all) {
    const std::string& name = names.front();
    known[name] = true;
    const auto at = found.find(name);
    const auto map = std::find_if(rows.begin(), rows.end(),
                                  [&p = parameter](const RowMap& m) { return m.parameter == p; });
    if (!chosen.chooses(names))
      plan.unselected.push_back(name);
    else if (at == found.end())
      plan.missing.push_back(name);
    else if (map != rows.end() ? !fits_by_rows(at->second->shape(), *map)
                               : !(at->second->shape() == parameter.shape()))
      plan.mismatched.push_back({name, at->second->shape(), parameter.shape()});
    else
      plan.loaded.push_back(
          {name, *at->second, parameter, map != rows.end() ? map->rows : std::vector<Index>()});
  }
  for (const auto& [name, tensor] : source)
    if (!known.contains(name)) plan.extra.push_back(name);
  return plan;
}

void apply(const LoadingPlan& plan) {
  check(plan.fits(), "apply", "expected a plan that fits; got {}", plan.problems());
  for (const LoadingPlan::Loaded& item : plan.loaded) {
    Real* to = item.to.value().data();
    const Tensor& from = item.from;
    if (item.rows.empty()) {
      std::copy_n(from.data(), from.size(), to);
      continue;
    }
    const Index width = item.to.value().size() / item.to.shape()[0];
    for (std::size_t i = 0; i < item.rows.size(); ++i)
      if (item.rows[i] >= 0)
        std::copy_n(from.data() + item.rows[i] * width, width, to + static_cast<Index>(i) * width);
  }
}

std::vector<NamedTensor> tensors_under(const Checkpoint& checkpoint, std::string_view prefix) {
  std::vector<NamedTensor> result;
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (name.starts_with(prefix)) result.push_back({name.substr(prefix.size()), tensor});
  return result;
}

}  // namespace heed
