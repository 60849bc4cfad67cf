#pragma once

#include <string>
#include <vector>

#include "experiments/inference/run.h"
#include "experiments/requested_settings.h"

namespace CLI {
class App;
}

// Options that several subcommands have.

namespace heed::cli {

/// --run, which is required, and --checkpoint.
void add_run_options(CLI::App* command, std::string& run, std::string& checkpoint);
/// The same with --run for one run or several, whose models decode together.
void add_run_options(CLI::App* command, std::vector<std::string>& runs, std::string& checkpoint);
/// --threads
void add_threads(CLI::App* command, int& threads);

/// --config, --set, and an option for each setting that has one.
void add_setting_options(CLI::App* command, RequestedSettings& requested);

/// Opens a run of this task, before anything is printed: a signal ends the program at once. Throws
/// Error that names the right command where the run is of another task. `verb`: what the command
/// does.
Run open_task_run(const std::string& folder, const std::string& checkpoint, const std::string& task,
                  const char* verb);
/// The same of one run or, as open_ensemble(), of several.
Run open_task_runs(const std::vector<std::string>& folders, const std::string& checkpoint,
                   const std::string& task, const char* verb);

/// An error where the value is empty, as from a shell variable that is not set; else "".
std::string not_empty(const std::string& value);

}  // namespace heed::cli
