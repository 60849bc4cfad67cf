// What a run is told to do about a training that does not learn, and by what it is judged.

#include "experiments/training_advice.h"

#include <cmath>

#include <gtest/gtest.h>

#include "datasets/text/special_ids.h"
#include "experiments/text_objective.h"

namespace heed {
namespace {

using Kind = TrainingWarning::Kind;

TEST(TrainingAdvice, NamesTheSettingsAndTheirValues) {
  Settings adam;
  adam.set("model.dropout", "0.1");
  adam.set("data.batch_tokens", "256");
  Settings sgd = adam;
  sgd.set("optim.name", "sgd");
  Settings patient = adam;
  patient.set("train.patience", "20");
  const struct {
    Settings settings;
    TrainingWarning warning;
    const char* advice;
  } rows[] = {
      {adam,
       {.kind = Kind::diverges},
       "lower to optim.lr = 0.001 (now 0.003), or raise optim.warmup "
       "(now 200)"},
      {adam,
       {.kind = Kind::learns_nothing, .step_weight = 120.4},
       "try optim.lr = 0.001 (now 0.003), a larger data.batch_tokens (now 256: 120 gold tokens a "
       "step), or tune optim.lr in a new run"},
      {adam,
       {.kind = Kind::learns_nothing, .step_weight = 500},
       "try optim.lr = 0.001 (now 0.003), or tune optim.lr in a new run"},
      {adam,
       {.kind = Kind::always_clipped, .norm = 6},
       "lower to optim.lr = 0.001 (now 0.003), or raise optim.clip, such as to 12, so that it "
       "bounds the rare steps alone"},
      {sgd,
       {.kind = Kind::always_clipped, .norm = 6},
       "without clipping, optim.lr = 0.0005 (now 0.003) would change the weights as much: use "
       "that, "
       "or raise optim.clip, such as to 12, so that it bounds the rare steps alone"},
      {adam,
       {.kind = Kind::does_not_improve},
       "lower to optim.lr = 0.001 (now 0.003), or let train.patience end it; the best weights are "
       "kept"},
      {patient,
       {.kind = Kind::does_not_improve},
       "lower to optim.lr = 0.001 (now 0.003); the best weights are kept"},
      {adam,
       {.kind = Kind::does_not_improve, .late = true},
       "its learning rate has fallen already: end here, or let train.patience end it; the best "
       "weights are kept"},
      {adam,
       {.kind = Kind::overfits},
       "raise model.dropout (now 0.1), train a smaller model or on more data, or end here; the "
       "best "
       "weights are kept"},
  };
  for (const auto& row : rows) {
    TrainingWarning warning = row.warning;
    warning.fact = "what happened";
    warning.lr = 0.003;
    EXPECT_EQ(training_advice(warning, row.settings), std::string("what happened; ") + row.advice);
  }
}

TEST(TrainingAdvice, RaisesARateThatIsFarTooLow) {
  const Settings usual = default_settings("rnn");
  const TrainingWarning warning{
      .kind = Kind::learns_nothing, .fact = "nothing", .lr = 1e-6, .step_weight = 1000};
  EXPECT_EQ(training_advice(warning, usual),
            "nothing; try optim.lr = 0.005 (now 1e-06), or tune optim.lr in a new run");
}

/// Nothing is drawn from it.
struct NoBatches : BatchStream {
  Batch next() override { return {}; }
  std::vector<std::int64_t> position() const override { return {}; }
  void seek(std::span<const std::int64_t>) override {}
  std::string describe(std::span<const Index>) const override { return ""; }
};

/// Three gold ids, one of which does not count.
struct OneBatch : NoBatches {
  Batch next() override {
    Batch batch;
    batch.gold = Ids({3}, {1, 9, 2});
    batch.ignored = 9;
    return batch;
  }
};

TEST(TextObjective, AddsThePenaltyForEachGoldTokenToWhatIsOptimised) {
  const BatchLoss loss = [](const Batch&, const CrossEntropy& options) {
    *options.nats = 7;
    return Variable(Tensor({}, {Real(0.5)}));
  };
  OneBatch batches;
  const auto penalised = [&](std::function<Variable()> penalty) {
    TextObjective objective(loss, batches, {}, {.penalty = std::move(penalty)});
    return objective.loss(*objective.draw(), 8);
  };
  const Loss with = penalised([] { return Variable(Tensor({}, {Real(3)})); });
  EXPECT_NEAR(static_cast<double>(with.optimised.item()), 0.5 + 3.0 * 2 / 8, 1e-6);
  EXPECT_EQ(with.nats, 7);
  const Loss without = penalised([] { return Variable(); });
  EXPECT_EQ(without.optimised.item(), Real(0.5));
}

TEST(TextObjective, BaselineIsTheEntropyOfTheGoldIds) {
  const auto batch = [](const std::vector<Id>& gold) {
    Batch made;
    made.gold = Ids({std::ssize(gold)}, gold);
    made.ignored = 9;
    return made;
  };
  const struct {
    std::vector<Batch> valid;
    std::optional<double> entropy;
  } rows[] = {
      {{}, std::nullopt},
      {{batch({9, 9})}, std::nullopt},
      {{batch({3, 3})}, 0.0},
      {{batch({3, 4}), batch({5, 9, 6})}, std::log(4.0) + 3.0 / 8},
      {{batch({3, 3}), batch({3, 0, 9})},
       0.75 * std::log(4 / 3.0) + 0.25 * std::log(4.0) + 1.0 / 8},
  };
  NoBatches none;
  for (const auto& row : rows) {
    const auto found = TextObjective({}, none, row.valid).baseline();
    ASSERT_EQ(found.has_value(), row.entropy.has_value());
    if (found) {
      EXPECT_NEAR(*found, *row.entropy, 1e-12);
    }
  }
}

}  // namespace
}  // namespace heed
