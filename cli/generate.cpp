#include <filesystem>

#include "cli/commands.h"
#include "cli/option_values.h"
#include "cli/signals.h"
#include "datasets/corpora/corpora.h"
#include "framework/error.h"
#include "framework/files.h"

namespace heed::cli {

namespace {

namespace fs = std::filesystem;

struct Options {
  std::string corpus;
  std::string out;
  std::string split = "train";
  Index lines = 1000;
  std::uint64_t seed = 1;
  bool force = false;
};

Split split_of(const std::string& name) {
  if (name == "train") return Split::train;
  return name == "valid" ? Split::valid : Split::test;
}

/// Throws Error where the file exists, without --force. The user has typed only a prefix of its
/// name, and may not expect that it is replaced.
void check_free(const Options& o, const std::string& path) {
  std::error_code unknown;
  const fs::file_status found = fs::symlink_status(path, unknown);
  if (fs::is_directory(found)) fail("{}: is a folder; give another --out", path);
  if (fs::exists(found) && !o.force)
    fail("{}: exists already; give another --out, or --force to replace it", path);
}

void run_generate(const Options& o) {
  if (o.out.ends_with('/')) fail("{}: is a folder; give with --out how the files begin too", o.out);
  const std::string name = o.corpus.starts_with("toy:") ? o.corpus.substr(4) : o.corpus;
  const auto pairs = toy::open(name, split_of(o.split), o.seed);
  const std::string source_path = o.out + ".src";
  const std::string target_path = o.out + ".tgt";
  check_free(o, source_path);
  check_free(o, target_path);
  FileWriter sources(source_path);
  FileWriter targets(target_path);
  for (Index i = 0; i < o.lines; ++i) {
    stop_if_interrupted();
    const Pair pair = pairs->at(i);
    sources.write(pair.source + '\n');
    targets.write(pair.target + '\n');
  }
  sources.commit();
  targets.commit();
}

}  // namespace

void add_generate(CLI::App& app) {
  auto* command =
      app.add_subcommand("generate", "Write a built-in corpus as PREFIX.src and PREFIX.tgt");
  auto o = std::make_shared<Options>();
  command
      ->add_option(
          "corpus", o->corpus,
          "toy:translation, toy:summarization, toy:dates, toy:reverse, toy:copy or toy:sort")
      ->required();
  command->add_option("--lines", o->lines, "number of lines")
      ->transform(whole(1))
      ->capture_default_str();
  command->add_option("--seed", o->seed, "seed of the lines")
      ->transform(whole<std::uint64_t>(0))
      ->capture_default_str();
  command->add_option("--split", o->split, "train, valid or test; they share no source")
      ->check(one_of({"train", "valid", "test"}))
      ->capture_default_str();
  command->add_option("--out", o->out, "PREFIX of the two files")->required();
  command->add_flag("--force", o->force, "replace files of these names");
  command->footer("Example:\n  heed generate toy:translation --lines 10 --split test --out sample");
  command->callback([o] { run_generate(*o); });
}

}  // namespace heed::cli
