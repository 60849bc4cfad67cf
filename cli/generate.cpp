#include <fstream>

#include "cli/commands.h"
#include "datasets/toy/toy.h"
#include "framework/error.h"

namespace heed::cli {

namespace {

struct Options {
  std::string corpus, out, split = "train";
  Index lines = 1000;
  std::uint64_t seed = 1;
};

void write(const std::string& path, const PairSource& pairs, Index lines, std::string Pair::*side) {
  std::ofstream out(path, std::ios::trunc | std::ios::binary);
  for (Index i = 0; i < lines && out; ++i) {
    stop_if_interrupted();
    out << pairs.at(i).*side << '\n';
  }
  out.close();
  if (!out) fail("{}: cannot write; does the folder exist, and is there room?", path);
}

void run_generate(const Options& o) {
  const std::string name = o.corpus.starts_with("toy:") ? o.corpus.substr(4) : o.corpus;
  const Split split = o.split == "train" ? Split::train : o.split == "valid" ? Split::valid : Split::test;
  const auto pairs = toy::open(name, split, o.seed);
  write(o.out + ".src", *pairs, o.lines, &Pair::source);
  write(o.out + ".tgt", *pairs, o.lines, &Pair::target);
}

}  // namespace

void add_generate(CLI::App& app) {
  auto* command = app.add_subcommand("generate", "Write a built-in corpus as PREFIX.src and PREFIX.tgt");
  auto o = std::make_shared<Options>();
  command->add_option("corpus", o->corpus, "toy:translation, toy:summarization, toy:dates, toy:reverse, toy:copy or toy:sort")->required();
  command->add_option("--lines", o->lines, "how many")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--seed", o->seed, "another seed, other lines")->check(CLI::NonNegativeNumber)->capture_default_str();
  command->add_option("--split", o->split, "train, valid or test: no source is in two of them")->check(CLI::IsMember({"train", "valid", "test"}))->capture_default_str();
  command->add_option("--out", o->out, "PREFIX of the two files")->required();
  command->footer("Example:\n  heed generate toy:translation --lines 10 --split test --out sample");
  command->callback([o] { run_generate(*o); });
}

}  // namespace heed::cli
