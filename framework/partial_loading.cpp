#include "framework/partial_loading.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/ranges.h>

#include "framework/error.h"
#include "framework/internal/first_three.h"

namespace heed {

namespace {

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
                         const ParameterPatterns& chosen, std::span<const RowMap> rows) {
  const std::vector<ParameterNames> all = parameter_names(model);
  std::map<std::string_view, const Tensor*> found;
  for (const auto& [name, tensor] : source)
    found.emplace(name, &tensor);
  check_rows(rows);
  LoadingPlan plan;
  plan.unmatched = heed::unmatched(all, chosen);
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
