#include "experiments/training_advice.h"

#include <fmt/format.h>

namespace heed {

namespace {

constexpr double few_gold = 500;   // gold ids a step
constexpr double enough_clip = 2;  // limit, by the typical norm, that clips the rare steps alone

std::string lower_rate(const TrainingWarning& w) {
  return fmt::format("optim.lr = {:.2g} (now {:.3g})", w.lower_lr(), w.lr);
}

/// The usual rate, where the present one is so far below it that a lower one cannot help; else 0.
double usual_rate_far_above(const TrainingWarning& w, const Settings& s) {
  constexpr double far = 10;
  const Settings usual = default_settings(s.model.name, s.data.train, s.task.name);
  const double rate = usual.value_or("optim.lr", 0.0);
  return s.optim.name == usual.optim.name && far * w.lr <= rate ? rate : 0;
}

std::string nothing_learnt(const TrainingWarning& w, const Settings& s) {
  const double usual = usual_rate_far_above(w, s);
  std::string text =
      "try " +
      (usual > 0 ? fmt::format("optim.lr = {:.2g} (now {:.3g})", usual, w.lr) : lower_rate(w));
  if (w.step_weight < few_gold)
    text += fmt::format(", a larger data.batch_tokens (now {}: {:.0f} gold tokens a step)",
                        s.data.batch_tokens, w.step_weight);
  return text + ", or tune optim.lr in a new run";
}

/// Plain SGD moves by rate * gradient. The adaptive ones divide by the size of the gradients seen,
/// so a factor common to all of them has no effect: there is no rate to convert to.
std::string always_clipped(const TrainingWarning& w, const Settings& s) {
  const std::string raise =
      fmt::format("raise optim.clip, such as to {:.2g}, so that it bounds the rare steps alone",
                  enough_clip * w.norm);
  if (optimizers().at(s.optim.name).follows_scale)
    return fmt::format(
        "without clipping, optim.lr = {:.2g} (now {:.3g}) would change the weights as much: use "
        "that, or {}",
        w.lr * s.optim.clip / w.norm, w.lr, raise);
  return fmt::format("lower to {}, or {}", lower_rate(w), raise);
}

std::string no_improvement(const TrainingWarning& w, const Settings& s) {
  const std::string patience = s.train.patience > 0 ? "" : ", or let train.patience end it";
  if (w.late)
    return "its learning rate has fallen already: end here" + patience +
           "; the best weights are kept";
  return "lower to " + lower_rate(w) + patience + "; the best weights are kept";
}

std::string overfitting(const Settings& s) {
  const double dropout = s.value_or("model.dropout", -1.0);
  const std::string more =
      dropout < 0 ? "" : fmt::format("raise model.dropout (now {:.2g}), ", dropout);
  return more + "train a smaller model or on more data, or end here; the best weights are kept";
}

}  // namespace

std::string training_advice(const TrainingWarning& warning, const Settings& settings) {
  using Kind = TrainingWarning::Kind;
  const auto with = [&](const std::string& advice) { return warning.fact + "; " + advice; };
  switch (warning.kind) {
    case Kind::diverges:
      return with("lower to " + lower_rate(warning) +
                  fmt::format(", or raise optim.warmup (now {})", settings.optim.schedule.warmup));
    case Kind::learns_nothing:
      return with(nothing_learnt(warning, settings));
    case Kind::always_clipped:
      return with(always_clipped(warning, settings));
    case Kind::does_not_improve:
      return with(no_improvement(warning, settings));
    case Kind::overfits:
      return with(overfitting(settings));
  }
  return to_text(warning);
}

}  // namespace heed
