#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "experiments/comparison/internal/plan.h"
#include "experiments/comparison/result.h"

namespace heed {

/// Throws ComparisonError where no model has the setting that is to be tuned, or one does not take
/// a value, or the runs are too short: all that is known before a folder is made.
void check_tuning(const ComparisonPlan& plan);

/// Lets each model of the plan that has the setting tune it, and gives it the value that was best.
/// What was found before is read from tuning/MODEL.json in the folder. `on_line` gets what will be
/// done and what was found. Throws Interrupted where it should stop.
std::vector<ModelTuning> tune_models(ComparisonPlan& plan, const std::filesystem::path& folder,
                                     const std::function<void(const std::string&)>& on_line,
                                     const ShouldStop& should_stop);

/// A row for each candidate of each model: model, setting, value, steps, validation loss, and
/// "chosen". The first row names the columns.
std::vector<std::vector<std::string>> tuning_rows(const std::vector<ModelTuning>& tunings);
/// "Tuned before the runs: optim.lr, in 34 s of training for rnn, 20 s for conv."
std::string tuning_note(const std::vector<ModelTuning>& tunings);

}  // namespace heed
