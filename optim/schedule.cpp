#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "framework/error.h"

namespace heed {

double Schedule::factor(Index step, double progress) const {
  check(step >= 1, "schedule", "steps are counted from 1; got {}", step);
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(warmup);
  progress = std::clamp(progress, 0.0, 1.0);
  switch (kind) {
    case Kind::constant:
      return 1;
    case Kind::inverse_sqrt:
      return std::sqrt(static_cast<double>(std::max<Index>(warmup, 1)) / static_cast<double>(step));
    case Kind::linear:
      return 1 + (final - 1) * progress;
    case Kind::cosine:
      return final + (1 - final) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  }
  return 1;
}

double Schedule::progress(Index step, Index steps) const {
  if (step <= warmup) return 0;
  if (steps <= warmup) return 1;
  const Index after = final == 0 && !zero_at_last ? 1 : 0;
  return std::min(1.0,
                  static_cast<double>(step - warmup) / static_cast<double>(steps - warmup + after));
}

Schedule::Kind schedule_kind(std::string_view name) {
  if (name == "constant") return Schedule::Kind::constant;
  if (name == "inverse_sqrt") return Schedule::Kind::inverse_sqrt;
  if (name == "linear") return Schedule::Kind::linear;
  if (name == "cosine") return Schedule::Kind::cosine;
  fail("[schedule] expected constant, inverse_sqrt, linear or cosine; got {}", name);
}

}  // namespace heed
