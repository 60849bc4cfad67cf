#include "cli/shared_options.h"

#include <map>

#include <CLI/CLI.hpp>

#include "cli/field_options.h"
#include "cli/signals.h"
#include "experiments/inference/ensemble.h"
#include "experiments/trained_run.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

void add_checkpoint(CLI::App* command, std::string& checkpoint) {
  command->add_option("--checkpoint", checkpoint,
                      "last, best or one such as step-000400 (default: best, else last)");
}

}  // namespace

void add_run_options(CLI::App* command, std::string& run, std::string& checkpoint) {
  command->add_option("--run", run, "folder that `heed train --out` wrote")->required();
  add_checkpoint(command, checkpoint);
}

void add_run_options(CLI::App* command, std::vector<std::string>& runs, std::string& checkpoint) {
  command
      ->add_option("--run", runs,
                   "folder that `heed train --out` wrote; may be repeated: the models decode "
                   "together, each token with the mean of its probabilities")
      ->required()
      ->allow_extra_args(false)  // one folder after each --run
      ->type_name("TEXT");
  add_checkpoint(command, checkpoint);
}

void add_threads(CLI::App* command, int& threads) {
  const Range range = between(Index{0}, Index{most_threads});
  command
      ->add_option("--threads", threads,
                   "number of threads (0: one per core); it does not change the results")
      ->transform(checked(range))
      ->type_name("INT:" + range.brief());
}

void add_setting_options(CLI::App* command, RequestedSettings& requested) {
  const Settings usual;
  add_field_options(command, usual.fields(), requested.values,
                    {"data.", "model.", "task.", "train."});
  command->add_option("--config", requested.config, "settings from a TOML file");
  command
      ->add_option("--set", requested.assignments,
                   "a setting, key=value, as in config.toml; may be repeated")
      ->expected(1)
      ->take_all();
}

namespace {

/// Throws Error that names the right command where the run is of another task.
void check_task(const Run& run, const std::string& folder, const std::string& task,
                const char* verb) {
  const std::string& of_run = run.settings.task.name;
  if (of_run == task) return;
  struct Use {
    const char* model;
    const char* command;
  };
  static const std::map<std::string, Use> uses = {
      {"translate", {"a model from text to text", "heed translate"}},
      {"classify", {"a model that gives labels", "heed predict"}},
      {"lm", {"a language model", "heed generate"}}};
  const auto found = uses.find(of_run);
  if (found == uses.end()) fail("{}: its task is {}; it has nothing to {}", folder, of_run, verb);
  const Use& use = found->second;
  fail("{}: {}; it has nothing to {}; see `{}`", folder, use.model, verb, use.command);
}

}  // namespace

Run open_task_runs(const std::vector<std::string>& folders, const std::string& checkpoint,
                   const std::string& task, const char* verb) {
  const InterruptAtOnce nothing_printed;
  std::vector<Run> runs;
  for (const std::string& folder : folders) {
    runs.push_back(open_trained_run(folder, checkpoint));
    check_task(runs.back(), folder, task, verb);
  }
  return ensemble_of(std::move(runs), folders);
}

Run open_task_run(const std::string& folder, const std::string& checkpoint, const std::string& task,
                  const char* verb) {
  return open_task_runs({folder}, checkpoint, task, verb);
}

std::string not_empty(const std::string& value) {
  return value.empty() ? "is empty; give a value" : "";
}

}  // namespace heed::cli
