#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "framework/error.h"

namespace heed {

namespace {

double constant(const Schedule& /*schedule*/, Index /*step*/, double /*x*/) { return 1; }

double inverse_sqrt(const Schedule& schedule, Index step, double /*x*/) {
  const auto warmup = static_cast<double>(std::max<Index>(schedule.warmup, 1));
  return std::sqrt(warmup / static_cast<double>(step));
}

double linear_decay(const Schedule& schedule, Index /*step*/, double x) {
  return 1 + (schedule.final - 1) * x;
}

double cosine(const Schedule& schedule, Index /*step*/, double x) {
  return schedule.final + (1 - schedule.final) * 0.5 * (1 + std::cos(std::numbers::pi * x));
}

/// Warm-up, stable, decay.
double stable_then_decay(const Schedule& schedule, Index /*step*/, double x) {
  const double begin = 1 - schedule.decay_share;
  if (x <= begin) return 1;
  return 1 + (schedule.final - 1) * (x - begin) / schedule.decay_share;
}

}  // namespace

double Schedule::factor(Index step, double progress) const {
  check(step >= 1, "schedule", "steps are counted from 1; got {}", step);
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(warmup);
  progress = std::clamp(progress, 0.0, 1.0);
  return schedules().at(kind).factor(*this, step, progress);
}

double Schedule::progress(Index step, Index steps) const {
  if (step <= warmup) return 0;
  if (steps <= warmup) return 1;
  const Index after = final == 0 && !zero_at_last ? 1 : 0;
  return std::min(1.0,
                  static_cast<double>(step - warmup) / static_cast<double>(steps - warmup + after));
}

void Schedule::list(Fields& f) {
  const ScheduleKind* row = schedules().find(kind);
  f("schedule", kind, one_of(schedules().names()), "how the rate falls after the warm-up")
      .selects();
  f("warmup", warmup, between(Index{0}, Index{1} << 40),
    "steps until the learning rate reaches its peak");
  f("final_lr", final, between(0.0, 1.0),
    "learning rate at the end of cosine, linear and wsd, as a share of the peak")
      .without_effect_if(row && !row->reads_final, "optim.schedule");
  f("decay_share", decay_share, between(0.0, 1.0),
    "share of the training after the warm-up in which wsd falls; before, it stays at the peak")
      .absent(0.2)
      .without_effect_if(row && !row->reads_decay_share, "optim.schedule");
}

Registry<ScheduleKind>& schedules() {
  static Registry<ScheduleKind> table(
      "schedule",
      {{.name = "cosine", .reads_final = true, .factor = cosine},
       {.name = "linear", .reads_final = true, .factor = linear_decay},
       {.name = "wsd", .reads_final = true, .reads_decay_share = true, .factor = stable_then_decay},
       {.name = "inverse_sqrt", .factor = inverse_sqrt},
       {.name = "constant", .falls = false, .factor = constant}});
  return table;
}

}  // namespace heed
