#include "training/not_finite.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "framework/ops.h"

namespace heed {

namespace {

/// The layer of a parameter: decoder.1.cross.query for decoder.1.cross.query.weight. A parameter
/// without a layer gives its own name.
std::string layer_of(const std::string& parameter) {
  return parameter.substr(0, parameter.rfind('.'));
}

// A NaN may have a sign, which fmt would print.
std::string shown(double value) { return std::isnan(value) ? "nan" : fmt::format("{}", value); }

struct Found {
  std::string op;
  std::string layer;  // "": none of the model's
  double value;
  bool gradient;     // in the backward pass
  std::size_t draw;  // which of the step's
};

/// The layer of the first parameter that the op used and the model names. recompute() has
/// parameters that no model names.
std::string layer_of(const NotFinite& error, AnyModule model) {
  const std::vector<NamedParameter> named = parameters(model);
  for (const ParameterRef& used : error.parameters) {
    for (const auto& [name, parameter] : named) {
      if (parameter == used) return layer_of(name);
    }
  }
  return "";
}

using Draws = std::span<const std::shared_ptr<const Draw>>;

/// The first op of the step that gives a number that is not finite. `first`: the place of draws[0]
/// among the draws of the step.
std::optional<Found> find(const NotFiniteStep& step, Draws draws, std::size_t first,
                          AnyModule model, const Objective& objective) {
  clear_gradients(model);
  std::optional<Found> found;
  for (std::size_t i = 0; i < draws.size() && !found; ++i) {
    if (step.order == DrawOrder::tree || i == 0)
      step_random() = draw_random(step.seed, step.step, first + i);
    if (draws[i]->weight == 0) continue;
    try {
      Tape tape({.check_finite = true});
      tape.backward(objective.loss(*draws[i], step.divisor).optimised);
    } catch (const NotFinite& error) {
      found = Found{error.op, layer_of(error, model), error.value, error.gradient, i};
    }
    if (step.order == DrawOrder::tree) clear_gradients(model);
  }
  clear_gradients(model);
  return found;
}

/// The items of a draw that give such a number by themselves. Empty where they cannot be taken out.
std::vector<Index> items_that_give_it(const NotFiniteStep& step, std::size_t place, AnyModule model,
                                      const Objective& objective) {
  const Draw& draw = *step.draws[place];
  // With the random numbers of the whole draw, where it has some of its own.
  const std::size_t first = step.order == DrawOrder::tree ? place : 0;
  std::vector<Index> items;
  for (Index i = 0; i < std::ssize(draw.items); ++i) {
    const std::shared_ptr<const Draw> one = objective.only(draw, i);
    if (!one) return {};
    if (one->weight > 0 && find(step, {&one, 1}, first, model, objective))
      items.push_back(draw.items[static_cast<std::size_t>(i)]);
  }
  return items;
}

/// "step 8: the loss is nan"
std::string what_is_wrong(const NotFiniteStep& step) {
  const char* what = step.gradient ? "norm of the gradients" : "loss";
  return fmt::format("step {}: the {} is {}", step.step, what, shown(step.value));
}

std::string what_to_do(const NotFiniteStep& step, bool look_at_items) {
  if (step.skips) return "; skipped";
  return fmt::format("; lower the learning rate{} (on_nan = skip passes over such steps)",
                     look_at_items ? ", or look at these" : "");
}

/// "[linear] inf in layer decoder.output"
std::string where_it_is(const Found& found) {
  std::string text = fmt::format("[{}] {}", found.op, shown(found.value));
  if (found.gradient) text += " in the gradient";
  if (found.layer.empty()) return text;
  return text + (found.gradient ? " of layer " : " in layer ") + found.layer;
}

/// Where computing the step once more finds nothing: the loss does not depend on its arguments
/// alone. Names all items that may be the cause.
std::string without_an_op(const NotFiniteStep& step, const Objective& objective) {
  std::vector<Index> items;
  for (const auto& draw : step.gradient ? step.draws : step.draws.last(1))
    items.insert(items.end(), draw->items.begin(), draw->items.end());
  return fmt::format("{} on {}{}", what_is_wrong(step), objective.describe(items),
                     what_to_do(step, true));
}

}  // namespace

std::string bad_parameter(AnyModule model) {
  for (const auto& [name, parameter] : parameters(model))
    for (Real x : parameter.value().span())
      if (!std::isfinite(x)) return name;
  return "";
}

std::string explain(const NotFiniteStep& step, AnyModule model, const Objective& objective) {
  if (const std::string name = bad_parameter(model); !name.empty())
    return fmt::format(
        "{}: the weights of layer {} ({}) are not finite since an earlier step; begin a new run "
        "with a lower learning rate",
        what_is_wrong(step), layer_of(name), name);
  const std::optional<Found> found = find(step, step.draws, 0, model, objective);
  if (!found) return without_an_op(step, objective);

  const std::vector<Index>& items = step.draws[found->draw]->items;
  const std::vector<Index> alone = items_that_give_it(step, found->draw, model, objective);
  const bool several = items.size() > 1;
  const bool each = several && alone.size() == items.size();
  const bool together = several && alone.empty();
  return fmt::format("{}: {}, on {}{}{}{}", what_is_wrong(step), where_it_is(*found),
                     each ? "each of " : "", objective.describe(alone.empty() ? items : alone),
                     together ? " together" : "", what_to_do(step, !each));
}

}  // namespace heed
