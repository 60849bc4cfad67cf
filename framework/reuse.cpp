#include "framework/reuse.h"

#include <algorithm>
#include <map>
#include <set>

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
    const auto matches_name = [&](const std::string& name) { return matches(glob, name); };
    const auto matches_parameter = [&](const ParameterNames& p) {
      return std::any_of(p.names.begin(), p.names.end(), matches_name);
    };
    if (std::none_of(all.begin(), all.end(), matches_parameter)) result.push_back(pattern);
  }
  return result;
}

/// True if the rows of a tensor of shape `source` fit the parameter of `map`.
bool fits_by_rows(const Shape& source, const RowMap& map) {
  const Shape& model = map.parameter.shape();
  if (source.rank() < 1 || source.rank() != model.rank()) return false;
  const bool rows_fit =
      source[0] == map.source_rows && model[0] == static_cast<Index>(map.rows.size());
  return rows_fit && source.with(0, model[0]) == model;
}

/// True if a tensor of shape `source` can be loaded into the parameter; `map` may be null.
bool fits(const Shape& source, const ParameterRef& parameter, const RowMap* map) {
  return map ? fits_by_rows(source, *map) : source == parameter.shape();
}

const RowMap* row_map_of(const ParameterRef& parameter, std::span<const RowMap> maps) {
  for (const RowMap& map : maps)
    if (map.parameter == parameter) return &map;
  return nullptr;
}

void check_rows(std::span<const RowMap> maps) {
  for (const RowMap& map : maps) {
    for (const Index row : map.rows)
      check(row >= -1 && row < map.source_rows, "plan_loading", "expected rows below {}; got {}",
            map.source_rows, row);
  }
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
  const std::vector<std::string> unused = unmatched_among(all, patterns);
  check(unused.empty(), "freeze", "expected patterns that match parameters; got {}",
        fmt::join(unused, ", "));
  const auto stays = [&](const ParameterNames& p) { return !patterns.chooses(p.names); };
  const auto first_frozen = std::partition(all.begin(), all.end(), stays);
  const auto trainable = [](const ParameterNames& p) { return p.parameter.trainable(); };
  check(std::any_of(all.begin(), first_frozen, trainable), "freeze",
        "expected something left to train; got patterns that freeze every parameter");
  for (auto p = first_frozen; p != all.end(); ++p) {
    p->parameter.trainable() = false;
    p->parameter.clear_gradient();
  }
  return static_cast<int>(all.end() - first_frozen);
}

Index LoadingPlan::Loaded::numbers() const {
  if (rows.empty()) return from.size();
  const Index row_size = to.value().size() / to.shape()[0];
  const auto copied = std::count_if(rows.begin(), rows.end(), [](Index row) { return row >= 0; });
  return static_cast<Index>(copied) * row_size;
}

std::string LoadingPlan::problems() const {
  std::string text;
  const auto add = [&](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  if (!missing.empty()) add(fmt::format("missing: {}", first_three(missing)));
  std::vector<std::string> shapes;
  for (const Mismatch& m : mismatched)
    shapes.push_back(fmt::format("{} is {} and should be {}", m.name, m.source, m.model));
  if (!shapes.empty()) add(fmt::format("of another shape: {}", first_three(shapes)));
  if (!unmatched.empty())
    add(fmt::format("patterns that match no parameter: {}", first_three(unmatched)));
  if (text.empty() && loaded.empty()) add("nothing is chosen");
  return text;
}

LoadingPlan plan_loading(std::span<const NamedTensor> source, AnyModule model,
                         const NamePatterns& chosen, std::span<const RowMap> rows) {
  const std::vector<ParameterNames> all = parameter_names(model);
  std::map<std::string_view, const Tensor*> found;
  for (const auto& [name, tensor] : source)
    found.emplace(name, &tensor);
  check_rows(rows);
  LoadingPlan plan;
  plan.unmatched = unmatched_among(all, chosen);
  std::set<std::string_view> known;
  for (const auto& [parameter, names] : all) {
    const std::string& name = names.front();
    known.insert(name);
    const auto at = found.find(name);
    const RowMap* map = row_map_of(parameter, rows);
    if (!chosen.chooses(names))
      plan.unselected.push_back(name);
    else if (at == found.end())
      plan.missing.push_back(name);
    else if (!fits(at->second->shape(), parameter, map))
      plan.mismatched.push_back({name, at->second->shape(), parameter.shape()});
    else
      plan.loaded.push_back({.name = name,
                             .from = *at->second,
                             .to = parameter,
                             .rows = map ? map->rows : std::vector<Index>()});
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
