#include "experiments/comparison/line_groups.h"

#include <set>

#include <gtest/gtest.h>

namespace heed {
namespace {

TEST(LineGroups, OfLengthsHoldEveryLineOnce) {
  struct Row {
    std::vector<int> lengths;
    std::vector<std::pair<Index, Index>> buckets;
  };
  for (const Row& row : std::vector<Row>{
           {{3}, {{3, 3}}},
           {{4, 4, 4, 4, 4, 4}, {{4, 4}}},
           {{5, 4, 3, 2, 1}, {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}}},
           {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10}}},
           {{2, 2, 2, 2, 2, 2, 2, 3, 4, 9}, {{2, 2}, {3, 3}, {4, 9}}},
           {{0, 7}, {{0, 0}, {7, 7}}}}) {
    std::vector<std::string> sources;
    for (int n : row.lengths) {
      std::string line;
      for (int i = 0; i < n; ++i)
        line += i > 0 ? "  w" : "w";
      sources.push_back(line);
    }
    std::vector<std::pair<Index, Index>> found;
    std::multiset<std::size_t> lines;
    for (const LineGroup& bucket : by_length(sources).groups) {
      found.emplace_back(bucket.low, bucket.high);
      for (std::size_t i : bucket.lines) {
        lines.insert(i);
        EXPECT_GE(row.lengths[i], bucket.low);
        EXPECT_LE(row.lengths[i], bucket.high);
      }
    }
    EXPECT_EQ(found, row.buckets);
    EXPECT_EQ(lines.size(), sources.size());
    EXPECT_EQ(std::set<std::size_t>(lines.begin(), lines.end()).size(), sources.size());
  }
}

/// "4-6: 0 2; 9: 1"
std::string text_of(const Grouping& grouping) {
  std::string text;
  for (const LineGroup& group : grouping.groups) {
    text += (text.empty() ? "" : "; ") + group.title + ":";
    for (const std::size_t line : group.lines)
      text += fmt::format(" {}", line);
  }
  return text;
}

TEST(LineGroups, AreByTheRarestWordOfTheSource) {
  SeenSources seen;
  for (const char* source : {"a b", "a  b c", "a", "d d d d"})
    seen.add(source);
  // The rarest words: b twice, none for x, c once, a three times, d four times.
  EXPECT_EQ(text_of(seen.by_rarity({"a b", "x a", "c b a", "a a", "d"})),
            "0: 1; 1: 2; 2: 0; 3: 3; 4: 4");
  EXPECT_EQ(text_of(seen.by_rarity({"", "x"})), "0: 0 1");
  EXPECT_EQ(text_of(seen.by_rarity({})), "");
}

TEST(LineGroups, AreByThePercentilesOfTrainingLengths) {
  struct Row {
    std::vector<Index> training;  // lengths
    std::vector<Index> test;
    std::string expected;
  };
  const auto source = [](Index words) {
    std::string text;
    for (Index i = 0; i < words; ++i)
      text += "w ";
    return text;
  };
  std::vector<Index> hundred;
  for (Index i = 1; i <= 100; ++i)
    hundred.push_back(i);
  for (const Row& row : std::vector<Row>{
           {hundred,
            {1, 50, 51, 90, 91, 99, 100, 101, 130},
            "to 50 % (0-50): 0 1; to 90 % (51-90): 2 3; to 99 % (91-99): 4 5; to 100 % (100): 6; "
            "longer (101-130): 7 8"},
           {{2, 2, 2}, {2, 1, 3}, "to 50 % (0-2): 0 1; longer (3): 2"},
           {{1, 2}, {2}, "to 90 % (2): 0"},
           {{}, {1}, ""},
           {{1}, {}, ""}}) {
    SeenSources seen;
    for (const Index words : row.training)
      seen.add(source(words));
    std::vector<std::string> test;
    for (const Index words : row.test)
      test.push_back(source(words));
    EXPECT_EQ(text_of(seen.by_percentile(test)), row.expected);
  }
}

TEST(LineGroups, ReadPairsEvenlySpread) {
  std::vector<Pair> pairs(250'000, {"a", "b"});
  pairs[0].source = pairs[2].source = "first";
  pairs[1].source = "left out";
  const MemoryPairs training(pairs);
  EXPECT_EQ(text_of(SeenSources(training).by_rarity({"first", "left", "a"})),
            "0: 1; 2: 0; 99998: 2");
  const SeenSources without(training, [](const Pair& pair) { return pair.source != "first"; });
  EXPECT_EQ(text_of(without.by_rarity({"first"})), "0: 0");
}

}  // namespace
}  // namespace heed
