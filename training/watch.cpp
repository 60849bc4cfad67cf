#include "training/watch.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace heed {

namespace {

using Kind = TrainingWarning::Kind;
using Warning = std::optional<TrainingWarning>;

// Parts of a window, of a baseline and of a loss.
constexpr double clipped_part = 0.95;
constexpr double far_above = 3;
constexpr double unlearnt_part = 0.95;
constexpr double learnt_part = 0.9;
constexpr double fallen_part = 0.97;
constexpr double least_loss = 0.01;  // nothing is left to gain below it

/// Ends a block where it is full: returns its mean loss.
std::optional<double> add_to_block(Watched& w, double loss) {
  w.block_loss += loss;
  if (++w.block_steps < watch_block_steps) return std::nullopt;
  const double mean = w.block_loss / static_cast<double>(w.block_steps);
  w.block_steps = 0;
  w.block_loss = 0;
  return mean;
}

void keep_lowest(Watched& w, Index step, double loss) {
  if (!(loss < w.lowest)) return;
  w.lowest = loss;
  w.lowest_step = step;
}

Warning divergence(Watched& w, Index step, double loss) {
  const bool first = !(w.lowest < Watched::infinity);
  if (first) {  // the loss before anything is learnt
    w.lowest = loss;
    w.lowest_step = step;
  }
  const std::optional<double> mean = add_to_block(w, loss);
  if (!mean) return {};
  keep_lowest(w, step, *mean);
  const bool high = *mean > std::max(2 * w.lowest, w.lowest + 1);
  w.high_blocks = high ? w.high_blocks + 1 : 0;
  if (w.high_blocks < watch_high_blocks || w.said_diverging != 0) return {};
  w.said_diverging = 1;
  return TrainingWarning{
      .kind = Kind::diverges,
      .fact =
          fmt::format("the loss rose from {:.3g} (step {}) to {:.3g} (step {}): training diverges",
                      w.lowest, w.lowest_step, *mean, step)};
}

/// Whether something should have been learnt by now. A window with steps of the warm-up holds their
/// losses, which say nothing.
bool has_begun(const WatchedStep& s, const WatchLimits& limits) {
  const bool read_all = s.epochs >= 1 && s.step - watch_window_steps >= limits.warmup;
  return read_all || s.step >= std::max<Index>(2 * watch_window_steps, 2 * limits.warmup);
}

Warning learning(Watched& w, const WatchedStep& s, const WatchLimits& limits) {
  w.window_nats += s.nats;
  w.window_weight += s.weight;
  if (++w.window_steps < watch_window_steps) return {};
  const auto weight = static_cast<double>(w.window_weight);
  const double mean = w.window_nats / weight;
  w.window_steps = 0;
  w.window_weight = 0;
  w.window_nats = 0;
  const double baseline = limits.baseline.value_or(0);
  if (baseline <= 0 || !has_begun(s, limits)) return {};
  if (mean < learnt_part * baseline) w.said_unlearnt = 0;
  if (!(mean > unlearnt_part * baseline) || w.said_unlearnt != 0) return {};
  w.said_unlearnt = 1;
  return TrainingWarning{
      .kind = Kind::learns_nothing,
      .fact = fmt::format("the model has learnt nothing of its inputs: the training loss of the "
                          "last {} steps, {:.3g} (step {}), is that of guessing by frequency, "
                          "{:.3g}",
                          watch_window_steps, mean, s.step, baseline),
      .step_weight = weight / static_cast<double>(watch_window_steps)};
}

Warning clipping(Watched& w, const WatchedStep& s, const WatchLimits& limits) {
  if (limits.clip <= 0 || s.step <= limits.warmup) return {};
  if (s.norm > limits.clip) ++w.clip_above;
  if (s.norm > far_above * limits.clip) ++w.clip_far_above;
  w.clip_log_norm += std::log(std::max(s.norm, std::numeric_limits<double>::min()));
  if (++w.clip_steps < watch_window_steps) return {};
  const auto steps = static_cast<double>(w.clip_steps);
  const double norm = std::exp(w.clip_log_norm / steps);
  const auto above = w.clip_above;
  const bool far = 2 * w.clip_far_above > w.clip_steps;
  w.clip_steps = 0;
  w.clip_above = 0;
  w.clip_far_above = 0;
  w.clip_log_norm = 0;
  if (2 * above < watch_window_steps) w.said_clipped = 0;
  if (static_cast<double>(above) < clipped_part * steps || !far || w.said_clipped != 0) return {};
  w.said_clipped = 1;
  return TrainingWarning{
      .kind = Kind::always_clipped,
      .fact = fmt::format("{} of the last {} gradients were clipped (step {}): their norm is "
                          "typically {:.3g}, the limit {:.3g}",
                          above, watch_window_steps, s.step, norm, limits.clip),
      .norm = norm};
}

/// The training loss since the last validation; infinity where nothing was trained.
double take_training_loss(Watched& w) {
  const double loss =
      w.since_weight > 0 ? w.since_nats / static_cast<double>(w.since_weight) : Watched::infinity;
  w.since_nats = 0;
  w.since_weight = 0;
  return loss;
}

TrainingWarning stale(const Watched& w, const WatchedValidation& v, double train, double mean) {
  const double part = watch_improvement * std::abs(w.reference);
  if (mean > w.reference + part && train < fallen_part * w.reference_train)
    return {.kind = Kind::overfits,
            .fact = fmt::format("the model overfits: since step {} the training loss fell from "
                                "{:.3g} to {:.3g}, and the validation loss rose from {:.4g} to "
                                "{:.4g}, the mean of {} validations; the best was {:.4g} (step {})",
                                w.reference_step, w.reference_train, train, w.reference, mean,
                                w.stale, v.best, v.best_step)};
  return {
      .kind = Kind::does_not_improve,
      .fact = fmt::format("the validation loss has not improved by {} % in {} validations: the "
                          "best was {:.4g} (step {}), the last {:.4g} (step {})",
                          100 * watch_improvement, w.stale, v.best, v.best_step, v.loss, v.step)};
}

std::string advice(const TrainingWarning& warning) {
  const double lower = warning.lower_lr();
  switch (warning.kind) {
    case Kind::diverges:
      return fmt::format("lower the learning rate, such as to {:.2g}, or raise the warm-up", lower);
    case Kind::learns_nothing:
      return fmt::format("try another learning rate, such as {:.2g}, or larger batches", lower);
    case Kind::always_clipped:
      return fmt::format("lower the learning rate, such as to {:.2g}, or raise the limit to {:.2g}",
                         lower, 2 * warning.norm);
    case Kind::does_not_improve:
      if (warning.late) return "end here, or train a larger model; the best weights are kept";
      return fmt::format("lower the learning rate, such as to {:.2g}; the best weights are kept",
                         lower);
    case Kind::overfits:
      break;
  }
  return "end here, where the best weights are kept, or use more dropout, a smaller model or more "
         "data";
}

}  // namespace

double TrainingWarning::lower_lr() const {
  if (!(lr > 0)) return 0;
  const double digit = std::pow(10.0, std::floor(std::log10(lr / 3)) - 1);
  return std::round(lr / 3 / digit) * digit;
}

std::string to_text(const TrainingWarning& warning) {
  return warning.fact + "; " + advice(warning);
}

std::vector<TrainingWarning> watch(Watched& watched, const WatchedStep& step,
                                   const WatchLimits& limits) {
  watched.since_nats += step.nats;
  watched.since_weight += step.weight;
  std::vector<TrainingWarning> all;
  for (Warning found : {divergence(watched, step.step, step.loss), learning(watched, step, limits),
                        clipping(watched, step, limits)}) {
    if (!found) continue;
    found->lr = limits.lr;
    all.push_back(*std::move(found));
  }
  return all;
}

std::optional<TrainingWarning> watch(Watched& w, const WatchedValidation& v,
                                     const WatchLimits& limits) {
  const double train = take_training_loss(w);
  if (!std::isfinite(v.loss)) return {};
  const bool first = !(w.reference < Watched::infinity);
  if (first || v.loss < w.reference - watch_improvement * std::abs(w.reference)) {
    w.reference = v.loss;
    w.reference_step = v.step;
    w.reference_train = train;
    w.stale = 0;
    w.stale_loss = 0;
    w.said_stale = 0;
    return {};
  }
  ++w.stale;
  w.stale_loss += v.loss;
  if (w.stale < watch_stale_validations || w.said_stale != 0) return {};
  TrainingWarning found = stale(w, v, train, w.stale_loss / static_cast<double>(w.stale));
  if (found.kind == Kind::does_not_improve && v.best < least_loss) return {};
  w.said_stale = 1;
  found.lr = limits.lr;
  found.late = v.lr < limits.lr / 2 && v.step > limits.warmup;
  return found;
}

}  // namespace heed
