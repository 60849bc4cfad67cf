#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "experiments/inference/line_input.h"
#include "experiments/inference/run.h"
#include "experiments/inference/tokenizer_files.h"

namespace heed::cli {

namespace {

struct Options {
  std::string run;
  bool target = false;
  bool ids = false;
};

/// Tokens of blanks alone become marks, so that they can be told from the blanks between tokens.
std::vector<std::string> visible(std::vector<std::string> tokens) {
  for (std::string& token : tokens)
    if (token.find_first_not_of(' ') == std::string::npos) token = "▁";
  return tokens;
}

void print(const Options& o, const Tokenizer& tokenizer, const std::string& line) {
  if (o.ids)
    std::cout << fmt::format("{}\n", fmt::join(tokenizer.encode(line), " "));
  else
    std::cout << fmt::format("{}\n", fmt::join(visible(tokenizer.tokens(line)), " "));
}

void run_tokenize(const Options& o) {
  read_config(o.run);  // says what is wrong where it is not a run
  const Tokenizers tokenizers = load_tokenizers(o.run);
  if (!tokenizers.source)
    fail("{}: holds no tokenizer.json; a model that reads no texts has none", o.run);
  const Tokenizer& tokenizer = o.target ? *tokenizers.target : *tokenizers.source;
  LineInput input(STDIN_FILENO, "standard input", interrupted);
  for (auto lines = input.lines(); !lines.empty(); lines = input.lines()) {
    for (const std::string& line : lines)
      print(o, tokenizer, line);
    flush_output();
  }
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto* command = app.add_subcommand(
      "tokenize", "Show how a run cuts the lines of standard input into tokens, blanks between");
  auto o = std::make_shared<Options>();
  command->add_option("--run", o->run, "folder that `heed train --out` wrote")->required();
  command->add_flag("--target", o->target, "cut as a target is (where both sides differ)");
  command->add_flag("--ids", o->ids, "print the numbers of the tokens; 3 is <unk>");
  command->footer(
      "Example:\n  echo 'The old sailor hides the keys.' | heed tokenize --run runs/first");
  command->callback([o] { run_tokenize(*o); });
}

}  // namespace heed::cli
