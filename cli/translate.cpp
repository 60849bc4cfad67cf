#include <iostream>
#include <optional>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/field_options.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "cli/translated_lines.h"
#include "experiments/inference/attention.h"
#include "experiments/report/attention.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

using CliOptions = std::map<std::string, CLI::Option*>;

/// Throws where options contradict each other.
void check_usage(const TranslateOptions& o) {
  const auto given = [&](const char* key, Index otherwise) {
    const auto found = o.given.find(key);
    return found == o.given.end() ? otherwise : std::get<Index>(found->second);
  };
  const auto wrong_usage = [](const std::string& message) {
    throw CLI::ParseError(message, CLI::ExitCodes::InvalidError);
  };
  const Index least = given("min_length", 0);
  const Index most = given("max_length", least);
  if (least > most)
    wrong_usage(fmt::format("--min-length {} is more than --max-length {}", least, most));
  const Index beam = given("beam", o.nbest.value_or(1));
  if (o.nbest.value_or(1) > beam)
    wrong_usage(
        fmt::format("--nbest {} needs a --beam at least as wide; it is {}", *o.nbest, beam));
}

void run_decoder(const TranslateOptions& o, const char* verb) {
  check_usage(o);
  set_threads(o.threads);
  if (!o.attention.empty()) report::AttentionWriter::check_path(o.attention);
  const Run run = open_task_runs(o.runs, o.checkpoint, "translate", verb);
  LineInput input(STDIN_FILENO, "standard input", interrupted);
  if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
    std::cerr << fmt::format("heed: type what to {}, a line each; Ctrl-D ends\n", verb);
  if (o.score.empty())
    translate_lines(o, run, input);
  else
    score_lines(o, run, input);
}

/// The options of both beam search and sampling, besides those of the list.
std::vector<CLI::Option*> add_output_options(CLI::App* command, TranslateOptions& o) {
  return {command
              ->add_option("--nbest", o.nbest,
                           "print up to N different outputs for each line, the best first (with "
                           "--sample: in the order drawn): rank, score and text between tabs, then "
                           "a blank line")
              ->transform(checked(between(Index{1}, Index{1000})))
              ->type_name("INT:1..1000"),
          command->add_flag("--replace-unk", o.replace_unk,
                            "an <unk> in an output becomes the word of the source that it attended "
                            "to most"),
          command
              ->add_option("--attention", o.attention,
                           "file for the attention weights of each best output: .html (a page), "
                           ".svg (a picture) or .jsonl (the numbers)")
              ->type_name("FILE")};
}

/// Says which options go together.
void relate(const CliOptions& decoding, const CliOptions& drawing,
            const std::vector<CLI::Option*>& output, CLI::Option* sample, CLI::Option* score) {
  sample->excludes(score);
  for (const auto& [key, option] : decoding) {
    option->excludes(score);
    if (key == "beam" || key.ends_with("_penalty")) option->excludes(sample);
  }
  for (const auto& [key, option] : drawing)
    option->needs(sample)->excludes(score);
  for (CLI::Option* option : output)
    option->excludes(score);
}

/// `verb`: the name of the subcommand, and what it does.
CLI::App* add_decoder(CLI::App& app, const char* verb, const char* description) {
  auto* command = app.add_subcommand(verb, description);
  auto o = std::make_shared<TranslateOptions>();
  add_run_options(command, o->runs, o->checkpoint);
  DecodeOptions decode;
  Fields sampling;
  decode.list_sampling(sampling);
  const CliOptions decoding = add_field_options(command, fields_of(decode), o->given);
  CLI::Option* sample = command->add_flag(
      "--sample", o->sample, "draw outputs at random by their probability, instead of beam search");
  const CliOptions drawing = add_field_options(command, sampling, o->given);
  const std::vector<CLI::Option*> output = add_output_options(command, *o);
  CLI::Option* score =
      command
          ->add_option("--score", o->score,
                       "instead of decoding, score the lines of FILE as outputs of the lines read: "
                       "prints the log probability of each, a tab, and its number of tokens with "
                       "</s>")
          ->type_name("FILE");
  add_threads(command, o->threads);
  for (const auto& [key, option] : decoding)
    option->description(option->get_description() + " (default: the run's)");
  for (const auto& [key, option] : drawing)
    option->description("with --sample: " + option->get_description());
  relate(decoding, drawing, output, sample, score);
  command->callback([o, verb] { run_decoder(*o, verb); });
  return command;
}

}  // namespace

void add_translate(CLI::App& app) {
  add_decoder(app, "translate",
              "Translate standard input with a trained model, line by line, in order")
      ->footer(
          "Examples:\n  echo 'The old sailor hides the keys.' | heed translate --run runs/first\n"
          "  heed translate --run runs/de-en --beam 8 < test.de > test.hyp\n"
          "  heed translate --run runs/a --run runs/b < test.de > test.hyp\n"
          "  heed translate --run runs/de-en --sample --top-p 0.9 --nbest 5 < test.de\n"
          "  heed translate --run runs/de-en --score test.hyp < test.de\n"
          "  echo 'The old sailor hides the keys.' | heed translate --run runs/first --attention "
          "page.html");
}

void add_summarize(CLI::App& app) {
  add_decoder(app, "summarize",
              "Summarize standard input, one document per line, with a trained model")
      ->footer(
          "Examples:\n  heed summarize --run runs/news < documents.txt > summaries.txt\n"
          "  heed summarize --run runs/news --no-repeat-ngram 3 --min-length 10 --coverage-penalty "
          "0.2 < documents.txt\n"
          "  heed summarize --run runs/news --score summaries.txt < documents.txt");
}

}  // namespace heed::cli
