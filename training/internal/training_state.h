#pragma once

#include <cstdint>
#include <limits>

#include "framework/checkpoint.h"
#include "training/watch.h"

namespace heed {

/// Sums over the steps since the last row of metrics.
struct RowSums {
  std::int64_t steps = 0;    // that changed the model
  std::int64_t skipped = 0;  // that were not finite
  std::int64_t weight = 0;   // of the draws of `steps`
  std::int64_t tokens = 0;   // of the draws of all steps
  double objective = 0;      // what was optimised, times the weight
  double nats = 0;           // the plain loss
  double gradient_norm = 0;

  struct Step {
    std::int64_t weight = 0;
    double loss = 0;  // what was optimised, divided by the weight
    double nats = 0;
    double gradient_norm = 0;
  };
  void add(const Step& step);
  void add_skipped() { ++skipped; }
  bool empty() const { return steps == 0 && skipped == 0; }

  /// A sum divided by the weight; NaN where every step was skipped.
  double mean(double sum) const { return sum / static_cast<double>(weight); }
};

/// Steps that were skipped because a loss or a gradient was not finite.
struct SkippedSteps {
  std::int64_t total = 0;
  std::int64_t in_a_row = 0;

  void add() {
    ++total;
    ++in_a_row;
  }
  void reset_run() { in_a_row = 0; }
};

/// All that decides how training goes on and what its rows of metrics will say, apart from weights
/// and moments. Every checkpoint holds it.
///
/// The times are saved only where a time limits the training. Without them, two runs with the same
/// seed, data and settings write the same bytes.
struct TrainingState {
  std::int64_t seed = 0;
  std::int64_t step = 0;  // of the last step trained
  std::int64_t evaluated_step = 0;
  std::int64_t best_step = 0;
  std::int64_t since_best = 0;     // evaluations
  std::int64_t best_mean = 1;      // the best weights are the mean of so many (average_at_end)
  std::int64_t averaged_step = 0;  // at which the means were last evaluated
  double best_loss = std::numeric_limits<double>::infinity();
  double best_score = 0;
  RowSums row = {};
  SkippedSteps skipped = {};
  Watched watched = {};
  double seconds = 0;          // of the runs before this one
  double warmup_seconds = -1;  // when the warm-up was over; -1: not yet
};

void put_training_state(Checkpoint& checkpoint, const TrainingState& state, bool with_times);

/// Throws Error when
/// - an entry is missing that every checkpoint of training has;
/// - a count or a time is negative, or the time is not finite: no training writes that.
TrainingState take_training_state(const Checkpoint& checkpoint);

}  // namespace heed
