#pragma once

#include <string>

#include "experiments/settings.h"
#include "training/watch.h"

namespace heed {

/// to_text() of the warning with what to do in the names and values of the settings: "...; lower
/// optim.lr, such as to 0.0017 (now 0.005), or let train.patience end it; the best weights are
/// kept".
std::string training_advice(const TrainingWarning& warning, const Settings& settings);

}  // namespace heed
