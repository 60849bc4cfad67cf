#pragma once

#include <cmath>
#include <string>

#include "datasets/text/batch.h"
#include "framework/ops.h"
#include "framework/run_folder.h"
#include "optim/optimizer.h"
#include "tests/lines_text.h"
#include "tests/training/function_objective.h"
#include "training/trainer.h"

// A run whose steps take almost no time, and whose checkpoints need several writes each.

namespace heed {

inline constexpr Index tiny_classes = 40;
inline constexpr Index tiny_width = 80;

struct TinyModel {
  Parameter table;
  Parameter weight;
  TinyModel() {
    Random random(1);
    table = Parameter(normal({tiny_classes, tiny_width}, random, 1));
    weight = Parameter(normal({tiny_classes, tiny_width}, random, 1));
  }
  void visit(Visitor& v) {
    v("table", table);
    v("weight", weight);
  }
  Variable loss(const Batch& batch, Real divisor) const {
    return cross_entropy(linear(embedding(batch.target.ids, table), weight), batch.gold,
                         {.ignore = ignored_id, .divisor = divisor});
  }
};

/// Batch n depends on n alone.
struct TinyData : BatchStream {
  std::string describe(std::span<const Index> lines) const override { return lines_text(lines); }
  std::int64_t number = 0;
  Batch next() override {
    std::vector<std::vector<Id>> lines(1);
    for (int i = 0; i < 4; ++i)
      lines[0].push_back(static_cast<Id>((3 * number + i) % tiny_classes));
    Batch batch;
    batch.lines = {number++};
    batch.target = pack(lines);
    batch.gold = batch.target.ids.clone();
    for (Id& id : batch.gold.span())
      id = static_cast<Id>(1 + id % (tiny_classes - 1));
    return batch;
  }
  std::vector<std::int64_t> position() const override { return {number}; }
  void seek(std::span<const std::int64_t> position) override { number = position[0]; }
};

struct TinyRun {
  TinyModel model;
  Adam optimizer{model, {.lr = 0.01}};
  TinyData data;
  Trainer trainer;

  TinyRun(const std::string& folder, Index steps)
      : trainer(model, optimizer,
                {.steps = steps,
                 .schedule = {.kind = "constant"},
                 .log_every = 1,
                 .eval_every = 1,
                 .save_every = 1,
                 .keep = 2,
                 .folder = folder,
                 .text = {{"config", "tiny"}}}) {}
  /// Each evaluation is better than the one before.
  TrainResult run() {
    FunctionObjective objective(
        data, [this](const Batch& batch, Real divisor) { return model.loss(batch, divisor); },
        [this] {
          return Evaluation{
              .loss = 1 / static_cast<double>(data.number), .score = 0, .metrics = {}};
        });
    return trainer.run(objective);
  }
};

/// The checkpoint without times.
inline Checkpoint timeless(Checkpoint checkpoint) {
  for (const char* name : {"seconds", "warmup_seconds", "row_seconds"})
    checkpoint.reals.erase(name);
  return checkpoint;
}

}  // namespace heed
