#pragma once

#include <string>
#include <vector>

#include "experiments/inference/run.h"

namespace heed {

/// open_run() of a run with the configuration of its training. Throws Error where settings of the
/// optimizer or of the training are not those that the checkpoint was trained with, too.
Run open_trained_run(const std::string& folder, const std::string& checkpoint = {});
/// The same of one run or, as open_ensemble(), of several.
Run open_trained_runs(const std::vector<std::string>& folders, const std::string& checkpoint = {});

}  // namespace heed
