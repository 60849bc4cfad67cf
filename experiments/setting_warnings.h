#pragma once

#include <string>
#include <vector>

#include "experiments/limits.h"
#include "experiments/settings.h"

// Warnings about settings before a model is trained with them, one line each.
namespace heed {

/// Warns of given settings that have no effect because of other settings, such as data.min_count of
/// subwords.
std::vector<std::string> unused_settings(const Settings& settings);

/// The length of a training.
struct TrainingLength {
  Index steps = 0;     // all steps
  bool about = false;  // `steps` is an estimate, from a limit of time
};
/// Warns of settings without effect in a training of this length. `validates`: there are validation
/// data.
std::vector<std::string> unreached_settings(const Settings& settings, TrainingLength length,
                                            bool validates);

/// Warns where the learning rate of a run that is resumed with other limits jumps up: its schedule
/// then follows the new end. The rate before is read from the metrics. `step` and `seconds`: how
/// long the run was trained. Returns "" where there is no jump.
std::string rate_jump(const Settings& settings, const TrainerOptions& options, Index step,
                      double seconds);

}  // namespace heed
