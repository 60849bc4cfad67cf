#pragma once

#include <string>

#include "experiments/training.h"

namespace heed::cli {

/// Throws Error, with the options that help, unless a training can be kept in the folder.
void check_out(const std::string& out, bool resume);

/// Trains as `heed train` does: with its progress on stderr, ended by Ctrl-C, saved by SIGUSR1.
/// Throws Interrupted where it was ended so, after saying how to go on. `options.preparing` and
/// `options.on_tuning` are replaced.
void run_training(const Settings& settings, const std::string& out, TrainingOptions options);

}  // namespace heed::cli
