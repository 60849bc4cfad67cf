#include "datasets/metrics/classification.h"

#include <gtest/gtest.h>

#include "datasets/metrics/metrics.h"
#include "datasets/metrics/version.h"
#include "framework/error.h"
#include "tests/message_of.h"

namespace heed {
namespace {

using Lines = std::vector<std::string>;

struct Row {
  const char* what;
  Lines gold;
  Lines predicted;
  double accuracy;
  double macro_f1;
};

// F of a class = 2 right / (predicted + gold), by hand.
const Row rows[]{
    {"all right", {"a", "b", "b"}, {"a", "b", "b"}, 1, 1},
    {"all wrong", {"a", "b"}, {"b", "a"}, 0, 0},
    // a: 2 of 2 and 3; b: 1 of 3 and 2; c: none
    {"three classes",
     {"a", "a", "a", "b", "b", "c"},
     {"a", "a", "b", "b", "c", "b"},
     3.0 / 6,
     (4.0 / 5 + 2.0 / 5 + 0) / 3},
    {"b is predicted alone", {"a", "a"}, {"a", "b"}, 0.5, (2.0 / 3 + 0) / 2},
    {"b is gold alone", {"a", "b"}, {"a", "a"}, 0.5, (2.0 / 3 + 0) / 2},
    {"one class", {"a", "a"}, {"a", "a"}, 1, 1},
    {"the majority", {"a", "a", "a", "b"}, {"a", "a", "a", "a"}, 0.75, (6.0 / 7 + 0) / 2},
    {"the empty label is one", {"a", "b"}, {"a", ""}, 0.5, (1.0 + 0 + 0) / 3},
};

TEST(Classification, HandMadeScores) {
  for (const Row& row : rows) {
    EXPECT_DOUBLE_EQ(accuracy(row.predicted, row.gold), row.accuracy) << row.what;
    EXPECT_DOUBLE_EQ(macro_f1(row.predicted, row.gold), row.macro_f1) << row.what;
    EXPECT_DOUBLE_EQ(score("accuracy", row.predicted, {row.gold}).at("score"), row.accuracy);
    EXPECT_DOUBLE_EQ(score("macro_f1", row.predicted, {row.gold}).at("score"), row.macro_f1);
  }
}

TEST(Classification, CountsWhatWasTakenForWhat) {
  const Row& row = rows[2];
  const Confusion found = confusion(row.predicted, row.gold);
  EXPECT_EQ(found.labels, (Lines{"a", "b", "c"}));
  EXPECT_EQ(found.items, 6);
  EXPECT_EQ(found.right(), 3);
  const Index expected[3][3]{{2, 1, 0}, {0, 1, 1}, {0, 1, 0}};  // [gold][predicted]
  const MetricScore score = heed::score("confusion", row.predicted, {row.gold});
  ASSERT_TRUE(score.confusion.has_value());
  EXPECT_EQ(score.confusion->labels, found.labels);
  for (std::size_t gold = 0; gold < 3; ++gold)
    for (std::size_t predicted = 0; predicted < 3; ++predicted) {
      const std::string& of = found.labels[gold];
      const std::string& as = found.labels[predicted];
      EXPECT_EQ(found.count(of, as), expected[gold][predicted]) << of << as;
      EXPECT_EQ(score.confusion->counts().at(gold).at(predicted), expected[gold][predicted]);
    }
  EXPECT_EQ(found.count("a", "d"), 0);
  ASSERT_EQ(score.figures.size(), 1u) << "the table stands apart";
  EXPECT_EQ(score.at("right"), 3);
  EXPECT_FALSE(heed::score("accuracy", row.predicted, {row.gold}).confusion.has_value());
}

// Names need no care: a dot, a slash or nothing is a name like others.
TEST(Classification, ATableTakesAnyName) {
  const MetricScore found = score("confusion", {"", "a.b", "a/b"}, {{"a.b", "a.b", "right"}});
  EXPECT_EQ(found.confusion->labels, (Lines{"", "a.b", "a/b", "right"}));
  EXPECT_EQ(
      found.confusion->counts(),
      (std::vector<std::vector<Index>>{{0, 0, 0, 0}, {1, 1, 0, 0}, {0, 0, 0, 0}, {0, 0, 1, 0}}));
  EXPECT_EQ(found.at("right"), 1);
}

TEST(Classification, TextsForPeople) {
  const Row& row = rows[2];
  EXPECT_EQ(score("accuracy", row.predicted, {row.gold}).text, "accuracy 0.5000   3 of 6 labels\n");
  EXPECT_EQ(score("confusion", row.predicted, {row.gold}).text,
            "3 of 6 labels are right\n"
            "gold            a        b        c\n"
            "a               2        1        0\n"
            "b               0        1        1\n"
            "c               0        1        0\n");
  EXPECT_EQ(score("macro_f1", row.predicted, {row.gold}).text,
            "           precision    recall         F    labels\n"
            "a             1.0000    0.6667    0.8000         3\n"
            "b             0.3333    0.5000    0.4000         2\n"
            "c             0.0000    0.0000    0.0000         1\n"
            "macro F1 0.4000\n");
  EXPECT_EQ(score("accuracy", row.predicted, {row.gold}).signature,
            "nrefs:1|version:" + std::string(metrics_version));
}

TEST(Classification, ManyClassesAreListed) {
  Lines gold;
  Lines predicted;
  for (int i = 0; i < 30; ++i) {
    gold.push_back(fmt::format("c{:02}", i));
    predicted.push_back(i < 25 ? gold.back() : "c00");
  }
  gold.push_back("c07");
  predicted.push_back("c03");
  gold.push_back("c07");
  predicted.push_back("c03");
  const MetricScore found = score("confusion", predicted, {gold});
  EXPECT_EQ(found.confusion->cells.size(), 25u + 5 + 1) << "cells that hold items";
  EXPECT_EQ(found.confusion->count("c07", "c03"), 2);
  EXPECT_EQ(found.text.substr(0, found.text.find("\n       1")),
            "25 of 32 labels are right\n       2 of c07 as c03");
}

TEST(Classification, RefusesLabelsThatDoNotFit) {
  for (const char* name : {"accuracy", "macro_f1", "confusion"}) {
    EXPECT_EQ(message_of([&] {
                score(name, Lines{"a"}, {Lines{"a"}, Lines{"b"}});
              }),
              fmt::format("[{}] expected one reference, the gold labels; got 2", name));
    EXPECT_EQ(
        message_of([&] {
          score(name, Lines{"a"}, {Lines{"a", "b"}});
        }),
        fmt::format("[{}] expected as many lines in reference 1 as hypotheses, 1; got 2", name));
  }
  for (const char* name : {"accuracy", "macro_f1", "confusion"}) {
    const std::string advice =
        " has a tab: it is no label; keep the first column, as cut -f 1 does";
    EXPECT_EQ(message_of([&] {
                score(name, Lines{"a", "b\t0.75"}, {Lines{"a", "b"}});
              }),
              "line 2 of the hypotheses" + advice);
    EXPECT_EQ(message_of([&] {
                score(name, Lines{"a", "b"}, {Lines{"a\t", "b\tc"}});
              }),
              "line 1 of the references" + advice);
  }
  const Lines one{"a"};
  EXPECT_THROW(accuracy(one, {}), Error);
  EXPECT_THROW(macro_f1({}, {}), Error);
}

// Classes that neither stand in the items drawn nor were predicted for them do not count.
TEST(Classification, ScoresOfSomeItems) {
  const Metric& metric = metrics().at("macro_f1");
  const Row& row = rows[2];
  const ItemCounts counts =
      metric.counts(row.predicted, std::vector<Lines>{row.gold}, metric.options);
  const auto of = [&](const std::vector<std::size_t>& items) {
    return metric.main_of_sum(counts.sum(items), counts, metric.options);
  };
  EXPECT_EQ(of({0, 1, 0}), 1);
  EXPECT_DOUBLE_EQ(of({0, 2}), (2.0 / 3 + 0) / 2);
  EXPECT_DOUBLE_EQ(of({0, 2, 3, 3}), (2.0 / 3 + 4.0 / 5) / 2);
}

}  // namespace
}  // namespace heed
