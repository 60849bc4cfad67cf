#pragma once

#include "cli/settings.h"

namespace heed::cli {

/// Trains `settings.train.steps` steps in one go; then again, saved half-way, killed (SIGKILL) and
/// resumed; and compares every file of the two runs to the byte, rows of metrics but for times.
/// Prints what it did and found; throws Error where they differ. Both runs live in a temporary
/// folder and are gone afterwards.
void verify_resume(const Settings& settings, int threads);

}  // namespace heed::cli
