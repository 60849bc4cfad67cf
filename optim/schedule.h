#pragma once

#include <string>

#include "framework/fields.h"
#include "framework/registry.h"
#include "framework/types.h"

namespace heed {

/// A factor of the learning rate: it rises linearly during `warmup` steps, then follows `kind`.
/// With x the progress after the warm-up, 0 to 1, and f = `final`:
///
/// | kind | factor after the warm-up | source |
/// |---|---|---|
/// | constant | 1 | |
/// | inverse_sqrt | sqrt(max(warmup, 1) / step) | Vaswani et al. 2017, section 5.3, peak 1 |
/// | linear | 1 + (f - 1) x | |
/// | cosine | f + (1 - f) (1 + cos(pi x)) / 2 | Loshchilov and Hutter 2017 |
/// | wsd | 1 up to x = 1 - `decay_share`, then linear to f | Hägele et al. 2024, section 3 |
struct Schedule {
  std::string kind = "constant";  // one of schedules()
  Index warmup = 0;               // steps
  /// The factor that wsd, linear and cosine end at. It is reached at the last step; 0 is reached
  /// one step after it, so that the last step still changes the weights.
  double final = 0;
  bool zero_at_last = false;  // reach a `final` of 0 at the last step
  /// The share of the steps, or of the time, after the warm-up in which wsd falls.
  double decay_share = 0.2;

  /// What the optimizer's learning rate is multiplied by at `step`, counted from 1. `progress`:
  /// the part of the training after the warm-up that is done, clamped to [0, 1]; constant and
  /// inverse_sqrt do not read it. Throws Error when step is below 1, or there is no such kind.
  double factor(Index step, double progress) const;
  /// factor() of a training that ends after `steps`.
  double factor_of(Index step, Index steps) const { return factor(step, progress(step, steps)); }
  /// The progress at `step` of a training that ends after `steps`.
  double progress(Index step, Index steps) const;

  void list(Fields& f);
};

/// A row of the table of schedules.
struct ScheduleKind {
  std::string name;
  bool reads_final = false;  // whether it ends at Schedule::final
  bool reads_decay_share = false;
  bool falls = true;  // whether the factor changes after the warm-up
  /// The factor after the warm-up, at `step` and progress x in [0, 1].
  double (*factor)(const Schedule& schedule, Index step, double x) = nullptr;
};
Registry<ScheduleKind>& schedules();

}  // namespace heed
