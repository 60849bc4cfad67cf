#pragma once

#include <string>
#include <vector>

#include "cli/limits.h"
#include "cli/settings.h"

// What a user should know of settings before training with them: what they cannot do. A line each;
// none where all is well.
namespace heed::cli {

/// Of those that were given: which change nothing beside the others, such as model.kernel of a
/// Transformer.
std::vector<std::string> unused_settings(Settings& settings, const GivenKeys& given);

/// What the length of the training leaves without effect. `steps`: in all; where `about`, as time
/// is expected to allow.
struct TrainingLength {
  Index steps = 0;
  bool about = false;
};
std::vector<std::string> unreached_settings(const Settings& settings, TrainingLength length,
                                            bool validates);

/// Where a run that goes on with other limits learns much faster at once than it did last, as its
/// metrics tell: a schedule follows the new end. `seconds`: for how long it was trained.
std::string rate_jump(const Settings& settings, const TrainerOptions& options, Index step,
                      double seconds);

}  // namespace heed::cli
