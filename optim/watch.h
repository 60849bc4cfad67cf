#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "framework/types.h"

namespace heed {

/// What has been seen of a training, and what was said about it.
struct Watched {
  // clipped: steps in a row
  std::int64_t block_steps = 0;
  std::int64_t lowest_step = 0;
  std::int64_t high_blocks = 0;
  std::int64_t clipped = 0;
  std::int64_t said_diverging = 0;
  std::int64_t said_clipping = 0;
  double block_loss = 0;
  double lowest = std::numeric_limits<double>::infinity();
  double clipped_norm = 0;

  /// Each field once: all are in every checkpoint.
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

/// Looks at a step that changed the model, and returns what a person would want to know, or "";
/// each thing once.
///
/// Divergence: over three times 20 steps in a row, the mean loss was each time both twice the
/// lowest such mean (or the loss of the first step) and 1 above it. Clipping (`clip` is the largest
/// norm, 0: no limit): each of the last 500 gradients was clipped, and those are half of all after
/// the warm-up.
std::string watch(Watched& watched, Index step, double loss, double norm, double clip,
                  Index warmup);

}  // namespace heed
