#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "framework/types.h"

namespace heed {

/// What watch() has seen of a training, and what it has said about it. A block is 20 steps.
struct Watched {
  std::int64_t block_steps = 0;                             // so far, of the present block
  std::int64_t lowest_step = 0;                             // of `lowest`
  std::int64_t high_blocks = 0;                             // in a row
  std::int64_t clipped = 0;                                 // steps in a row
  std::int64_t said_diverging = 0;                          // 1: said
  std::int64_t said_clipping = 0;                           // 1: said
  double block_loss = 0;                                    // summed over the present block
  double lowest = std::numeric_limits<double>::infinity();  // mean loss of a block
  double clipped_norm = 0;                                  // summed over `clipped` steps

  /// Visits each field once, by the name of its entry in a checkpoint.
  template <class W, class Visit>
  static void visit(W& w, Visit v) {
    v("watch_block_steps", w.block_steps);
    v("watch_block_loss", w.block_loss);
    v("watch_lowest", w.lowest);
    v("watch_lowest_step", w.lowest_step);
    v("watch_high_blocks", w.high_blocks);
    v("watch_clipped", w.clipped);
    v("watch_clipped_norm", w.clipped_norm);
    v("watch_said_diverging", w.said_diverging);
    v("watch_said_clipping", w.said_clipping);
  }
};

inline constexpr Index watch_block_steps = 20;
inline constexpr Index watch_high_blocks = 3;
inline constexpr Index watch_clipped_steps = 500;

/// Looks at a step that changed the model. Returns a warning for people, or ""; each of the two is
/// given once.
/// - Divergence: the mean loss of a block was twice the lowest, and 1 nat above it, three times in
///   a row. The lowest is that of the blocks, or the loss of the first step.
/// - Clipping: each of the last 500 gradients was clipped, and those are at least half of all after
///   the warm-up. `clip` is the largest norm; 0: no limit.
std::string watch(Watched& watched, Index step, double loss, double norm, double clip,
                  Index warmup);

}  // namespace heed
