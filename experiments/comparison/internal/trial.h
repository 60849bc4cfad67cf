#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "experiments/comparison/internal/plan.h"
#include "experiments/comparison/result.h"
#include "training/trainer.h"

namespace heed {

/// What a run tells while it is trained.
struct TrialObservers {
  std::function<void()> on_begin;    // nothing is written yet
  std::function<void()> on_written;  // from now on the folder is written
  std::function<void(const StepReport&)> on_step;
  std::function<void(const std::string&)> on_warning;
  ShouldStop should_stop;
};

/// The result of a finished run. None where the run is not finished or one of its files is damaged:
/// then it is tested again. `lines`: of the test set.
std::optional<RunResult> read_result(const std::filesystem::path& run, std::size_t lines);

/// Trains and tests one model, named `name`, with one seed, from where its folder is to its result.
/// Throws Interrupted where it should stop.
RunResult run_trial(const std::string& name, const Settings& settings,
                    const std::filesystem::path& folder, const ComparisonPlan& plan,
                    const TrialObservers& observers);

}  // namespace heed
