#pragma once

#include <cstdint>
#include <limits>

#include "framework/checkpoint.h"
#include "optim/watch.h"

namespace heed {

/// How far training is. What decides its future, or what its rows of metrics will say, stands here
/// and is in every checkpoint; times only where a time limits the training, so that the checkpoints
/// of two runs with the same seed, data and settings are the same bytes.
struct Progress {
  std::int64_t seed = 0;
  std::int64_t step = 0;
  std::int64_t evaluated_step = 0;
  std::int64_t best_step = 0;
  std::int64_t since_best = 0;
  double best_loss = std::numeric_limits<double>::infinity();
  double best_score = 0;
  // since the last row of metrics
  std::int64_t row_steps = 0;
  std::int64_t row_gold = 0;
  std::int64_t row_tokens = 0;
  // row_loss: what was optimised
  double row_loss = 0;
  double row_nats = 0;
  double row_norm = 0;
  // steps that were not finite; row_steps counts the others
  std::int64_t skipped = 0;
  std::int64_t skipped_in_a_row = 0;
  std::int64_t row_skipped = 0;
  Watched watched = {};
  double seconds = 0;          // of the runs before this one
  double warmup_seconds = -1;  // when the warm-up was over; -1: not yet

  /// A gold token's part of a sum over the row; NaN where every step of it was skipped.
  double row_mean(double sum) const { return sum / static_cast<double>(row_gold); }
};

void put_progress(Checkpoint& checkpoint, const Progress& progress, bool with_times);
/// Throws Error when an entry is missing that training cannot do without, or holds what no training
/// writes.
Progress take_progress(const Checkpoint& checkpoint);

}  // namespace heed
