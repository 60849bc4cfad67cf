#include "datasets/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "datasets/metrics/bleu.h"
#include "framework/error.h"
#include "framework/random.h"
#include "tests/message_of.h"

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

std::vector<double> bootstrap_bleu(std::span<const BleuCounts> counts, int samples,
                                   std::uint64_t seed, const BleuOptions& options = {}) {
  return bootstrap(metrics().at("bleu"), bleu_items(counts), samples, seed, options);
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

// By the definition: draws of (seed, set), and the score of the lines drawn. To the last digit, so
// that published intervals stay.
TEST(Bootstrap, DrawsLinesBySeedAndSet) {
  const auto a = lines({8, 7, 6, 8, 5, 8, 0, 3});
  const std::vector<double> scores = bootstrap_bleu(a, 50, 2004, {.effective_order = true});
  for (std::uint64_t set = 0; set < 50; ++set) {
    Random random(2004, set);
    BleuCounts sum;
    for (std::size_t i = 0; i < a.size(); ++i)
      sum += a[random.below(a.size())];
    EXPECT_EQ(scores[set], bleu_score(sum, 1, {.effective_order = true}).score);
  }
}

// Every metric with counts: the score of a resampled set is that of its lines.
TEST(Bootstrap, ScoresWhatAMetricScores) {
  const std::vector<std::string> lines{"a b c d", "a b", "b", "x y z", "a"};
  const std::vector<std::string> nats{"3.5", "2", "0", "7.25", "1e-3"};
  const std::vector<std::vector<std::string>> references{{"a b c d", "a c", "a", "x y w z", "a"}};
  int checked = 0;
  for (const Metric& metric : metrics().rows()) {
    if (!metric.counts) continue;
    const auto& hypotheses = metric.scored == Scored::nats ? nats : lines;
    const ItemCounts items = metric.counts(hypotheses, references, metric.options);
    ASSERT_EQ(items.size(), hypotheses.size()) << metric.name;
    EXPECT_EQ(metric.of_sum(items.sum(), items, metric.options).text,
              metric.corpus(hypotheses, references, metric.options).text);
    const std::vector<double> scores = bootstrap(metric, items, 20, 9, metric.options);
    for (std::uint64_t set = 0; set < scores.size(); ++set) {
      Random random(9, set);
      std::vector<std::string> out;
      std::vector<std::vector<std::string>> ref(1);
      for (std::size_t i = 0; i < hypotheses.size(); ++i) {
        const std::size_t line = random.below(hypotheses.size());
        out.push_back(hypotheses[line]);
        ref[0].push_back(references[0][line]);
      }
      EXPECT_EQ(scores[set], metric.corpus(out, ref, metric.options).at(metric.main[0]))
          << metric.name;
    }
    ++checked;
  }
  EXPECT_GE(checked, 7);
}

// The share of right labels of n drawn ones: the mean is that of the set, the variance p (1 - p) /
// n.
TEST(Bootstrap, AccuracyIsBinomial) {
  const std::vector<std::string> gold(100, "a");
  std::vector<std::string> predicted(100, "a");
  std::fill_n(predicted.begin(), 20, "b");
  const Metric& accuracy = metrics().at("accuracy");
  const ItemCounts items =
      accuracy.counts(predicted, std::vector<std::vector<std::string>>{gold}, accuracy.options);
  double mean = 0;
  double square = 0;
  for (const double score : bootstrap(accuracy, items, 2000, 1, accuracy.options)) {
    mean += score / 2000;
    square += (score - 0.8) * (score - 0.8) / 2000;
  }
  EXPECT_NEAR(mean, 0.8, 0.004);
  EXPECT_NEAR(std::sqrt(square), 0.04, 0.003);
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

TEST(Bootstrap, PValuesAreThoseOfTheirDefinition) {
  struct Row {
    std::vector<double> differences;
    double p;
  };
  for (const Row& row : std::vector<Row>{{{1, 2, 3, 4}, 2.0 / 5},
                                         {{-1, -2, -3, -4}, 2.0 / 5},
                                         {{1, -2, 3, 4}, 4.0 / 5},
                                         {{1, 0, 3, 4}, 4.0 / 5},
                                         {{0, 0}, 1}}) {
    const std::vector<double> zeros(row.differences.size());
    EXPECT_DOUBLE_EQ(paired_difference(row.differences, zeros).p, row.p);
    EXPECT_DOUBLE_EQ(paired_difference(zeros, row.differences).p, row.p);
    EXPECT_DOUBLE_EQ(paired_difference(zeros, row.differences, false).p, row.p);
  }
}

TEST(Bootstrap, HolmAdjustsForTheNumberOfTests) {
  struct Row {
    std::vector<double> p;
    std::vector<double> adjusted;
  };
  // The second row is by hand: 4 x 0.005, 3 x 0.01, 2 x 0.03, and 0.06 of the one before.
  for (const Row& row : std::vector<Row>{{{0.2}, {0.2}},
                                         {{0.01, 0.04, 0.03, 0.005}, {0.03, 0.06, 0.06, 0.02}},
                                         {{0.6, 0.7}, {1, 1}},
                                         {{}, {}}}) {
    const std::vector<double> adjusted = holm(row.p);
    ASSERT_EQ(adjusted.size(), row.adjusted.size());
    for (std::size_t i = 0; i < adjusted.size(); ++i)
      EXPECT_DOUBLE_EQ(adjusted[i], row.adjusted[i]);
  }
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
  const PairedDifference lower = paired_difference(a, b, false);
  EXPECT_DOUBLE_EQ(lower.mean, 0.5);
  EXPECT_DOUBLE_EQ(lower.wins, 1.5 / 4) << "where lower is better";
}

TEST(Bootstrap, Misuse) {
  EXPECT_THROW(bootstrap_bleu({}, 10, 1), Error);
  EXPECT_THROW(bootstrap_bleu(lines({1}), 0, 1), Error);
  EXPECT_EQ(
      message_of([] { bootstrap(metrics().at("confusion"), bleu_items(lines({1})), 10, 1, {}); }),
      "[bootstrap] expected a metric with counts of each item; confusion has none");
  EXPECT_THROW(paired_difference(std::vector<double>{1}, std::vector<double>{}), Error);
}

}  // namespace
}  // namespace heed
