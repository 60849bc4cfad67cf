#include <iostream>
#include <utility>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/field_options.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "experiments/corpus_files.h"
#include "experiments/inference/text_generation.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

struct Options {
  std::string run;
  std::string checkpoint;
  std::string prompt;
  GivenOptions given;  // of GenerateOptions
  int threads = 0;
  bool sample = false;
  std::string corpus;
  GivenOptions given_for_corpus;
};

[[noreturn]] void wrong_usage(const char* message) {
  throw CLI::ParseError(message, CLI::ExitCodes::RequiredError);
}

/// `heed generate toy:NAME`, as the command was called before `heed corpus`.
void write_corpus_as_before(const Options& o) {
  if (!o.given_for_corpus.contains("out")) wrong_usage("--out is required");
  CorpusFiles files{.corpus = o.corpus, .out = {}};
  const Fields fields = fields_of(files);
  set_fields(fields, o.given_for_corpus);
  set_fields(fields, o.given);  // --seed serves both
  write_corpus(files, interrupted);
  std::cerr << fmt::format("heed: note: built-in corpora are written by `heed corpus {}` now\n",
                           o.corpus);
}

void run_generate(const Options& o) {
  if (!o.corpus.empty()) return write_corpus_as_before(o);
  if (!o.given_for_corpus.empty()) wrong_usage("toy:NAME is missing: see `heed corpus`");
  if (o.run.empty()) wrong_usage("--run is required");
  set_threads(o.threads);
  const Run run = open_task_run(o.run, o.checkpoint, "lm", "continue");
  GenerateOptions options;
  set_fields(fields_of(options), o.given);
  options.should_stop = [] { return interrupted() || !std::cout; };
  std::string before = o.prompt;  // printed once something follows
  generate_text(run, o.prompt, options, [&before](std::string_view piece) {
    std::cout << std::exchange(before, "") << piece << std::flush;
  });
  std::cout << before << '\n' << std::flush;
  stop_if_interrupted();
}

}  // namespace

void add_generate(CLI::App& app) {
  auto* command = app.add_subcommand("generate", "Continue a text with a trained language model");
  auto o = std::make_shared<Options>();
  add_run_options(command, o->run, o->checkpoint);
  command->get_option("--run")->required(false);
  command->add_option("--prompt", o->prompt, "the text to continue (default: the end of a line)");
  GenerateOptions options;
  add_field_options(command, fields_of(options), o->given);
  command->add_flag("--sample", o->sample,
                    "draw each token at random by its probability, as it is always done");
  add_threads(command, o->threads);
  command->add_option("corpus", o->corpus,
                      "toy:NAME: what `heed corpus` does, under its former name");
  CorpusFiles files;
  for (const auto& [key, option] :
       add_field_options(command, fields_of(files), o->given_for_corpus))
    if (key != "seed") option->group("With toy:NAME, as `heed corpus`");
  command->footer(
      "Examples:\n  heed generate --run runs/shakespeare --prompt 'ROMEO:' --tokens 400\n"
      "  heed generate --run runs/shakespeare --temperature 0.8 --top-k 10 --seed 3");
  command->callback([o] { run_generate(*o); });
}

}  // namespace heed::cli
