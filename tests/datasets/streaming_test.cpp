#include <fstream>

#include <gtest/gtest.h>

#include "datasets/text/batch.h"
#include "datasets/text/batching.h"
#include "datasets/text/pairs.h"
#include "framework/random.h"
#include "tests/datasets/temporary.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Sanitizers keep freed memory, so the bound below does not hold with them.
constexpr heed::Index many = 100'000;
constexpr bool memory_is_ours = false;
#else
constexpr heed::Index many = 2'000'000;
constexpr bool memory_is_ours = true;
#endif

namespace heed {
namespace {

// The resident memory of this process in KiB, without cached files.
Index resident() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoll(line.substr(6));
  return -1;
}

// The numbers of 3 to 8 words.
void write_corpus(const std::string& source, const std::string& target, Index pairs) {
  std::ofstream sources(source, std::ios::binary);
  std::ofstream targets(target, std::ios::binary);
  std::string from;
  std::string to;
  for (Index i = 0; i < pairs; ++i) {
    for (std::uint64_t word = mix(static_cast<std::uint64_t>(i)), n = 3 + word % 6; n > 0;
         --n, word >>= 9) {
      from += fmt::format("w{} ", word % 500);
      to += fmt::format("v{} ", word % 500);
    }
    from.back() = to.back() = '\n';
    if (from.size() > 1 << 16) {
      sources << std::exchange(from, {});
      targets << std::exchange(to, {});
    }
  }
  sources << from;
  targets << to;
}

struct Streamed {
  // The largest increase in KiB since before the corpus was opened.
  Index pairs = 0;
  Index tokens = 0;
  Index resident = 0;
};

Streamed stream(Index pairs) {
  const TemporaryFolder folder;
  const std::string source = folder.path("source");
  const std::string target = folder.path("target");
  write_corpus(source, target, pairs);
  const std::shared_ptr<const Tokenizer> words =
      train_tokenizer("words", {}, [](const TakeLine& take) {
        for (int i = 0; i < 500; ++i)
          take(fmt::format("w{} v{}", i, i));
      });
  const Index before = resident();
  const auto corpus = open_pairs({source, target}, {}, Split::train, 1);
  EXPECT_EQ(corpus->size(), pairs);
  PairBatches batches(*corpus, words, {.batch_tokens = 4096});
  Streamed result;
  for (Index n = 0; batches.epoch() == 0; ++n) {
    const Batch batch = batches.next();
    result.pairs += static_cast<Index>(batch.lines.size());
    result.tokens += batch.tokens();
    if (n % 64 == 0) result.resident = std::max(result.resident, resident() - before);
  }
  return result;
}

// Memory holds a window of 8,192 pairs, the order of the blocks, and their offsets: some MB for any
// number of pairs.
TEST(Streaming, TwoMillionPairsNeedNoMoreMemoryThanTenThousand) {
  const Streamed few = stream(10'000);
  const Streamed all = stream(many);
  EXPECT_EQ(few.pairs, 10'000);
  EXPECT_EQ(all.pairs, many);
  EXPECT_GT(all.tokens, 11 * many);
  RecordProperty("kib_of_few", static_cast<int>(few.resident));
  RecordProperty("kib_of_all", static_cast<int>(all.resident));
  if (memory_is_ours) {
    EXPECT_LT(all.resident, 24 << 10) << "KiB; of ten thousand pairs: " << few.resident;
  }
}

}  // namespace
}  // namespace heed
