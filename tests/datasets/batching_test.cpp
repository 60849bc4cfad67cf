#include "datasets/text/batching.h"

#include <algorithm>
#include <map>
#include <numeric>

#include <gtest/gtest.h>

#include "datasets/text/batch.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

std::string letters(Index length, Index which) {
  return std::string(static_cast<std::size_t>(length), static_cast<char>('a' + which % 26));
}

// Line i has i * 7 % 23 + 1 source and i * 5 % 19 + 1 target tokens, by characters.
Pair pair_of(Index i) { return {letters(i * 7 % 23 + 1, i), letters(i * 5 % 19 + 1, i + 1)}; }

MemoryPairs corpus(Index lines) {
  std::vector<Pair> pairs;
  for (Index i = 0; i < lines; ++i)
    pairs.push_back(pair_of(i));
  return MemoryPairs(std::move(pairs), "memory");
}

struct Endless final : PairSource {
  Index size() const override { return -1; }
  Pair at(Index i) const override { return pair_of(i); }
  std::string name() const override { return "endless"; }
};

std::shared_ptr<const Tokenizer> alphabet() {
  return train_tokenizer("characters", {},
                         [](const TakeLine& take) { take("abcdefghijklmnopqrstuvwxyz"); });
}

std::vector<Id> row(const Sequences& s, Index i) {
  const Id* begin = s.ids.data() + s.spans.begin(i);
  return {begin, begin + s.spans.length(i)};
}

void expect_equal(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.lines, b.lines);
  EXPECT_EQ(a.source.ids.to_vector(), b.source.ids.to_vector());
  EXPECT_EQ(a.target.ids.to_vector(), b.target.ids.to_vector());
  EXPECT_EQ(a.gold.to_vector(), b.gold.to_vector());
  EXPECT_TRUE(std::ranges::equal(a.source.spans.lengths(), b.source.spans.lengths()));
  EXPECT_TRUE(std::ranges::equal(a.target.spans.lengths(), b.target.spans.lengths()));
}

TEST(PairBatches, MarksSourceTargetAndGold) {
  const auto tokenizer = alphabet();
  const MemoryPairs pairs(std::vector<Pair>{{"ab", "c"}});
  const Batch batch = PairBatches(pairs, tokenizer, {}).next();
  const Id a = tokenizer->vocabulary().id("a");
  const Id b = tokenizer->vocabulary().id("b");
  const Id c = tokenizer->vocabulary().id("c");
  EXPECT_EQ(batch.source.ids.to_vector(), (std::vector<Id>{a, b, eos_id}));
  EXPECT_EQ(batch.target.ids.to_vector(), (std::vector<Id>{bos_id, c}));
  EXPECT_EQ(batch.gold.to_vector(), (std::vector<Id>{c, eos_id}));
  EXPECT_EQ(batch.lines, std::vector<Index>{0});
}

struct Case {
  Index lines;
  Index batch_tokens;
  Index window;
  bool shuffle;
};

TEST(PairBatches, AnEpochIsEveryLineOnceWithinTheBudget) {
  const auto tokenizer = alphabet();
  for (const Case& c : {Case{1, 4096, 8192, true}, Case{100, 60, 8192, true},
                        Case{100, 60, 7, true}, Case{100, 60, 7, false}, Case{1000, 200, 100, true},
                        Case{64, 4096, 64, true}, Case{50, 44, 1, true}}) {
    const MemoryPairs pairs = corpus(c.lines);
    PairBatches batches(
        pairs, tokenizer,
        {.batch_tokens = c.batch_tokens, .window = c.window, .seed = 3, .shuffle = c.shuffle});
    for (Index epoch = 0; epoch < 3; ++epoch) {
      std::map<Index, int> seen;
      while (batches.epoch() == epoch) {
        const Batch batch = batches.next();
        EXPECT_LE(batch.tokens(), c.batch_tokens);
        EXPECT_EQ(batch.source.spans.count(), static_cast<Index>(batch.lines.size()));
        for (std::size_t i = 0; i < batch.lines.size(); ++i) {
          ++seen[batch.lines[i]];
          const Pair pair = pair_of(batch.lines[i]);
          std::vector<Id> source = tokenizer->encode(pair.source);
          std::vector<Id> target = tokenizer->encode(pair.target);
          std::vector<Id> gold = target;
          source.push_back(eos_id);
          target.insert(target.begin(), bos_id);
          gold.push_back(eos_id);
          EXPECT_EQ(row(batch.source, static_cast<Index>(i)), source);
          EXPECT_EQ(row(batch.target, static_cast<Index>(i)), target);
          EXPECT_EQ(row({batch.gold, batch.target.spans}, static_cast<Index>(i)), gold);
        }
      }
      EXPECT_EQ(static_cast<Index>(seen.size()), c.lines);
      EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& entry) { return entry.second == 1; }));
      EXPECT_EQ(batches.counts().dropped, 0);
      EXPECT_EQ(batches.counts().read, c.lines);
    }
  }
}

TEST(PairBatches, LengthsAreSimilarWithinABatch) {
  const auto tokenizer = alphabet();
  const MemoryPairs pairs = corpus(23 * 19 * 4);  // four lines of each couple of lengths
  PairBatches batches(pairs, tokenizer, {.batch_tokens = 400});
  while (batches.epoch() == 0) {
    const Batch batch = batches.next();  // owns what lengths looks at
    const auto lengths = batch.target.spans.lengths();
    EXPECT_LE(*std::ranges::max_element(lengths) - *std::ranges::min_element(lengths), 1);
  }
}

TEST(PairBatches, EpochsAndSeedsDiffer) {
  const auto tokenizer = alphabet();
  const MemoryPairs pairs = corpus(200);
  const auto order = [&](std::uint64_t seed, Index epoch) {
    PairBatches batches(pairs, tokenizer, {.batch_tokens = 100, .window = 40, .seed = seed});
    batches.seek(std::vector<std::int64_t>{epoch, 0, 0});
    std::vector<Index> lines;
    while (batches.epoch() == epoch) {
      const Batch batch = batches.next();
      lines.insert(lines.end(), batch.lines.begin(), batch.lines.end());
    }
    return lines;
  };
  EXPECT_EQ(order(1, 0), order(1, 0));
  EXPECT_NE(order(1, 0), order(1, 1));
  EXPECT_NE(order(1, 0), order(2, 0));
}

TEST(PairBatches, ACutSourceIsNotCopiedFromPastItsEnd) {
  const Tokenizers words(train_tokenizer("words", {}, [](const TakeLine& take) { take("known"); }));
  const MemoryPairs pairs(std::vector<Pair>{{"Ada Bob known Cy", "Cy Bob known Ada"}});
  PairBatches batches(pairs, words, {.max_length = 3, .cut = true, .widen = true});
  const Id ada = static_cast<Id>(words.target->size());
  const Id bob = ada + 1;
  const Id known = words.target->vocabulary().id("known");
  const Batch batch = batches.next();
  EXPECT_EQ(row(batch.source, 0), (std::vector<Id>{ada, bob, known, eos_id}));
  EXPECT_EQ(batch.gold.to_vector(), (std::vector<Id>{unk_id, bob, known, eos_id}));
}

// Pairs in blocks. Records which pairs are read.
struct Blocks final : PairSource {
  Index lines;
  Index width;
  mutable std::vector<Index> asked;
  mutable std::map<Index, int> announced;
  Blocks(Index n, Index b) : lines(n), width(b) {}
  Index size() const override { return lines; }
  Pair at(Index i) const override { return asked.push_back(i), pair_of(i); }
  std::string name() const override { return "blocks"; }
  Index block() const override { return width; }
  void will_need(Index first, Index count) const override {
    for (Index i = first; i < std::min(first + count, lines); ++i)
      ++announced[i];
  }
};

TEST(PairBatches, ResumesAnywhere) {
  const auto tokenizer = alphabet();
  const MemoryPairs finite = corpus(150);
  const Endless endless;
  const Blocks blocks(150, 8);
  for (const PairSource* pairs :
       std::initializer_list<const PairSource*>{&finite, &endless, &blocks}) {
    const BatchOptions options{.batch_tokens = 90, .max_length = 20, .window = 32, .seed = 5};
    PairBatches whole(*pairs, tokenizer, options);
    PairBatches other(*pairs, tokenizer, options);
    std::vector<std::vector<std::int64_t>> positions;
    std::vector<Batch> expected;
    for (int i = 0; i < 120; ++i) {
      positions.push_back(whole.position());
      expected.push_back(whole.next());
    }
    for (std::size_t start = 0; start < positions.size(); start += 7) {
      PairBatches fresh(*pairs, tokenizer, options);
      fresh.seek(positions[start]);
      other.seek(positions[start]);
      for (std::size_t i = start; i < std::min(start + 12, positions.size()); ++i) {
        EXPECT_EQ(fresh.position(), positions[i]);
        expect_equal(fresh.next(), expected[i]);
        expect_equal(other.next(), expected[i]);
      }
    }
  }
}

TEST(PairBatches, CountsTheBatchesOfAnEpoch) {
  const auto tokenizer = alphabet();
  const MemoryPairs pairs = corpus(150);
  PairBatches batches(pairs, tokenizer,
                      {.batch_tokens = 90, .max_length = 20, .window = 32, .seed = 5});
  for (int i = 0; i < 9; ++i)
    batches.next();
  const auto position = batches.position();
  BatchCounts counts;
  const Index expected = batches.count_epoch(&counts);
  EXPECT_EQ(batches.position(), position);
  batches.seek(std::vector<std::int64_t>{0, 0, 0});
  Index given = 0;
  for (; batches.epoch() == 0; ++given)
    batches.next();
  EXPECT_EQ(given, expected);
  EXPECT_EQ(counts.read, 150);
  EXPECT_GT(counts.dropped, 0);
  EXPECT_EQ(batches.counts().dropped, counts.dropped);
}

TEST(PairBatches, WhatIsTooLongIsCountedWithoutMakingBatches) {
  const auto tokenizer = alphabet();
  const MemoryPairs pairs = corpus(150);  // up to 23 letters
  for (const Index max_length : {0, 3, 9, 20, 30}) {
    for (const bool cut : {false, true}) {
      const BatchOptions options{
          .batch_tokens = 35, .max_length = max_length, .cut = cut, .window = 400};
      BatchCounts whole;
      PairBatches(pairs, tokenizer, options).count_epoch(&whole);
      const BatchCounts counts = count_pairs(pairs, tokenizer, options);
      EXPECT_EQ(counts.read, 150);
      EXPECT_EQ(counts.dropped, whole.dropped);
      EXPECT_EQ(counts.cut, whole.cut);
      EXPECT_EQ(counts.over_budget, whole.over_budget);
      EXPECT_EQ(counts.first_long, whole.first_long);
    }
  }
  EXPECT_EQ(count_pairs(pairs, tokenizer, {.batch_tokens = 900, .max_length = 22}).first_long,
            13);  // 13 * 7 % 23 + 1 = 23
}

TEST(PairBatches, EndlessCorporaAreReadInTurn) {
  const auto tokenizer = alphabet();
  const Endless endless;
  PairBatches batches(endless, tokenizer, {.batch_tokens = 4096, .window = 10});
  for (Index window = 0; window < 5; ++window) {  // ten short pairs fit one batch
    std::vector<Index> lines = batches.next().lines;
    std::vector<Index> expected(10);
    std::ranges::sort(lines);
    std::iota(expected.begin(), expected.end(), window * 10);
    EXPECT_EQ(lines, expected);
  }
}

TEST(PairBatches, DropsAndCountsWhatIsTooLong) {
  const auto tokenizer = alphabet();
  const MemoryPairs pairs({{"aaaa", "b"}, {"aaa", "b"}, {"a", "bbbb"}, {"a", "b"}, {"aaa", "bbb"}});
  const std::tuple<BatchOptions, std::vector<Index>> rows[]{
      {{.max_length = 3}, {1, 3, 4}},
      {{.max_length = 0}, {0, 1, 2, 3, 4}},
      // 4 + 1 tokens and two marks; 3 + 3 and two marks are 8
      {{.batch_tokens = 7, .max_length = 0}, {0, 1, 2, 3}},
      {{.max_length = 1}, {3}},
  };
  for (const auto& [options, kept] : rows) {
    PairBatches batches(pairs, tokenizer, options);
    std::vector<Index> lines;
    while (batches.epoch() == 0)
      for (Index i : batches.next().lines)
        lines.push_back(i);
    std::ranges::sort(lines);
    EXPECT_EQ(lines, kept);
    EXPECT_EQ(batches.counts().dropped, 5 - static_cast<Index>(kept.size()));
    EXPECT_EQ(batches.counts().cut, 0);
  }
}

TEST(PairBatches, CutsAndCountsWhatIsTooLong) {
  const auto tokenizer = alphabet();
  const MemoryPairs pairs(
      {{"aaaa", "b"}, {"aaa", "b"}, {"a", "bbbb"}, {"a", "b"}, {"aaaaa", "bbbbb"}});
  PairBatches batches(pairs, tokenizer, {.max_length = 3, .cut = true});
  const Batch batch = batches.next();
  std::map<Index, std::pair<Index, Index>> lengths;
  for (Index i = 0; i < 5; ++i)
    lengths[batch.lines[i]] = {batch.source.spans.length(i) - 1, batch.target.spans.length(i) - 1};
  EXPECT_EQ(lengths, (std::map<Index, std::pair<Index, Index>>{
                         {0, {3, 1}}, {1, {3, 1}}, {2, {1, 3}}, {3, {1, 1}}, {4, {3, 3}}}));
  EXPECT_EQ(batches.counts().read, 5);
  EXPECT_EQ(batches.counts().cut, 3);
  EXPECT_EQ(batches.counts().dropped, 0);

  // 3 + 3 and two marks are 8
  PairBatches narrow(pairs, tokenizer, {.batch_tokens = 7, .max_length = 3, .cut = true});
  BatchCounts counts;
  EXPECT_GT(narrow.count_epoch(&counts), 1);
  EXPECT_EQ(counts.dropped, 1);
  EXPECT_EQ(counts.cut, 2);
  all_batches(pairs, tokenizer, {.max_length = 3, .cut = true}, &counts);
  EXPECT_EQ(counts.cut, 3);
}

TEST(PairBatches, ReadsBlocksInTurnAndMixesThem) {
  const auto tokenizer = alphabet();
  for (const Case& c :
       {Case{1000, 90, 128, true}, Case{1000, 90, 128, false}, Case{1003, 90, 100, true},
        Case{100, 90, 7, true}, Case{10, 90, 8192, true}}) {
    const Blocks blocks(c.lines, 16);
    PairBatches batches(
        blocks, tokenizer,
        {.batch_tokens = c.batch_tokens, .window = c.window, .seed = 3, .shuffle = c.shuffle});
    std::vector<Index> first;
    for (Index epoch = 0; epoch < 2; ++epoch) {
      blocks.asked.clear();
      blocks.announced.clear();
      std::vector<Index> lines;
      std::vector<Index> expected(static_cast<std::size_t>(c.lines));
      while (batches.epoch() == epoch)
        for (Index i : batches.next().lines)
          lines.push_back(i);
      for (std::size_t i = 1; i < blocks.asked.size();
           ++i)  // within a block, in the order of the file
        if (blocks.asked[i] % 16 != 0) {
          EXPECT_EQ(blocks.asked[i], blocks.asked[i - 1] + 1);
        }
      EXPECT_EQ(std::ranges::is_sorted(blocks.asked), !c.shuffle || c.lines == 10);
      const auto window = static_cast<std::size_t>(std::max<Index>(c.window / 16, 1) * 16);
      for (std::size_t i = window + 16; i < blocks.asked.size(); ++i)
        EXPECT_EQ(blocks.announced[blocks.asked[i]], 1) << i;
      if (epoch == 0) first = lines;
      if (epoch == 1 && c.lines > 10) {
        EXPECT_EQ(lines == first, !c.shuffle);
      }
      std::ranges::sort(lines);
      std::iota(expected.begin(), expected.end(), Index{0});
      EXPECT_EQ(lines, expected);
    }
  }
}

TEST(PairBatches, LinesOfOneLengthAreMixedToo) {
  const auto tokenizer = alphabet();
  struct Alike final : PairSource {
    Index size() const override { return 256; }
    Pair at(Index) const override { return {"ab", "cd"}; }
    std::string name() const override { return "alike"; }
    Index block() const override { return 64; }
  } const alike;
  PairBatches batches(alike, tokenizer, {.batch_tokens = 48});  // eight pairs a batch
  Index neighbours = 0;
  while (batches.epoch() == 0) {
    const Batch batch = batches.next();
    for (std::size_t i = 1; i < batch.lines.size(); ++i)
      neighbours += batch.lines[i] == batch.lines[i - 1] + 1;
  }
  EXPECT_LT(neighbours, 16);
}

TEST(PairBatches, RefusesWhatCannotWork) {
  const auto tokenizer = alphabet();
  const MemoryPairs pairs = corpus(30);
  const MemoryPairs none(std::vector<Pair>{});
  const Endless endless;
  const TemporaryFolder folder;
  const std::string dropped =
      ": every pair is longer than max_length = 200 or batch_tokens = 1 allow";
  const BatchOptions tiny{.batch_tokens = 1, .max_length = 200, .window = 4};
  const auto make = [&](const PairSource& source, const BatchOptions& options) {
    return folder.message([&] { PairBatches(source, tokenizer, options).next(); });
  };
  const auto seek = [&](const std::vector<std::int64_t>& position) {
    return folder.message([&] { PairBatches(pairs, tokenizer, {.window = 10}).seek(position); });
  };
  EXPECT_EQ(make(pairs, tiny), "memory" + dropped);
  EXPECT_EQ(make(endless, tiny), "endless" + dropped);
  EXPECT_EQ(make(none, {}), "[batches] expected at least one pair; memory has none");
  EXPECT_EQ(make(pairs, {.batch_tokens = 0}),
            "[batches] expected batch_tokens of at least 1; got 0");
  EXPECT_EQ(make(pairs, {.max_length = -1}),
            "[batches] expected max_length of at least 0 (no limit); got -1");
  EXPECT_EQ(make(pairs, {.window = 0}), "[batches] expected window of at least 1; got 0");
  EXPECT_EQ(seek({0, 2, 0}), "no error");
  EXPECT_EQ(seek({0, 3, 0}),
            "memory: has 3 windows of 10 pairs, the position to resume at is in window 3 (from 0); "
            "give the data and data.window "
            "of the first run");
  EXPECT_EQ(seek({0, -1, 0}),
            "[batches] expected a position of three numbers from 0 on, epoch, window and batch; "
            "got (0, -1, 0)");
  EXPECT_EQ(
      seek({1}),
      "[batches] expected a position of three numbers from 0 on, epoch, window and batch; got (1)");
  EXPECT_EQ(folder.message([&] { all_batches(endless, tokenizer, {}); }),
            "[batches] expected a finite corpus; endless has no end");
}

TEST(AllBatches, EveryLineOnceShortestFirst) {
  const auto tokenizer = alphabet();
  const MemoryPairs pairs = corpus(300);
  BatchCounts counts;
  Index before = 0;
  std::vector<Index> lines;
  std::vector<Index> expected(300);
  for (const Batch& batch :
       all_batches(pairs, tokenizer, {.batch_tokens = 100, .window = 10}, &counts)) {
    EXPECT_LE(batch.tokens(), 100);
    for (Index i = 0; i < batch.target.spans.count(); ++i) {
      EXPECT_GE(batch.target.spans.length(i), before);
      before = batch.target.spans.length(i);
      EXPECT_EQ(batch.target.spans.length(i),
                static_cast<Index>(pair_of(batch.lines[i]).target.size()) + 1);
      lines.push_back(batch.lines[i]);
    }
  }
  std::ranges::sort(lines);
  std::iota(expected.begin(), expected.end(), Index{0});
  EXPECT_EQ(lines, expected);
  EXPECT_EQ(counts.dropped, 0);

  const MemoryPairs mixed({{"aaaaaaaaaa", "bbbbbbbbbb"}, {"a", "b"}, {"aa", std::string(99, 'b')}});
  const std::vector<Batch> batches =
      all_batches(mixed, tokenizer, {.batch_tokens = 8, .max_length = 50}, &counts);
  ASSERT_EQ(batches.size(), 2u);  // the second exceeds the budget alone
  EXPECT_EQ(batches[1].lines, std::vector<Index>{0});
  EXPECT_EQ(counts.dropped, 1);
}

// Sampling of segmentations, for kinds of tokenizers with subwords. Its parameter is the kind.
class SubwordSampling : public testing::TestWithParam<const char*> {
 public:
  static constexpr Index line_count = 60;
  static constexpr Index epoch_count = 3;
  using Sources = std::map<std::pair<Index, Index>, std::vector<Id>>;  // by epoch and line

  static std::vector<Pair> draw_lines() {
    const std::vector<std::string> words{"sleep",   "sleeps", "sleeping", "walk",    "walks",
                                         "walking", "swim",   "swims",    "swimming"};
    Random random(5);
    std::vector<Pair> lines;
    for (Index i = 0; i < line_count; ++i) {
      const auto word = [&] { return words[random.below(words.size())]; };
      lines.push_back({word() + " " + word() + " " + word(), word() + " " + word()});
    }
    return lines;
  }

  SubwordSampling()
      : tokenizers(train_tokenizer(GetParam(), {}, [&](const TakeLine& take) {
          for (const Pair& pair : lines) {
            take(pair.source);
            take(pair.target);
          }
        })) {}

  // The ids of a source without </s>.
  static std::vector<Id> source_ids(const Batch& batch, Index i) {
    std::vector<Id> ids = row(batch.source, i);
    ids.pop_back();
    return ids;
  }

  Sources read_epochs(PairBatches& batches) const {
    Sources sources;
    while (batches.epoch() < epoch_count) {
      const Index epoch = batches.epoch();
      const Batch batch = batches.next();
      for (Index i = 0; i < batch.source.spans.count(); ++i)
        sources[{epoch, batch.lines[i]}] = source_ids(batch, i);
    }
    return sources;
  }

  const std::vector<Pair> lines = draw_lines();
  const MemoryPairs pairs{lines};
  const Tokenizers tokenizers;
  const BatchOptions options{.batch_tokens = 60,
                             .subword_sampling = GetParam() == std::string("bpe") ? 0.3 : 0.2};
};

TEST_P(SubwordSampling, KeepsTheText) {
  PairBatches batches(pairs, tokenizers, options);
  while (batches.epoch() < epoch_count) {
    const Batch batch = batches.next();
    for (Index i = 0; i < batch.source.spans.count(); ++i) {
      const Pair& pair = lines[batch.lines[i]];
      EXPECT_EQ(tokenizers.source->decode(row(batch.source, i)), pair.source);
      EXPECT_EQ(tokenizers.target->decode(row({batch.gold, batch.target.spans}, i)), pair.target);
    }
  }
}

TEST_P(SubwordSampling, DrawsNewSegmentationsInEachEpoch) {
  PairBatches batches(pairs, tokenizers, options);
  const Sources sources = read_epochs(batches);
  EXPECT_EQ(sources.size(), 180u);
  Index best = 0;
  for (const auto& [key, ids] : sources)
    best += ids == tokenizers.source->encode(lines[key.second].source);
  EXPECT_LT(best, 170);
  Index changed = 0;
  for (Index i = 0; i < line_count; ++i)
    changed += sources.at({0, i}) != sources.at({1, i});
  EXPECT_GT(changed, 15);
}

TEST_P(SubwordSampling, DependsOnThePositionAlone) {
  PairBatches batches(pairs, tokenizers, options);
  std::vector<std::vector<std::int64_t>> positions;
  std::vector<Batch> seen;
  while (batches.epoch() < epoch_count) {
    positions.push_back(batches.position());
    seen.push_back(batches.next());
  }
  PairBatches others(pairs, tokenizers, options);
  for (std::size_t i = positions.size(); i-- > 0;) {
    others.seek(positions[i]);
    expect_equal(others.next(), seen[i]);
  }
}

TEST_P(SubwordSampling, DoesNotDependOnTheOrderOfLines) {
  PairBatches batches(pairs, tokenizers, options);
  const Sources sources = read_epochs(batches);
  BatchOptions other = options;
  other.window = 7;
  other.shuffle = false;
  PairBatches narrow(pairs, tokenizers, other);
  while (narrow.epoch() < 1) {
    const Batch batch = narrow.next();
    for (Index i = 0; i < batch.source.spans.count(); ++i)
      EXPECT_EQ(source_ids(batch, i), sources.at({0, batch.lines[i]}));
  }
}

TEST_P(SubwordSampling, IsNotUsedForEvaluation) {
  for (const Batch& batch : all_batches(pairs, tokenizers, options))
    for (Index i = 0; i < batch.source.spans.count(); ++i)
      EXPECT_EQ(source_ids(batch, i), tokenizers.source->encode(lines[batch.lines[i]].source));
}

INSTANTIATE_TEST_SUITE_P(Batching, SubwordSampling, testing::Values("unigram", "bpe"));

TEST(Batching, NamesUnknownWordsForModelsThatCopy) {
  const auto tokenizer = alphabet();
  const Id size = static_cast<Id>(tokenizer->size());
  const Id a = tokenizer->vocabulary().id("a");
  const MemoryPairs pairs(std::vector<Pair>{{"1a2", "2a3"}});
  const Batch batch = PairBatches(pairs, tokenizer, {.widen = true}).next();
  EXPECT_EQ(row(batch.source, 0), (std::vector<Id>{size, a, size + 1, eos_id}));
  EXPECT_EQ(row(batch.target, 0), (std::vector<Id>{bos_id, size + 1, a, unk_id}));
  EXPECT_EQ(row(PairBatches(pairs, tokenizer, {}).next().source, 0),
            (std::vector<Id>{unk_id, a, unk_id, eos_id}));
  EXPECT_EQ(all_batches(pairs, tokenizer, {.widen = true}).front().gold[0], size + 1);
  EXPECT_THROW(PairBatches(pairs, {tokenizer, alphabet()}, {.widen = true}), Error)
      << "two vocabularies";
}

}  // namespace
}  // namespace heed
