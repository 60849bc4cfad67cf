#pragma once

#include <string>

#include "experiments/corpus.h"
#include "experiments/settings.h"
#include "training/trainer.h"

namespace heed {

/// The limits of a training. The first that is reached ends it. 0: there is no limit of this kind.
struct Limits {
  Index steps = 0;
  Index epochs = 0;  // passes over the data
  double seconds = 0;

  // The number of steps in `epochs`. An estimate where the epochs differ, as with sampled subwords.
  Index epoch_steps = 0;
  bool epochs_are_alike = true;  // then epoch_steps is exact

  /// The step at which steps and epochs are expected to end the training; 0: time alone ends it.
  Index last_step() const;
  /// "200 steps", or "2 epochs (44 steps) or 10 min 00 s, whichever comes first". `done`: the
  /// number of steps that are trained already.
  std::string text(Index done) const;
};

/// The only place that turns epochs into steps, by the number of their batches in `corpus`.
Limits limits_of(const Settings& settings, const Corpus& corpus);

/// Why a run cannot train another step, and what to do: "its 2 epochs are read; give more epochs
/// (train.epochs = N, ...)".
std::string why_ended(EndedBy ended, const Settings& settings, Index step);

}  // namespace heed
