#include <CLI/CLI.hpp>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/field_options.h"
#include "cli/signals.h"
#include "datasets/corpora/corpora.h"
#include "experiments/corpus_files.h"

namespace heed::cli {

namespace {

struct Options {
  std::string corpus;
  GivenOptions given;
};

std::string corpus_names() {
  std::vector<std::string> lines;
  for (const CorpusKind& kind : corpora().rows())
    lines.push_back(fmt::format("  {:<22}{}", "toy:" + kind.name, kind.help));
  return fmt::format("Corpora:\n{}\n\n", fmt::join(lines, "\n"));
}

}  // namespace

void add_corpus(CLI::App& app) {
  auto* command =
      app.add_subcommand("corpus", "Write a built-in corpus as PREFIX.src and PREFIX.tgt");
  auto o = std::make_shared<Options>();
  command->add_option("corpus", o->corpus, "toy:NAME, one of those below")->required();
  CorpusFiles files;
  add_field_options(command, fields_of(files), o->given);
  command->get_option("--out")->required();
  command->footer(corpus_names() +
                  "Example:\n  heed corpus toy:translation --lines 10 --split test --out sample");
  command->callback([o] {
    CorpusFiles chosen{.corpus = o->corpus, .out = {}};
    set_fields(fields_of(chosen), o->given);
    write_corpus(chosen, interrupted);
  });
}

}  // namespace heed::cli
