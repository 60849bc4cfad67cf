#include <iostream>
#include <optional>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/cut_warning.h"
#include "cli/field_options.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "experiments/inference/line_input.h"
#include "experiments/inference/prediction.h"
#include "experiments/report/attention.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

struct Options {
  std::string run;
  std::string checkpoint;
  std::string attention;
  std::optional<Index> nbest;
  int threads = 0;
};

void predict_lines(const Options& o, const Run& run) {
  const Classifier& model = model_as<Classifier>(*run.model);
  std::optional<report::AttentionWriter> attention;
  if (!o.attention.empty()) attention.emplace(o.attention);
  LineInput input(STDIN_FILENO, "standard input", interrupted);
  CutWarning warning(run.tokenizers, model.longest());
  std::size_t done = 0;
  for (auto lines = input.lines(); !lines.empty(); lines = input.lines()) {
    warning.check(lines, done);
    std::vector<AttendedLine> attended;
    const PredictedLines found =
        predict_readable(model, run.tokenizers, lines, attention ? &attended : nullptr);
    for (const auto& classes : found.classes)
      std::cout << to_lines(classes, o.nbest);
    for (const AttendedLine& line : attended)
      attention->add(line);
    if (!found.error.empty())
      fail("standard input:{}: {}", done + found.classes.size() + 1, found.error);
    done += lines.size();
    flush_output();
  }
  if (attention) attention->close();
}

void run_predict(const Options& o) {
  set_threads(o.threads);
  if (!o.attention.empty()) report::AttentionWriter::check_path(o.attention);
  const Run run = open_task_run(o.run, o.checkpoint, "classify", "label");
  if (!o.attention.empty() && !model_as<Classifier>(*run.model).attends())
    fail(
        "{}: a model with task.pool = {} pools without weights; train one with task.pool = "
        "attention",
        o.run, setting_text(run.settings, "task.pool"));
  if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
    std::cerr << "heed: type what to label, a line each; Ctrl-D ends\n";
  predict_lines(o, run);
}

}  // namespace

void add_predict(CLI::App& app) {
  auto* command = app.add_subcommand("predict",
                                     "Label standard input with a trained model, line by line: "
                                     "label, tab, probability. A line is a text, or "
                                     "the name of a picture");
  auto o = std::make_shared<Options>();
  add_run_options(command, o->run, o->checkpoint);
  command
      ->add_option("--nbest", o->nbest,
                   "print the N most probable labels of each line: rank, label and probability "
                   "between tabs, then a blank line")
      ->transform(checked(between(Index{1}, Index{10000})))
      ->type_name("INT:1..10000");
  command->add_option("--attention", o->attention,
                      "file for the weights by which each line's tokens, or the parts of its "
                      "picture, were pooled: .html (a page), .svg (pictures) or .jsonl (numbers); "
                      "needs task.pool = attention");
  add_threads(command, o->threads);
  command->footer(
      "Examples:\n  echo 'not at all good' | heed predict --run runs/reviews\n"
      "  heed predict --run runs/reviews --nbest 2 --attention page.html < reviews.txt\n"
      "  ls photos/*.png | heed predict --run runs/shapes");
  command->callback([o] { run_predict(*o); });
}

}  // namespace heed::cli
