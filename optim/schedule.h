#pragma once

#include <cstdint>
#include <string_view>

#include "framework/types.h"

namespace heed {

/// How the learning rate goes: up a straight line for `warmup` steps, then as `kind` says.
struct Schedule {
  enum class Kind : std::uint8_t {
    constant,
    // sqrt(warmup / step) (Vaswani et al. 2017, section 5.3, scaled so that the peak is 1)
    inverse_sqrt,
    linear,  // a straight line down to `final`
    cosine,  // half a cosine down to `final` (Loshchilov and Hutter 2017)
  };
  Kind kind = Kind::constant;
  Index warmup = 0;  // steps
  double final = 0;  // share of the peak that linear and cosine end at; 0: a step after the last
  bool zero_at_last = false;  // 0 at the last step too, which then changes nothing

  /// What the optimizer's lr is multiplied by at `step`, counted from 1. `progress` is how much of
  /// the training after the warm-up is done, in [0, 1]; constant and inverse_sqrt do not look at
  /// it.
  double factor(Index step, double progress) const;
  /// The same when the training is known to end after `steps`.
  double factor_of(Index step, Index steps) const { return factor(step, progress(step, steps)); }
  double progress(Index step, Index steps) const;
};

/// "constant", "inverse_sqrt", "linear" or "cosine"; throws Error for another.
Schedule::Kind schedule_kind(std::string_view name);

}  // namespace heed
