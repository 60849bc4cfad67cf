#pragma once

#include "experiments/settings.h"

namespace heed::cli {

/// Checks that resuming is exact.
///
/// Trains settings.train.steps steps without a stop. Trains them again, saves half-way, is killed
/// (SIGKILL) and resumes. Compares every file of the two runs byte by byte; of metrics.jsonl all
/// but the times. Prints what it did and found. Both runs are in a temporary folder, which is
/// removed.
///
/// Throws Error where a file differs.
void verify_resume(const Settings& settings, int threads);

}  // namespace heed::cli
