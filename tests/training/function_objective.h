#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "datasets/text/batch.h"
#include "training/objective.h"

// An Objective made of functions, for tests of the Trainer that train on batches of ids.

namespace heed {

/// The loss of a batch. Without `nats`, what is optimised is shown.
struct BatchLoss {
  Variable optimised;
  std::optional<double> nats;

  BatchLoss(Variable loss, std::optional<double> plain = std::nullopt)  // NOLINT: meant to convert
      : optimised(std::move(loss)), nats(plain) {}
};
using LossFunction = std::function<BatchLoss(const Batch& batch, Real divisor)>;
using EvaluateFunction = std::function<Evaluation()>;

struct BatchDraw : Draw {
  explicit BatchDraw(Batch read) : batch(std::move(read)) {
    weight = batch.weight();
    tokens = batch.tokens();
    items = batch.lines;
  }
  Batch batch;
};

inline std::vector<std::shared_ptr<const Draw>> draws_of(std::span<const Batch> batches) {
  std::vector<std::shared_ptr<const Draw>> draws;
  for (const Batch& batch : batches)
    draws.push_back(std::make_shared<BatchDraw>(batch));
  return draws;
}

inline Sequences sequence_of(const Sequences& all, Index i) {
  const Id* begin = all.ids.data() + all.spans.begin(i);
  const std::vector<Id> line(begin, begin + all.spans.length(i));
  return pack({&line, 1});
}

/// Trains by `loss` on the batches of a stream, and evaluates where there is a function for it.
/// Keeps a reference to the stream.
class FunctionObjective : public Objective {
 public:
  FunctionObjective(BatchStream& data, LossFunction loss, EvaluateFunction evaluate = {})
      : data_(data), loss_(std::move(loss)), evaluate_(std::move(evaluate)) {}

  std::shared_ptr<const Draw> draw() override { return std::make_shared<BatchDraw>(data_.next()); }
  std::shared_ptr<const Draw> only(const Draw& draw, Index item) const override {
    const Batch& batch = static_cast<const BatchDraw&>(draw).batch;
    const Index lines = std::ssize(batch.lines);
    const Index sources = batch.source.spans.count();
    if (batch.target.spans.count() != lines || (sources != 0 && sources != lines)) return nullptr;
    Batch one{.source = {},
              .target = sequence_of(batch.target, item),
              .gold = sequence_of({batch.gold, batch.target.spans}, item).ids,
              .lines = {batch.lines[static_cast<std::size_t>(item)]},
              .ignored = batch.ignored};
    if (sources > 0) one.source = sequence_of(batch.source, item);
    return std::make_shared<BatchDraw>(std::move(one));
  }
  Loss loss(const Draw& draw, Real divisor) const override {
    const BatchLoss found = loss_(static_cast<const BatchDraw&>(draw).batch, divisor);
    const double shown = static_cast<double>(found.optimised.item()) * static_cast<double>(divisor);
    return {found.optimised, found.nats.value_or(shown)};
  }
  std::optional<Evaluation> evaluate() override {
    if (!evaluate_) return std::nullopt;
    return evaluate_();
  }
  bool evaluates() const override { return static_cast<bool>(evaluate_); }
  double epochs() const override { return data_.epochs(); }
  std::vector<std::int64_t> position() const override { return data_.position(); }
  void seek(std::span<const std::int64_t> position) override { data_.seek(position); }
  std::string describe(std::span<const Index> items) const override {
    return data_.describe(items);
  }

 private:
  BatchStream& data_;
  LossFunction loss_;
  EvaluateFunction evaluate_;
};

}  // namespace heed
