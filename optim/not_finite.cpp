#include "optim/not_finite.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "framework/ops.h"

namespace heed {

namespace {

/// The name of a parameter's layer: decoder.1.cross.query of decoder.1.cross.query.weight; its own
/// where it has no layer.
std::string layer_of(const std::string& parameter) {
  return parameter.substr(0, parameter.rfind('.'));
}

// a NaN may have a sign
std::string shown(double value) { return std::isnan(value) ? "nan" : fmt::format("{}", value); }

struct Found {
  // layer "": none of the model's
  std::string op;
  std::string layer;
  double value;
  bool gradient;
  std::size_t batch;  // of those of the step
};

/// The first op of the step that gives a number that is not finite.
std::optional<Found> find(const NotFiniteStep& step, std::span<const Batch> batches,
                          AnyModule model, const LossFunction& loss) {
  const std::vector<NamedParameter> named = parameters(model);
  const auto layer = [&](const NotFinite& error) -> std::string {
    for (const ParameterRef& used : error.parameters)  // those that no layer has are of recompute()
      for (const auto& [name, parameter] : named)
        if (parameter == used) return layer_of(name);
    return "";
  };
  clear_gradients(model);
  step_random() = Random(step.seed, static_cast<std::uint64_t>(step.step));
  std::optional<Found> found;
  for (std::size_t i = 0; i < batches.size() && !found; ++i) {
    if (batches[i].weight() == 0) continue;
    try {
      Tape tape({.check_finite = true});
      tape.backward(loss(batches[i], step.divisor).optimised);
    } catch (const NotFinite& error) {
      found = Found{error.op, layer(error), error.value, error.gradient, i};
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

/// Those lines of the batch that give it alone.
std::vector<Index> guilty_lines(const NotFiniteStep& step, const Batch& batch, AnyModule model,
                                const LossFunction& loss) {
  const auto count = static_cast<Index>(batch.lines.size());
  std::vector<Index> guilty;
  if (batch.target.spans.count() != count ||
      (batch.source.spans.count() != 0 && batch.source.spans.count() != count))
    return guilty;
  for (Index i = 0; i < count; ++i) {
    const Batch one = line_of(batch, i);
    if (one.weight() > 0 && find(step, {&one, 1}, model, loss)) guilty.push_back(batch.lines[i]);
  }
  return guilty;
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
  const std::string what =
      fmt::format("step {}: the {} is {}", step.step,
                  step.gradient ? "norm of the gradients" : "loss", shown(step.value));
  if (const std::string name = bad_parameter(model); !name.empty())
    return fmt::format(
        "{}: the weights of layer {} ({}) are not finite since an earlier step; begin a new run "
        "with a lower optim.lr",
        what, layer_of(name), name);
  const auto what_to_do = [&](bool look) -> std::string {
    if (step.skips) return "; skipped";
    return fmt::format("; lower optim.lr{} (--on-nan skip passes over such steps)",
                       look ? ", or look at these" : "");
  };
  const std::optional<Found> found = find(step, step.batches, model, loss);
  if (!found) {  // the loss function is not one of its arguments alone
    std::vector<Index> lines;
    for (const Batch& batch : step.gradient ? step.batches : step.batches.last(1))
      lines.insert(lines.end(), batch.lines.begin(), batch.lines.end());
    return fmt::format("{} on {}{}", what, data.describe(lines), what_to_do(true));
  }
  const Batch& batch = step.batches[found->batch];
  const std::vector<Index> guilty = guilty_lines(step, batch, model, loss);
  const char* each = "";
  const char* together = "";
  if (batch.lines.size() > 1 && guilty.size() == batch.lines.size()) each = "each of ";
  if (batch.lines.size() > 1 && guilty.empty()) together = " together";
  return fmt::format(
      "{}: [{}] {}{}{}, on {}{}{}{}", what, found->op, shown(found->value),
      found->gradient ? " in the gradient" : "",
      found->layer.empty() ? "" : (found->gradient ? " of layer " : " in layer ") + found->layer,
      each, data.describe(guilty.empty() ? batch.lines : guilty), together, what_to_do(!*each));
}

}  // namespace heed
