#include <iostream>
#include <optional>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/field_options.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "experiments/evaluation.h"
#include "experiments/trained_run.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

struct Options {
  std::string run;
  std::string checkpoint;
  GivenOptions given;  // of EvaluationData
  int threads = 0;
  bool json = false;
};

/// Warns of options that have no effect on this model or these data.
void warn_of_unused(const EvaluationData& on, const CLI::App& command, const Run& run) {
  const auto warn = [&](const char* option, const char* why) {
    if (command.count(option) > 0)
      std::cerr << fmt::format("heed: warning: {} has no effect {}\n", option, why);
  };
  const Task& task = run.settings.task.row();
  if (!task.reads_pairs) {
    for (const char* option : {"--beam", "--lines", "--split", "--fields"})
      warn(option, "on a language model");
    return;
  }
  if (!task.decodes) warn("--beam", "on a model that gives labels");
  if (!is_toy(on.data)) {
    for (const char* option : {"--lines", "--split"})
      warn(option, "on files: it is for built-in corpora");
  }
  if (is_toy(on.data) || on.data.size() == 2)
    warn("--fields", "on this data: it is for a .tsv or a .jsonl");
}

void run_evaluate(const Options& o, const CLI::App& command) {
  set_threads(o.threads);
  std::optional<InterruptAtOnce> nothing_printed(std::in_place);
  EvaluationData on;
  set_fields(fields_of(on), o.given);
  const Run run = open_trained_run(o.run, o.checkpoint);
  const std::vector<EvaluationFigure> figures = evaluate(run, on);
  nothing_printed.reset();
  warn_of_unused(on, command, run);
  std::cout << (o.json ? to_json(figures) : to_text(figures));
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto* command = app.add_subcommand(
      "evaluate",
      "Compute the loss of a trained model, and how good its outputs are: BLEU, chrF, ROUGE and "
      "exact matches, or accuracy, macro F1 and the confusion matrix");
  auto o = std::make_shared<Options>();
  add_run_options(command, o->run, o->checkpoint);
  EvaluationData on;
  add_field_options(command, fields_of(on), o->given);
  add_threads(command, o->threads);
  command->add_flag("--json", o->json, "print one JSON object with all digits");
  command->footer("Example:\n  heed evaluate --run runs/first --data toy:translation");
  command->callback([o, command] { run_evaluate(*o, *command); });
}

}  // namespace heed::cli
