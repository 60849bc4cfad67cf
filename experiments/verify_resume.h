#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/inference/interrupted.h"
#include "experiments/run_difference.h"
#include "experiments/settings.h"

namespace heed {

struct VerifyResumeOptions {
  int threads = 0;                                       // as for set_threads()
  std::function<void(const std::string&)> on_line = {};  // what is done next
  ShouldStop should_stop = {};
};

/// Trains train.steps steps twice: once without a stop; once saved at half of them, killed a step
/// or two later, and resumed. Returns how every file of the two runs compares. Each training is a
/// process of its own, since one of them is killed: threads do not survive a fork, so nothing may
/// have been computed before by the process that calls this.
///
/// Throws Error where a training fails, and Interrupted where it should stop.
std::vector<RunFileDifference> verify_resume(const Settings& settings,
                                             const VerifyResumeOptions& options = {});
/// A line for each file.
std::string to_text(const std::vector<RunFileDifference>& files);

}  // namespace heed
