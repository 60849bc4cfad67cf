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
  bool gradient;      // in the backward pass
  std::size_t batch;  // which of the step's
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

/// The first op of the step that gives a number that is not finite.
std::optional<Found> find(const NotFiniteStep& step, std::span<const Batch> batches,
                          AnyModule model, const LossFunction& loss) {
  clear_gradients(model);
  step_random() = Random(step.seed, static_cast<std::uint64_t>(step.step));
  std::optional<Found> found;
  for (std::size_t i = 0; i < batches.size() && !found; ++i) {
    if (batches[i].weight() == 0) continue;
    try {
      Tape tape({.check_finite = true});
      tape.backward(loss(batches[i], step.divisor).optimised);
    } catch (const NotFinite& error) {
      found = Found{error.op, layer_of(error, model), error.value, error.gradient, i};
    }
  }
  clear_gradients(model);
  return found;
}

Sequences sequence(const Sequences& all, Index i) {
  const Id* begin = all.ids.data() + all.spans.begin(i);
  const std::vector<Id> line(begin, begin + all.spans.length(i));
  return pack({&line, 1});
}

/// Line i of a batch as a batch.
Batch line_of(const Batch& batch, Index i) {
  Batch one{.source = {},
            .target = sequence(batch.target, i),
            .gold = sequence({batch.gold, batch.target.spans}, i).ids,
            .lines = {batch.lines[i]},
            .ignored = batch.ignored};
  if (batch.source.spans.count() > 0) one.source = sequence(batch.source, i);
  return one;
}

/// The lines of the batch that give such a number by themselves. Empty where the batch does not
/// have one sequence a line.
std::vector<Index> lines_that_give_it(const NotFiniteStep& step, const Batch& batch,
                                      AnyModule model, const LossFunction& loss) {
  const auto count = static_cast<Index>(batch.lines.size());
  std::vector<Index> lines;
  if (batch.target.spans.count() != count ||
      (batch.source.spans.count() != 0 && batch.source.spans.count() != count))
    return lines;
  for (Index i = 0; i < count; ++i) {
    const Batch one = line_of(batch, i);
    if (one.weight() > 0 && find(step, {&one, 1}, model, loss)) lines.push_back(batch.lines[i]);
  }
  return lines;
}

/// "step 8: the loss is nan"
std::string what_is_wrong(const NotFiniteStep& step) {
  const char* what = step.gradient ? "norm of the gradients" : "loss";
  return fmt::format("step {}: the {} is {}", step.step, what, shown(step.value));
}

std::string what_to_do(const NotFiniteStep& step, bool look_at_lines) {
  if (step.skips) return "; skipped";
  return fmt::format("; lower the learning rate{} (on_nan = skip passes over such steps)",
                     look_at_lines ? ", or look at these" : "");
}

/// "[linear] inf in layer decoder.output"
std::string where_it_is(const Found& found) {
  std::string text = fmt::format("[{}] {}", found.op, shown(found.value));
  if (found.gradient) text += " in the gradient";
  if (found.layer.empty()) return text;
  return text + (found.gradient ? " of layer " : " in layer ") + found.layer;
}

/// Where computing the step once more finds nothing: the loss function does not depend on its
/// arguments alone. Names all lines that may be the cause.
std::string without_an_op(const NotFiniteStep& step, const BatchStream& data) {
  std::vector<Index> lines;
  for (const Batch& batch : step.gradient ? step.batches : step.batches.last(1))
    lines.insert(lines.end(), batch.lines.begin(), batch.lines.end());
  return fmt::format("{} on {}{}", what_is_wrong(step), data.describe(lines),
                     what_to_do(step, true));
}

}  // namespace

std::string bad_parameter(AnyModule model) {
  for (const auto& [name, parameter] : parameters(model))
    for (Real x : parameter.value().span())
      if (!std::isfinite(x)) return name;
  return "";
}

std::string explain(const NotFiniteStep& step, AnyModule model, const LossFunction& loss,
                    const BatchStream& data) {
  if (const std::string name = bad_parameter(model); !name.empty())
    return fmt::format(
        "{}: the weights of layer {} ({}) are not finite since an earlier step; begin a new run "
        "with a lower learning rate",
        what_is_wrong(step), layer_of(name), name);
  const std::optional<Found> found = find(step, step.batches, model, loss);
  if (!found) return without_an_op(step, data);

  const Batch& batch = step.batches[found->batch];
  const std::vector<Index> alone = lines_that_give_it(step, batch, model, loss);
  const bool several = batch.lines.size() > 1;
  const bool each = several && alone.size() == batch.lines.size();
  const bool together = several && alone.empty();
  return fmt::format("{}: {}, on {}{}{}{}", what_is_wrong(step), where_it_is(*found),
                     each ? "each of " : "", data.describe(alone.empty() ? batch.lines : alone),
                     together ? " together" : "", what_to_do(step, !each));
}

}  // namespace heed
