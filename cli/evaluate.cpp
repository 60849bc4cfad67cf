#include <iostream>
#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

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

using Figures = std::vector<EvaluationFigure>;

/// Warns of options that have no effect on this model or these data.
void warn_of_unused(const EvaluationData& on, const CLI::App& command, const Run& run) {
  const auto warn = [&](const char* option, const char* why) {
    if (command.count(option) > 0)
      std::cerr << fmt::format("heed: warning: {} has no effect {}\n", option, why);
  };
  if (!run.model->reads_source()) {
    for (const char* option : {"--beam", "--lines", "--split", "--fields"})
      warn(option, "on a language model");
    return;
  }
  if (!is_toy(on.data)) {
    for (const char* option : {"--lines", "--split"})
      warn(option, "on files: it is for built-in corpora");
  }
  if (is_toy(on.data) || on.data.size() == 2)
    warn("--fields", "on this data: it is for a .tsv or a .jsonl");
}

void print_json(const Figures& figures) {
  nlohmann::ordered_json json;
  for (const auto& [name, value] : figures)
    std::visit([&, &key = name](const auto& v) { json[key] = v; }, value);
  std::cout << json.dump() << '\n';
}

/// One line a figure.
void print(const Figures& figures) {
  for (const auto& [name, value] : figures) {
    const std::string label = name == "perplexity_per_character" ? "  a character" : name;
    const double* number = std::get_if<double>(&value);
    if (number && name == "exact")
      std::cout << fmt::format("{:<12} {:.2f} %\n", label, 100 * *number);
    else if (number)
      std::cout << fmt::format("{:<12} {:.4f}\n", label, *number);
    else
      std::cout << fmt::format("{:<12} {}\n", label, to_text(value));
  }
}

void run_evaluate(const Options& o, const CLI::App& command) {
  set_threads(o.threads);
  std::optional<InterruptAtOnce> nothing_printed(std::in_place);
  EvaluationData on;
  set_fields(fields_of(on), o.given);
  const Run run = open_trained_run(o.run, o.checkpoint);
  const Figures figures = evaluate(run, on);
  nothing_printed.reset();
  warn_of_unused(on, command, run);
  if (o.json)
    print_json(figures);
  else
    print(figures);
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto* command = app.add_subcommand(
      "evaluate",
      "Compute loss, perplexity, BLEU, chrF, ROUGE and exact matches of a trained model");
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
