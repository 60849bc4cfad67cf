// Times the work on text (reading, tokenizing and batching) and the training step that uses it,
// `small` of train_bench. Prints one JSON line for each tokenizer.

#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "benchmarks/cases.h"
#include "datasets/text/batch.h"
#include "datasets/text/batching.h"
#include "datasets/text/tokenizer_kinds.h"
#include "framework/error.h"
#include "framework/threads.h"
#include "framework/version.h"

namespace {

using namespace heed;

constexpr Index pairs = 4 * 8192;  // four windows of PairBatches
constexpr Index words = 8000 - first_free_id;
// 64 pairs of 10 to 20 words on each side, with <s> and </s>.
constexpr Index batch_tokens = 2048;

/// Different words of two to nine letters.
std::vector<std::string> make_words(Random& random) {
  std::set<std::string> all;
  while (static_cast<Index>(all.size()) < words) {
    std::string word;
    for (std::uint64_t n = 2 + random.below(8); n > 0; --n)
      word += static_cast<char>('a' + random.below(26));
    all.insert(word);
  }
  return {all.begin(), all.end()};
}

void write_lines(const std::string& path, const std::vector<std::string>& vocabulary,
                 Random& random) {
  std::ofstream file(path, std::ios::binary);
  for (Index i = 0; i < pairs; ++i) {
    for (std::uint64_t n = 10 + random.below(11); n > 0; --n)
      file << vocabulary[random.below(vocabulary.size())] << (n > 1 ? ' ' : '\n');
  }
  if (!file.flush()) fail("{}: cannot be written", path);
}

/// One epoch of batches: means over all of them, and every 64th batch.
struct Epoch {
  double seconds = 0;  // a batch
  double tokens = 0;   // a batch
  std::vector<Batch> some;
};

Epoch read_epoch(const std::string& kind, const PairSource& corpus) {
  const Tokenizers tokenizers(
      train_tokenizer(kind, {.vocab_size = 8000}, [&](const TakeLine& take) {
        for (Index i = 0; i < corpus.size(); ++i) {
          const Pair pair = corpus.at(i);
          take(pair.source);
          take(pair.target);
        }
      }));
  PairBatches batches(corpus, tokenizers, {.batch_tokens = batch_tokens});
  Epoch epoch;
  const auto start = std::chrono::steady_clock::now();
  Index count = 0;
  Index tokens = 0;
  for (; batches.epoch() == 0; ++count) {
    Batch batch = batches.next();
    tokens += batch.tokens();
    if (count % 64 == 0) epoch.some.push_back(std::move(batch));
  }
  epoch.seconds = bench::seconds_since(start) / static_cast<double>(count);
  epoch.tokens = static_cast<double>(tokens) / static_cast<double>(count);
  return epoch;
}

void measure(const std::string& kind, const PairSource& corpus, double seconds) {
  const Epoch epoch = read_epoch(kind, corpus);
  Random random(0);
  bench::TrainingStep step(bench::find_case("small"), random);
  for (int i = 0; i < 3; ++i)
    step(epoch.some[0]);
  std::size_t next = 0;
  const double step_seconds = bench::median_seconds(seconds, [&] {
    step(epoch.some[next % epoch.some.size()]);
    ++next;
  });
  const std::string line =
      fmt::format(R"({{"engine": "heed {}", "case": "small", "tokenizer": "{}", "threads": {}, )"
                  R"("tokens": {:.0f}, "text_ms": {:.3f}, "step_ms": {:.2f}, "share": {:.5f}}})",
                  version(), kind, threads(), epoch.tokens, epoch.seconds * 1e3, step_seconds * 1e3,
                  epoch.seconds / step_seconds);
  std::cout << line << std::endl;
}

/// Writes a corpus of random words into `folder`, and measures each kind of tokenizer on it.
void measure_all(const std::vector<std::string>& kinds, const std::filesystem::path& folder,
                 double seconds) {
  std::filesystem::create_directories(folder);
  Random random(1);
  const std::vector<std::string> vocabulary = make_words(random);
  const std::string source = (folder / "source").string();
  const std::string target = (folder / "target").string();
  write_lines(source, vocabulary, random);
  write_lines(target, vocabulary, random);
  const auto corpus = open_pairs({source, target}, {}, Split::train, 1);
  for (const std::string& kind : kinds)
    measure(kind, *corpus, seconds);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Compares the time for reading, tokenizing and batching text with the time of the training "
      "step that uses it.");
  std::vector<std::string> chosen = tokenizer_kinds().names();
  int thread_count = 2;
  double seconds = 6;
  app.add_option("--tokenizer", chosen, "tokenizers, separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember(tokenizer_kinds().names()));
  app.add_option("--threads", thread_count, "threads to compute on")->capture_default_str();
  app.add_option("--seconds", seconds, "how long to measure each training step")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  set_threads(thread_count);
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("heed-text-bench-{}", ::getpid());
  int status = 0;
  try {
    measure_all(chosen, folder, seconds);
  } catch (const Error& error) {
    std::cerr << "text_bench: error: " << error.what() << '\n';
    status = 1;
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return status;
}
