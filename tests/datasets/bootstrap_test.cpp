#include "datasets/metrics/bootstrap.h"

#include <cmath>

#include <gtest/gtest.h>

#include "framework/error.h"
#include "framework/random.h"

namespace heed {
namespace {

// Lines of `words` words, the first `right` of which equal those of the reference.
std::vector<BleuCounts> lines(const std::vector<int>& right, int words = 8) {
  std::vector<BleuCounts> counts;
  for (int r : right) {
    BleuCounts line{.sys_len = words, .ref_len = words, .matches = {}, .totals = {}};
    for (int n = 0; n < 4; ++n) {
      line.matches[n] = std::max(0, r - n);
      line.totals[n] = words - n;
    }
    counts.push_back(line);
  }
  return counts;
}

TEST(Bootstrap, OneLineIsItsOwnScore) {
  const auto line = lines({6});  // 6/8, 5/7, 4/6, 3/5
  for (double score : bootstrap_bleu(line, 5, 1))
    EXPECT_NEAR(score, 100 * std::pow(6.0 * 5 * 4 * 3 / (8 * 7 * 6 * 5), 0.25), 1e-9);
}

TEST(Bootstrap, LineCountsAddUpToTheCorpus) {
  const std::vector<std::string> hypotheses{"a b c d e", "a b"};
  const std::vector<std::string> references{"a b c d x", "a b"};
  const std::vector<std::vector<std::string>> all{references};
  BleuCounts sum;
  for (const BleuCounts& line : bleu_counts(hypotheses, all))
    sum += line;
  EXPECT_EQ(bleu_score(sum).score, corpus_bleu(hypotheses, all).score);
  EXPECT_EQ(sum.matches, (std::array<Index, 4>{6, 4, 2, 1}));
}

TEST(Bootstrap, SameSeedSameSetsForEverySystem) {
  // b equals a except for a worse last line. On each set b is worse if that line was drawn, else
  // equal.
  const auto a = lines({8, 7, 6, 8, 5, 8});
  const auto b = lines({8, 7, 6, 8, 5, 4});
  const auto x = bootstrap_bleu(a, 400, 3);
  const auto y = bootstrap_bleu(b, 400, 3);
  int equal = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_GE(x[i], y[i]);
    equal += x[i] == y[i];
  }
  // the probability that six draws miss one line of six
  EXPECT_NEAR(equal / 400.0, std::pow(5.0 / 6, 6), 0.08);
  EXPECT_EQ(x, bootstrap_bleu(a, 400, 3));
  EXPECT_NE(x, bootstrap_bleu(a, 400, 4));
}

TEST(Bootstrap, NamesClearDifferencesAlone) {
  Random random(5);
  std::vector<int> good;
  std::vector<int> same;
  std::vector<int> poor;
  for (int i = 0; i < 200; ++i) {
    good.push_back(static_cast<int>(random.below(9)));
    same.push_back(static_cast<int>(random.below(9)));
    poor.push_back(std::max(0, good.back() - 2));
  }
  const auto a = bootstrap_bleu(lines(good), 500, 1);
  const auto b = bootstrap_bleu(lines(same), 500, 1);
  const auto c = bootstrap_bleu(lines(poor), 500, 1);
  EXPECT_TRUE(paired_difference(a, c).significant());
  EXPECT_GT(paired_difference(a, c).low, 0);
  EXPECT_TRUE(paired_difference(c, a).significant());
  EXPECT_NEAR(paired_difference(c, a).wins, 0, 1e-12);
  EXPECT_FALSE(paired_difference(a, a).significant());
  EXPECT_EQ(paired_difference(a, a).wins, 0.5);
  const PairedDifference alike = paired_difference(a, b);
  EXPECT_LE(alike.low, alike.mean);
  EXPECT_LE(alike.mean, alike.high);
}

TEST(Bootstrap, HandMadeDifferences) {
  // 1, 0, -1, 2
  const std::vector<double> a{1, 2, 3, 4};
  const std::vector<double> b{0, 2, 4, 2};
  const PairedDifference d = paired_difference(a, b);
  EXPECT_DOUBLE_EQ(d.mean, 0.5);
  EXPECT_DOUBLE_EQ(d.wins, 2.5 / 4);
  EXPECT_DOUBLE_EQ(d.low, -1);
  EXPECT_DOUBLE_EQ(d.high, 2);
}

TEST(Bootstrap, Misuse) {
  EXPECT_THROW(bootstrap_bleu({}, 10, 1), Error);
  EXPECT_THROW(bootstrap_bleu(lines({1}), 0, 1), Error);
  EXPECT_THROW(paired_difference(std::vector<double>{1}, std::vector<double>{}), Error);
}

}  // namespace
}  // namespace heed
