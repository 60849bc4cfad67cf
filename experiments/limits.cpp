#include "experiments/limits.h"

#include <algorithm>
#include <vector>

#include <fmt/ranges.h>

#include "experiments/progress.h"

namespace heed {

namespace {

Index rounded_up(Index a, Index b) { return (a + b - 1) / b; }

std::string counted(Index n, const char* noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

std::string steps_text(Index steps, Index done) {
  if (done == 0 || done >= steps) return counted(steps, "step");
  return fmt::format("{} of {}", steps - done, counted(steps, "step"));
}

/// The limits of runs without train.exact_epochs, which an earlier Heed began: an epoch is a whole
/// number of steps, and train.steps does not count beside train.epochs.
Limits rounded_limits(const Settings& s, const Corpus& corpus) {
  const Index batches = corpus.epoch_batches / s.train.epochs;
  return {.steps = s.train.epochs * rounded_up(batches, s.optim.accumulate)};
}

}  // namespace

Limits limits_of(const Settings& s, const Corpus& corpus) {
  Limits limits{.steps = s.train.steps, .epochs = s.train.epochs};
  if (limits.epochs > 0 && !s.train.exact_epochs) {
    limits = rounded_limits(s, corpus);
  } else if (limits.epochs > 0) {
    limits.epoch_steps = rounded_up(corpus.epoch_batches, s.optim.accumulate);
    limits.epochs_are_alike = corpus.epochs_are_alike;
  }
  limits.seconds = s.train.time.empty() ? 0 : parse_duration(s.train.time);
  return limits;
}

Index Limits::last_step() const {
  if (steps == 0 || epoch_steps == 0) return std::max(steps, epoch_steps);
  return std::min(steps, epoch_steps);
}

std::string Limits::text(Index done) const {
  std::vector<std::string> all;
  if (steps > 0) all.push_back(steps_text(steps, done));
  if (epochs > 0) {
    const std::string count = (epochs_are_alike ? "" : "about ") + steps_text(epoch_steps, done);
    const bool first = steps == 0 || epoch_steps < steps;  // the limit that ends the training
    all.insert(first ? all.begin() : all.end(),
               fmt::format("{} ({})", counted(epochs, "epoch"), count));
  }
  if (seconds > 0) all.push_back(duration_text(seconds));
  const std::string last = all.back();
  all.pop_back();
  if (all.empty()) return last;
  return fmt::format("{} or {}, whichever comes first", fmt::join(all, ", "), last);
}

std::string why_ended(EndedBy ended, const Settings& s, Index step) {
  switch (ended) {
    case EndedBy::steps:
      return fmt::format(
          "step {} is reached; give more steps (train.steps = N, or 0 for no limit of steps)",
          step);
    case EndedBy::epochs: {
      const std::string epochs =
          s.train.epochs == 1 ? "one epoch is" : fmt::format("{} epochs are", s.train.epochs);
      return fmt::format(
          "its {} read; give more epochs (train.epochs = N, or 0 for no limit of epochs)", epochs);
    }
    case EndedBy::seconds:
      return fmt::format(
          "its time, {}, is over; give more (train.time = T, or nothing for no limit of time)",
          s.train.time);
    case EndedBy::patience:
      return fmt::format(
          "{} did not improve it; give more patience (train.patience = N; 0: without end)",
          counted(s.train.patience, "validation"));
    case EndedBy::nothing:
      break;
  }
  return "";
}

}  // namespace heed
