#include <algorithm>
#include <map>
#include <numeric>

#include <gtest/gtest.h>

#include "datasets/corpora/corpora.h"
#include "datasets/text/batch.h"
#include "datasets/text/batching.h"
#include "datasets/text/labels.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"

namespace heed {
namespace {

const std::vector<std::string> classes{"bad", "fine", "good"};

// Text i has i * 7 % 23 + 1 letters, and class i % 3.
Pair pair_of(Index i) {
  return {std::string(static_cast<std::size_t>(i * 7 % 23 + 1), static_cast<char>('a' + i % 26)),
          classes[static_cast<std::size_t>(i % 3)]};
}

MemoryPairs corpus(Index lines) {
  std::vector<Pair> pairs;
  for (Index i = 0; i < lines; ++i)
    pairs.push_back(pair_of(i));
  return MemoryPairs(std::move(pairs), "memory");
}

Tokenizers alphabet() {
  Tokenizers tokenizers(train_tokenizer(
      "characters", {}, [](const TakeLine& take) { take("abcdefghijklmnopqrstuvwxyz"); }));
  tokenizers.labels = std::make_shared<const Labels>(classes);
  return tokenizers;
}

std::vector<Id> row(const Sequences& s, Index i) {
  const Id* begin = s.ids.data() + s.spans.begin(i);
  return {begin, begin + s.spans.length(i)};
}

TEST(LabelledBatches, HoldTextsAndTheirClasses) {
  const Tokenizers tokenizers = alphabet();
  const MemoryPairs pairs(std::vector<Pair>{{"c", "good"}, {"ab", "bad"}});
  const Batch batch = PairBatches(pairs, tokenizers, {}).next();
  const auto id = [&](const char* letter) { return tokenizers.source->vocabulary().id(letter); };
  EXPECT_EQ(batch.lines, (std::vector<Index>{0, 1}));
  EXPECT_EQ(batch.source.ids.to_vector(),
            (std::vector<Id>{id("c"), eos_id, id("a"), id("b"), eos_id}));
  EXPECT_EQ(batch.gold.to_vector(), (std::vector<Id>{2, 0}));
  EXPECT_EQ(batch.target.spans.count(), 0);
  EXPECT_EQ(batch.target.ids.size(), 0);
  EXPECT_FALSE(batch.ignored.has_value());
  EXPECT_EQ(batch.weight(), 2) << "a class of id 0 is a class";
  EXPECT_EQ(batch.tokens(), 5);
}

void expect_texts(const Batch& batch, const Tokenizers& tokenizers) {
  ASSERT_EQ(batch.source.spans.count(), std::ssize(batch.lines));
  ASSERT_EQ(batch.gold.size(), std::ssize(batch.lines));
  for (Index i = 0; i < std::ssize(batch.lines); ++i) {
    const Index line = batch.lines[static_cast<std::size_t>(i)];
    std::vector<Id> source = tokenizers.source->encode(pair_of(line).source);
    source.push_back(eos_id);
    EXPECT_EQ(row(batch.source, i), source);
    EXPECT_EQ(batch.gold.data()[i], line % 3);
  }
}

TEST(LabelledBatches, AnEpochIsEveryTextOnceWithinTheBudget) {
  const Tokenizers tokenizers = alphabet();
  const MemoryPairs pairs = corpus(200);
  PairBatches batches(pairs, tokenizers, {.batch_tokens = 60, .window = 50});
  for (Index epoch = 0; epoch < 2; ++epoch) {
    std::map<Index, int> seen;
    Index count = 0;
    while (batches.epoch() == epoch) {
      const Batch batch = batches.next();
      EXPECT_LE(batch.tokens(), 60);
      expect_texts(batch, tokenizers);
      for (const Index line : batch.lines)
        ++seen[line];
      ++count;
    }
    EXPECT_EQ(seen.size(), 200u);
    EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& entry) { return entry.second == 1; }));
    // The texts have 200 * 13 rows, more or less; labels take none.
    EXPECT_NEAR(static_cast<double>(count), 200 * 13 / 60.0, 12);
  }
  EXPECT_EQ(batches.epochs(), 2);
}

TEST(LabelledBatches, TextsOfABatchHaveSimilarLengths) {
  // 20 texts of each number of rows, 2 to 24. The shortest fill a batch with 2 + 3 + 4 + 5 rows,
  // and 3 texts of 6 rows.
  const MemoryPairs pairs = corpus(23 * 20);
  PairBatches batches(pairs, alphabet(), {.batch_tokens = 300});
  while (batches.epoch() == 0) {
    const Batch batch = batches.next();
    const auto lengths = batch.source.spans.lengths();
    EXPECT_LE(*std::ranges::max_element(lengths) - *std::ranges::min_element(lengths), 4);
  }
}

TEST(LabelledBatches, ResumeAnywhere) {
  const Tokenizers tokenizers = alphabet();
  const MemoryPairs pairs = corpus(100);
  const BatchOptions options{.batch_tokens = 50, .window = 30, .seed = 4};
  PairBatches all(pairs, tokenizers, options);
  for (int i = 0; i < 40; ++i) {
    const auto position = all.position();
    const Batch batch = all.next();
    PairBatches resumed(pairs, tokenizers, options);
    resumed.seek(position);
    const Batch same = resumed.next();
    EXPECT_EQ(batch.lines, same.lines);
    EXPECT_EQ(batch.source.ids.to_vector(), same.source.ids.to_vector());
    EXPECT_EQ(batch.gold.to_vector(), same.gold.to_vector());
  }
}

TEST(LabelledBatches, LimitsAreThoseOfTheTextAlone) {
  const Tokenizers tokenizers = alphabet();
  // 4 tokens, and </s>; the name of the class has more letters.
  const MemoryPairs pairs(std::vector<Pair>{{"abcd", "good"}, {"ab", "fine"}, {"abcdefg", "bad"}});
  struct Row {
    BatchOptions options;
    BatchCounts counts;
    std::vector<Index> lines;
  };
  const Row rows[]{
      {{.max_length = 4}, {.read = 3, .dropped = 1, .first_long = 2}, {1, 0}},
      {{.max_length = 3, .cut = true}, {.read = 3, .cut = 2, .first_long = 0}, {1, 0, 2}},
      {{.max_length = 2}, {.read = 3, .dropped = 2, .first_long = 0}, {1}},
  };
  for (const Row& expected : rows) {
    BatchCounts counts;
    std::vector<Index> lines;
    for (const Batch& batch : all_batches(pairs, tokenizers, expected.options, &counts)) {
      lines.insert(lines.end(), batch.lines.begin(), batch.lines.end());
      EXPECT_EQ(batch.weight(), std::ssize(batch.lines));
    }
    EXPECT_EQ(lines, expected.lines);
    EXPECT_EQ(counts.read, expected.counts.read);
    EXPECT_EQ(counts.dropped, expected.counts.dropped);
    EXPECT_EQ(counts.cut, expected.counts.cut);
    EXPECT_EQ(counts.first_long, expected.counts.first_long);
  }
  PairBatches narrow(pairs, tokenizers, {.batch_tokens = 5, .shuffle = false});
  EXPECT_EQ(narrow.count_epoch(), 2) << "rows of 3 and 5; 8 are over the budget";
  EXPECT_EQ(narrow.counts().over_budget, 1);
}

TEST(LabelledBatches, AnUnknownLabelIsNamedWithItsLine) {
  const TemporaryFolder folder;
  const std::string data = folder.write("valid.tsv", "ab\tgood\n\nabc\tgod\n");
  const auto pairs = open_pairs({data}, {}, Split::train, 1, {.labelled = true});
  const std::string message =
      fmt::format("{}:3: unknown label 'god': expected bad, fine, good; did you mean good?", data);
  EXPECT_EQ(message_of([&] { PairBatches(*pairs, alphabet(), {}).next(); }), message);
  EXPECT_EQ(message_of([&] { all_batches(*pairs, alphabet(), {}); }), message);
  EXPECT_THROW(all_batches(*pairs, alphabet(), {}), UnknownLabel);
}

TEST(LabelledBatches, CopyNoWords) {
  const MemoryPairs pairs = corpus(3);
  EXPECT_EQ(
      message_of([&] { PairBatches(pairs, alphabet(), {.widen = true}); }),
      "[batches] expected no unknown words of labelled texts, as labels copy none; got widen");
}

TEST(LabelledBatches, DrawSegmentationsOfTheTextAlone) {
  const auto pairs = open_pairs({"toy:reviews"}, {}, Split::train, 1, {.labelled = true});
  Tokenizers tokenizers(train_tokenizer("unigram", {.vocab_size = 300}, [&](const TakeLine& take) {
    for (Index i = 0; i < 2000; ++i)
      take(pairs->at(i).source);
  }));
  tokenizers.labels = std::make_shared<const Labels>(Labels::of(*pairs));
  PairBatches batches(*pairs, tokenizers, {.window = 64, .subword_sampling = 0.2});
  int drawn = 0;
  for (int i = 0; i < 2; ++i) {
    const Batch batch = batches.next();
    for (Index j = 0; j < std::ssize(batch.lines); ++j) {
      const Pair pair = pairs->at(batch.lines[static_cast<std::size_t>(j)]);
      EXPECT_EQ(tokenizers.labels->name(batch.gold.data()[j]), pair.target);
      std::vector<Id> ids = row(batch.source, j);
      EXPECT_EQ(ids.back(), eos_id);
      ids.pop_back();
      EXPECT_EQ(tokenizers.source->decode(ids), pair.source);
      drawn += ids != tokenizers.source->encode(pair.source);
    }
  }
  EXPECT_GT(drawn, 10);
}

}  // namespace
}  // namespace heed
