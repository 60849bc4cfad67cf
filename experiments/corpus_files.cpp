#include "experiments/corpus_files.h"

#include <filesystem>

#include "datasets/corpora/corpora.h"
#include "framework/error.h"
#include "framework/files.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

/// Throws Error where the file exists, unless it may be replaced. The user has named only a prefix
/// of its name, and may not expect that it is replaced.
void check_free(const CorpusFiles& o, const std::string& path) {
  std::error_code unknown;
  const fs::file_status found = fs::symlink_status(path, unknown);
  if (fs::is_directory(found)) fail("{}: is a folder; give another name", path);
  if (fs::exists(found) && !o.force)
    fail("{}: exists already; give another name, or force to replace it", path);
}

}  // namespace

void CorpusFiles::list(Fields& f) {
  f("lines", lines, between(Index{1}), "number of lines (default: 1000)").option("lines");
  f("seed", seed, between(Index{0}), "seed of the lines (default: 1)").option("seed");
  f("split", split, splits(), "train (default), valid or test; they share no source")
      .option("split");
  f("out", out, any_value(), "PREFIX of the two files").option("out");
  f("force", force, any_value(), "replace files of these names").option("force");
}

void write_corpus(const CorpusFiles& o, const ShouldStop& should_stop) {
  const std::string last = fs::path(o.out).filename().string();
  if (o.out.ends_with('/') || last == "." || last == "..")
    fail("{}: is a folder; say how the files begin too", o.out);
  const std::string name = o.corpus.starts_with("toy:") ? o.corpus.substr(4) : o.corpus;
  const auto pairs = toy::open(name, o.split, static_cast<std::uint64_t>(o.seed));
  const std::string source_path = o.out + ".src";
  const std::string target_path = o.out + ".tgt";
  check_free(o, source_path);
  check_free(o, target_path);
  FileWriter sources(source_path);
  FileWriter targets(target_path);
  for (Index i = 0; i < o.lines; ++i) {
    stop_if(should_stop);
    const Pair pair = pairs->at(i);
    sources.write(pair.source + '\n');
    targets.write(pair.target + '\n');
  }
  sources.commit();
  targets.commit();
}

}  // namespace heed
