#include <iostream>
#include <optional>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/field_options.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "experiments/evaluation.h"
#include "experiments/trained_run.h"
#include "experiments/tune_decode.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

struct Options {
  std::vector<std::string> runs;
  std::string checkpoint;
  GivenOptions given;  // of EvaluationData
  int threads = 0;
  bool json = false;
  bool tune = false;
  TuneDecodingOptions tuning;
};

/// Warns of options that have no effect on this model or these data.
void warn_of_unused(const EvaluationData& on, const CLI::App& command, const Run& run) {
  const auto warn = [&](const char* option, const char* why) {
    if (command.count(option) > 0)
      std::cerr << fmt::format("heed: warning: {} has no effect {}\n", option, why);
  };
  const Task& task = run.settings.task.row();
  if (!task.reads_pairs) {
    for (const char* option : {"--beam", "--length-penalty", "--lines", "--split", "--fields"})
      warn(option, "on a language model");
    return;
  }
  if (!task.decodes) {
    warn("--beam", "on a model that gives labels");
    warn("--length-penalty", "on a model that gives labels");
  }
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
  const Run run = open_trained_runs(o.runs, o.checkpoint);
  const std::vector<EvaluationFigure> figures = evaluate(run, on);
  nothing_printed.reset();
  warn_of_unused(on, command, run);
  std::cout << (o.json ? to_json(figures) : to_text(figures));
}

/// Says which decoding is best, and keeps it where there is one run to keep it.
void run_tune(const Options& o) {
  set_threads(o.threads);
  TuneDecodingOptions options = o.tuning;
  EvaluationData on;
  set_fields(fields_of(on), o.given);
  options.data = on.data;
  options.fields = on.fields;
  options.lines = on.lines;
  std::optional<DecodingKeeper> keeper;
  std::optional<InterruptAtOnce> nothing_kept(std::in_place);
  const Run run = open_trained_runs(o.runs, o.checkpoint);
  nothing_kept.reset();  // the keeper tries to write: no signal may leave its file behind
  if (o.runs.size() == 1) keeper.emplace(o.runs[0]);
  nothing_kept.emplace();
  const TunedDecoding tuned = tune_decoding(run, options, {.on_line = [](const std::string& text) {
                                              std::cerr << "heed: " << text << '\n';
                                            }});
  nothing_kept.reset();
  const Index beam = tuned.best.beam;
  const double penalty = tuned.best.length_penalty;
  if (keeper) keeper->keep(beam, penalty);
  if (o.json) {
    std::cout << to_json(tuned, keeper.has_value());
    return;
  }
  std::cout << to_text(tuned);
  if (keeper)
    std::cout << fmt::format("kept in {}; translate and evaluate use it from now on\n",
                             config_path(o.runs[0]).string());
  else
    std::cout << fmt::format(
        "not kept, as there are several runs; give --beam {} --length-penalty {}\n", beam, penalty);
}

/// The options of tuning; `others` are those of evaluating that it excludes.
void add_tuning(CLI::App* command, Options& o, std::initializer_list<CLI::Option*> others) {
  CLI::Option* tune = command->add_flag(
      "--tune-decode", o.tune,
      "instead, choose beam and length penalty on validation data (default: the run's own; never "
      "give a test set), and keep them in the run");
  for (CLI::Option* option : others)
    tune->excludes(option);
  const auto list = [&](const char* name, auto& values, const Range& range, const FieldValue& like,
                        const char* help) {
    command->add_option(name, values, help)
        ->delimiter(',')
        ->transform(checked(range, like))
        ->needs(tune);
  };
  list("--beams", o.tuning.beams, between(Index{1}, Index{1000}), Index{1},
       "with --tune-decode: the beams to try (default: 1,2,4,5,8)");
  list("--length-penalties", o.tuning.length_penalties, between(0.0, 100.0), 0.0,
       "with --tune-decode: the penalties to try (default: 0 to 2 by 0.2)");
  command
      ->add_option("--metric", o.tuning.metric,
                   "with --tune-decode: bleu (default), chrf, or for summaries rouge, the mean of "
                   "ROUGE-1, ROUGE-2 and ROUGE-L")
      ->transform(checked(one_of(tuning_metrics()), std::string()))
      ->needs(tune);
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto* command = app.add_subcommand(
      "evaluate",
      "Compute the loss of a trained model, and how good its outputs are: BLEU, chrF, ROUGE and "
      "exact matches, or accuracy, macro F1 and the confusion matrix");
  auto o = std::make_shared<Options>();
  add_run_options(command, o->runs, o->checkpoint);
  EvaluationData on;
  const auto options = add_field_options(command, fields_of(on), o->given);
  add_threads(command, o->threads);
  command->add_flag("--json", o->json, "print one JSON object with all digits");
  add_tuning(command, *o, {options.at("beam"), options.at("length_penalty"), options.at("split")});
  command->footer(
      "Examples:\n  heed evaluate --run runs/first --data toy:translation\n"
      "  heed evaluate --run runs/a --run runs/b --data test.de test.en\n"
      "  heed evaluate --run runs/first --tune-decode");
  command->callback([o, command] { o->tune ? run_tune(*o) : run_evaluate(*o, *command); });
}

}  // namespace heed::cli
