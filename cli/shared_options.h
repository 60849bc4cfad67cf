#pragma once

#include <string>

#include "experiments/requested_settings.h"

namespace CLI {
class App;
}

// Options that several subcommands have.

namespace heed::cli {

/// --run, which is required, and --checkpoint.
void add_run_options(CLI::App* command, std::string& run, std::string& checkpoint);
/// --threads
void add_threads(CLI::App* command, int& threads);

/// --config, --set, and an option for each setting that has one.
void add_setting_options(CLI::App* command, RequestedSettings& requested);

/// An error where the value is empty, as from a shell variable that is not set; else "".
std::string not_empty(const std::string& value);

}  // namespace heed::cli
