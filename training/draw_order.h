#pragma once

#include <cstdint>

#include "framework/random.h"
#include "framework/types.h"

namespace heed {

/// How the draws of one step are computed together, where there are several. A checkpoint names it:
/// a run goes on as it was begun.
enum class DrawOrder : std::uint8_t {
  /// Each draw has random numbers of its own, and its gradient starts at zero. The gradients are
  /// summed by a fixed binary tree. Any draw can be computed anywhere.
  tree,
  /// Of runs of earlier versions: one stream of random numbers serves all draws, and each adds to
  /// the gradients of those before.
  running,
};

/// The random numbers of a draw: a function of (seed, step, draw). Those of the first draw are
/// those of a step with one.
inline Random draw_random(std::uint64_t seed, Index step, std::size_t draw) {
  const auto number = static_cast<std::uint64_t>(step);
  return Random(seed, draw == 0 ? number : mix(number, draw));
}

}  // namespace heed
