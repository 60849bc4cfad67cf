#include "cli/shared_options.h"

#include <map>

#include <CLI/CLI.hpp>

#include "cli/field_options.h"
#include "cli/signals.h"
#include "experiments/trained_run.h"
#include "framework/threads.h"

namespace heed::cli {

void add_run_options(CLI::App* command, std::string& run, std::string& checkpoint) {
  command->add_option("--run", run, "folder that `heed train --out` wrote")->required();
  command->add_option("--checkpoint", checkpoint,
                      "last, best or one such as step-000400 (default: best, else last)");
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

Run open_task_run(const std::string& folder, const std::string& checkpoint, const std::string& task,
                  const char* verb) {
  const InterruptAtOnce nothing_printed;
  Run run = open_trained_run(folder, checkpoint);
  const std::string& of_run = run.settings.task.name;
  if (of_run == task) return run;
  struct Use {
    const char* model;
    const char* command;
  };
  static const std::map<std::string, Use> uses = {
      {"translate", {"a model from text to text", "heed translate"}},
      {"classify", {"a model from text to label", "heed predict"}},
      {"lm", {"a language model", "heed generate"}}};
  const auto found = uses.find(of_run);
  if (found == uses.end()) fail("{}: its task is {}; it has nothing to {}", folder, of_run, verb);
  const Use& use = found->second;
  fail("{}: {}; it has nothing to {}; see `{}`", folder, use.model, verb, use.command);
}

std::string not_empty(const std::string& value) {
  return value.empty() ? "is empty; give a value" : "";
}

}  // namespace heed::cli
