#include "experiments/text_objective.h"

#include <cmath>
#include <map>

namespace heed {

namespace {

struct BatchDraw : Draw {
  explicit BatchDraw(Batch read) : batch(std::move(read)) {
    weight = batch.weight();
    tokens = batch.tokens();
    items = batch.lines;
  }
  Batch batch;
};

Sequences sequence(const Sequences& all, Index i) {
  const Id* begin = all.ids.data() + all.spans.begin(i);
  const std::vector<Id> line(begin, begin + all.spans.length(i));
  return pack({&line, 1});
}

/// What a model reads that gives a class: the sources, or the items in their place.
Input input_of(const Batch& batch) {
  if (batch.items.empty()) return batch.source;
  return batch.items.read();
}

/// Item i of a batch as a batch.
Batch item_of(const Batch& batch, Index i) {
  const auto at = static_cast<std::size_t>(i);
  Batch one;
  one.gold = Ids({1}, std::span(batch.gold.data() + i, 1));
  one.lines = {batch.lines[at]};
  one.items = {.reader = batch.items.reader, .names = {batch.items.names[at]}};
  if (!batch.items.variations.empty()) one.items.variations = {batch.items.variations[at]};
  return one;
}

/// Line i of a batch as a batch; nothing where the batch does not have one sequence a line.
std::optional<Batch> line_of(const Batch& batch, Index i) {
  if (!batch.items.empty()) return item_of(batch, i);
  const Index lines = std::ssize(batch.lines);
  const Index sources = batch.source.spans.count();
  const Index targets = batch.target.spans.count();
  const auto fits = [lines](Index sequences) { return sequences == 0 || sequences == lines; };
  if (!fits(sources) || !fits(targets) || sources + targets == 0) return std::nullopt;
  Batch one{.source = {},
            .target = {},
            .gold = {},
            .lines = {batch.lines[static_cast<std::size_t>(i)]},
            .ignored = batch.ignored};
  if (sources > 0) one.source = sequence(batch.source, i);
  if (targets > 0) one.target = sequence(batch.target, i);
  // One gold id for each row of the target, or without targets for each line.
  one.gold = targets > 0 ? sequence({batch.gold, batch.target.spans}, i).ids
                         : Ids({1}, std::span(batch.gold.data() + i, 1));
  return one;
}

}  // namespace

BatchLoss batch_loss(const Seq2Seq& model) {
  return [&model](const Batch& batch, const CrossEntropy& options) {
    return model.loss(batch.source, batch.target, batch.gold, options);
  };
}

BatchLoss batch_loss(const LanguageModel& model) {
  return [&model](const Batch& batch, const CrossEntropy& options) {
    return model.loss(batch.target, batch.gold, options);
  };
}

BatchLoss batch_loss(const Classifier& model) {
  return [&model](const Batch& batch, const CrossEntropy& options) {
    return model.loss(input_of(batch), batch.gold, options);
  };
}

BatchLogits batch_logits(const Seq2Seq& model) {
  return [&model](const Batch& batch) { return model.logits(batch.source, batch.target); };
}

BatchLogits batch_logits(const LanguageModel& model) {
  return [&model](const Batch& batch) { return model.logits(batch.target); };
}

BatchLogits batch_logits(const Classifier& model) {
  return [&model](const Batch& batch) { return model.logits(input_of(batch)); };
}

BatchLoss r_drop_loss(BatchLogits logits, Real alpha) {
  return [logits = std::move(logits), alpha](const Batch& batch, const CrossEntropy& options) {
    double first_nats = 0;
    double second_nats = 0;
    CrossEntropy first = options;
    CrossEntropy second = options;
    first.nats = &first_nats;
    second.nats = &second_nats;
    const Variable a = logits(batch);
    const Variable b = logits(batch);
    const Variable loss =
        cross_entropy(a, batch.gold, first) + cross_entropy(b, batch.gold, second);
    if (options.nats) *options.nats = (first_nats + second_nats) / 2;
    return (loss + symmetric_kl(a, b, batch.gold, options) * alpha) * Real(0.5);
  };
}

TotalLoss total_loss(const BatchLoss& loss, std::span<const Batch> batches,
                     const ShouldStop& should_stop) {
  TotalLoss total;
  for (const Batch& batch : batches) {
    stop_if(should_stop);
    const CrossEntropy summed{.ignore = batch.ignored, .divisor = 1};
    total.sum += static_cast<double>(loss(batch, summed).item());
    total.tokens += batch.weight();
  }
  return total;
}

TextObjective::TextObjective(BatchLoss loss, BatchStream& train, std::span<const Batch> valid,
                             TextObjectiveOptions options)
    : loss_(std::move(loss)), train_(train), valid_(valid), options_(std::move(options)) {}

std::shared_ptr<const Draw> TextObjective::draw() {
  return std::make_shared<BatchDraw>(train_.next());
}

std::shared_ptr<const Draw> TextObjective::only(const Draw& draw, Index item) const {
  std::optional<Batch> one = line_of(static_cast<const BatchDraw&>(draw).batch, item);
  return one ? std::make_shared<BatchDraw>(std::move(*one)) : nullptr;
}

Loss TextObjective::loss(const Draw& draw, Real divisor) const {
  const Batch& batch = static_cast<const BatchDraw&>(draw).batch;
  double nats = 0;
  Variable optimised = train_loss()(batch, {.label_smoothing = options_.label_smoothing,
                                            .ignore = batch.ignored,
                                            .divisor = divisor,
                                            .nats = &nats});
  const Variable penalty = options_.penalty ? options_.penalty() : Variable();
  if (penalty.defined())
    optimised = optimised + penalty * (static_cast<Real>(batch.weight()) / divisor);
  return {optimised, nats};
}

std::optional<Evaluation> TextObjective::evaluate() {
  return Evaluation{.loss = total_loss(loss_, valid_, options_.should_stop).per_token(),
                    .score = 0,
                    .metrics = {}};
}

std::optional<double> TextObjective::baseline() const {
  std::map<Id, Index> counts;
  Index all = 0;
  for (const Batch& batch : valid_)
    for (const Id id : batch.gold.span()) {
      if (batch.ignored == id) continue;
      ++counts[id];
      ++all;
    }
  if (all == 0) return std::nullopt;
  double entropy = static_cast<double>(counts.size() - 1) / (2 * static_cast<double>(all));
  for (const auto& [id, count] : counts) {
    const double part = static_cast<double>(count) / static_cast<double>(all);
    entropy -= part * std::log(part);
  }
  return entropy;
}

}  // namespace heed
