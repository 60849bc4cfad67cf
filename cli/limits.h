#pragma once

#include <string>

#include "cli/corpus.h"
#include "cli/settings.h"
#include "optim/trainer.h"

namespace heed::cli {

/// What ends a training. All of them hold, and the first that is reached ends it. 0: there is none
/// of its kind.
struct Limits {
  Index steps = 0;
  Index epochs = 0;  // passes over the data, as they are read
  double seconds = 0;

  Index epoch_steps = 0;  // in which the epochs are read, as far as they can be counted before
  bool epochs_are_alike = true;  // then epoch_steps is exact

  /// The step at which steps and epochs are expected to end the training; 0: time alone ends it.
  Index last_step() const;
  /// "200 steps", "2 epochs (44 steps) or 10 min 00 s, whichever comes first". `done`: steps that
  /// were trained before.
  std::string text(Index done) const;
};

/// The only place that turns epochs into steps: `corpus` says how many batches they have.
Limits limits_of(const Settings& settings, const Corpus& corpus);

/// Whether the two are limited alike.
bool same_limits(const Settings& a, const Settings& b);

/// Why a run cannot train another step, and what to do: "its 2 epochs are read; give more epochs
/// (--epochs N)".
std::string why_ended(EndedBy ended, const Settings& settings, Index step);

}  // namespace heed::cli
