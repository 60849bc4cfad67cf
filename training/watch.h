#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "framework/types.h"

namespace heed {

/// What watch() has seen of a training, and what it has said about it. A function of the numbers of
/// the steps alone, and in every checkpoint: a resumed training warns at the same steps.
struct Watched {
  static constexpr double infinity = std::numeric_limits<double>::infinity();

  // Divergence, in blocks of 20 steps
  std::int64_t block_steps = 0;     // so far, of the present block
  std::int64_t lowest_step = 0;     // of `lowest`
  std::int64_t high_blocks = 0;     // in a row
  std::int64_t said_diverging = 0;  // 1: said
  double block_loss = 0;            // summed over the present block
  double lowest = infinity;         // mean loss of a block

  // Learning, in windows of 100 steps
  std::int64_t window_steps = 0;
  std::int64_t window_weight = 0;
  std::int64_t said_unlearnt = 0;  // 1: said, and not recovered since
  double window_nats = 0;

  // Clipping, in windows of 100 steps after the warm-up
  std::int64_t clip_steps = 0;
  std::int64_t clip_above = 0;      // steps with a norm above the limit
  std::int64_t clip_far_above = 0;  // above three times the limit
  std::int64_t said_clipped = 0;    // 1: said, and not recovered since
  double clip_log_norm = 0;         // summed

  // Validation. The reference is the last loss that was an improvement.
  std::int64_t since_weight = 0;    // of training since the last validation
  std::int64_t stale = 0;           // validations since the reference
  std::int64_t reference_step = 0;  // of `reference`
  std::int64_t said_stale = 0;      // 1: said, and not improved since
  double since_nats = 0;            // of training since the last validation
  double stale_loss = 0;            // summed over `stale`
  double reference = infinity;
  double reference_train = infinity;  // training loss before the reference

  /// Visits each field once, by the name of its entry in a checkpoint.
  template <class W, class Visit>
  static void visit(W& w, Visit v) {
    v("watch_block_steps", w.block_steps);
    v("watch_block_loss", w.block_loss);
    v("watch_lowest", w.lowest);
    v("watch_lowest_step", w.lowest_step);
    v("watch_high_blocks", w.high_blocks);
    v("watch_said_diverging", w.said_diverging);
    v("watch_window_steps", w.window_steps);
    v("watch_window_weight", w.window_weight);
    v("watch_window_nats", w.window_nats);
    v("watch_said_unlearnt", w.said_unlearnt);
    v("watch_clip_steps", w.clip_steps);
    v("watch_clip_above", w.clip_above);
    v("watch_clip_far_above", w.clip_far_above);
    v("watch_clip_log_norm", w.clip_log_norm);
    v("watch_said_clipped", w.said_clipped);
    v("watch_since_weight", w.since_weight);
    v("watch_since_nats", w.since_nats);
    v("watch_stale", w.stale);
    v("watch_stale_loss", w.stale_loss);
    v("watch_said_stale", w.said_stale);
    v("watch_reference", w.reference);
    v("watch_reference_step", w.reference_step);
    v("watch_reference_train", w.reference_train);
  }
};

inline constexpr Index watch_block_steps = 20;
inline constexpr Index watch_high_blocks = 3;
inline constexpr Index watch_window_steps = 100;
inline constexpr Index watch_stale_validations = 10;
inline constexpr double watch_improvement = 0.005;  // the least part of a loss that counts

/// A training that does not learn as it should.
struct TrainingWarning {
  enum class Kind { diverges, learns_nothing, always_clipped, does_not_improve, overfits };
  Kind kind = Kind::diverges;
  std::string fact = {};   // one line, without what to do
  double lr = 0;           // the peak learning rate
  bool late = false;       // the rate has fallen below half of it
  double norm = 0;         // always_clipped: the geometric mean of the norms
  double step_weight = 0;  // learns_nothing: the mean weight of a step, such as its gold ids
  /// A third of the peak rate, rounded to two digits: what to try first.
  double lower_lr() const;
};
/// The fact, and what to do in general words.
std::string to_text(const TrainingWarning& warning);

/// What a training is watched by.
struct WatchLimits {
  double clip = 0;   // the largest norm; 0: no limit
  Index warmup = 0;  // steps
  double lr = 0;     // the peak learning rate
  /// The mean loss of the best prediction that reads no input (Objective::baseline()).
  std::optional<double> baseline = {};
};

/// A step that changed the model.
struct WatchedStep {
  Index step = 0;
  double loss = 0;  // what is optimised, by the weight
  double nats = 0;  // the plain loss, summed
  Index weight = 0;
  double norm = 0;    // of the gradients, before clipping
  double epochs = 0;  // passes over the data so far; 0: they have no end
};

/// Looks at a step. Returns the warnings that it gives reason for, mostly none. Each kind is given
/// once; the last two again after the training has recovered.
/// - diverges: the mean loss of a block of 20 steps was twice the lowest, and 1 above it, three
///   times in a row. The lowest is that of the blocks, or the loss of the first step.
/// - learns_nothing: the mean plain loss of a window of 100 steps is above 0.95 of the baseline,
///   after max(200, 2 warmup) steps; or after an epoch, where the window begins after the warm-up.
///   Recovered: below 0.9 of it.
/// - always_clipped: of a window of 100 steps after the warm-up, at least 95 gradients had a norm
///   above the limit and more than half, so the median too, one above three times the limit.
///   Recovered: less than half are above the limit.
std::vector<TrainingWarning> watch(Watched& watched, const WatchedStep& step,
                                   const WatchLimits& limits);

struct WatchedValidation {
  Index step = 0;
  double loss = 0;
  double best = 0;  // the lowest so far, this one included
  Index best_step = 0;
  double lr = 0;  // the present learning rate
};

/// Looks at a validation. A loss counts as improved where it is 0.5 % below the last one that
/// counted, so small steps count when they add up. Ten validations without that are
/// - overfits: their mean is 0.5 % above it, and the training loss has fallen by 3 % since;
/// - does_not_improve: otherwise, unless the loss is below 0.01: nothing is left to gain.
/// Given once; again after the loss has improved. Losses that are not finite are passed over.
std::optional<TrainingWarning> watch(Watched& watched, const WatchedValidation& validation,
                                     const WatchLimits& limits);

}  // namespace heed
