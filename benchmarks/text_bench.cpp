// Times work on text, reading, tokenizing and batching, against the training step that it feeds:
// `small` of train_bench. One JSON line a tokenizer.

#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "benchmarks/cases.h"
#include "datasets/batching.h"
#include "framework/error.h"
#include "framework/kernels/parallel.h"
#include "framework/version.h"

namespace {

using namespace heed;

constexpr Index pairs = 4 * 8192;  // four windows
constexpr Index words = 8000 - first_free_id;
constexpr Index batch_tokens = 2048;  // 64 pairs of 10 to 20 words a side, and their marks

/// Words of two to nine letters, none twice.
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

void measure(const std::string& kind, const PairSource& corpus, double seconds) {
  const Tokenizers tokenizers(train_tokenizer(kind, {.max_size = 8000}, [&](const TakeLine& take) {
    for (Index i = 0; i < corpus.size(); ++i) {
      const Pair pair = corpus.at(i);
      take(pair.source);
      take(pair.target);
    }
  }));
  PairBatches batches(corpus, tokenizers, {.batch_tokens = batch_tokens});
  std::vector<Batch> some;
  const auto start = std::chrono::steady_clock::now();
  Index count = 0;
  Index tokens = 0;
  for (; batches.epoch() == 0; ++count) {
    Batch batch = batches.next();
    tokens += batch.tokens();
    if (count % 64 == 0) some.push_back(std::move(batch));
  }
  const double text = bench::seconds_since(start) / static_cast<double>(count);

  Random random(0);
  bench::TrainingStep step(bench::find_case("small"), random);
  for (int i = 0; i < 3; ++i)
    step(some[0]);
  std::size_t next = 0;
  const double train = bench::median_seconds(seconds, [&] { step(some[next++ % some.size()]); });
  std::cout
      << fmt::format(
             R"({{"engine": "heed {}", "case": "small", "tokenizer": "{}", "threads": {}, "tokens": {:.0f}, "text_ms": {:.3f}, )"
             R"("step_ms": {:.2f}, "share": {:.5f}}})",
             version(), kind, threads(), static_cast<double>(tokens) / static_cast<double>(count),
             text * 1e3, train * 1e3, text / train)
      << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Times reading, tokenizing and batching of text against the training step that it feeds.");
  std::vector<std::string> chosen = tokenizer_kinds();
  int thread_count = 2;
  double seconds = 6;
  app.add_option("--tokenizer", chosen, "tokenizers, separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember(tokenizer_kinds()));
  app.add_option("--threads", thread_count, "threads to compute on")->capture_default_str();
  app.add_option("--seconds", seconds, "how long to measure each training step")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  set_threads(thread_count);
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("heed-text-bench-{}", ::getpid());
  int status = 0;
  try {
    std::filesystem::create_directories(folder);
    Random random(1);
    const std::vector<std::string> vocabulary = make_words(random);
    const std::string source = (folder / "source").string();
    const std::string target = (folder / "target").string();
    write_lines(source, vocabulary, random);
    write_lines(target, vocabulary, random);
    const auto corpus = open_pairs({source, target}, {}, Split::train, 1);
    for (const std::string& kind : chosen)
      measure(kind, *corpus, seconds);
  } catch (const Error& error) {
    std::cerr << "text_bench: error: " << error.what() << '\n';
    status = 1;
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return status;
}
