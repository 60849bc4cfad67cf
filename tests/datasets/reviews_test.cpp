#include "datasets/corpora/internal/reviews.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "datasets/corpora/corpora.h"
#include "datasets/text/labelled.h"
#include "datasets/text/labels.h"
#include "tests/datasets/reviews_reader.h"

namespace heed::toy {
namespace {

using std::string;
using Words = std::vector<string>;

std::unique_ptr<PairSource> reviews(Split split, std::uint64_t seed = 1) {
  return open("reviews", split, seed);
}

struct Row {
  const char* text;
  const char* label;
};

// One for each phrase of the rule, labelled by hand.
const Row rows[]{
    {"the plot was good , but the music was dull .", "negative"},
    {"the music was dull , but the plot was good .", "positive"},
    {"the plot was not at all good .", "negative"},
    {"nobody would say that the plot was not good .", "positive"},
    {"although the plot was good , the music was dull .", "negative"},
    {"the plot was good , even if the music was dull .", "positive"},
    {"i expected the plot to be awful , but the music was not at all bad .", "positive"},
    {"the plot was awful , but i expected the music to be good .", "negative"},
    {"the critics wrote that the plot was witty , but nobody would call the music good .",
     "negative"},
    {"the plot was anything but dull . my brother thinks that the music was poor .", "positive"},
    {"it is not true that the plot was by no means good , although the music was lame .",
     "positive"},
    {"i had not seen it before . the plot , which nobody had explained to us , was good , but "
     "other people say that the pace was far from good .",
     "positive"},
    {"few people would call the plot hardly fresh , even if i would not say that the cast was bad "
     ".",
     "positive"},
    {"even if it is true that the plot was bad , i would say that the cast was really fine . it "
     "lasts two hours .",
     "positive"},
};

TEST(Reviews, AReaderKnowsTheRule) {
  for (const Row& row : rows)
    EXPECT_EQ(read_review(row.text), row.label) << row.text;
}

// The ceiling: who resolves the scopes is always right.
TEST(Reviews, AReaderIsAlwaysRight) {
  for (const Split split : {Split::train, Split::valid, Split::test}) {
    const auto corpus = reviews(split);
    for (Index i = 0; i < 5000; ++i) {
      const Pair pair = corpus->at(i);
      ASSERT_EQ(read_review(pair.source), pair.target) << pair.source;
    }
  }
}

TEST(Reviews, HaveFewWordsOfALimitedVocabulary) {
  const auto corpus = reviews(Split::train);
  std::set<string> vocabulary;
  std::map<string, int> labels;
  constexpr int n = 20'000;
  for (Index i = 0; i < n; ++i) {
    const Pair pair = corpus->at(i);
    const Words words = words_of(pair.source);
    ASSERT_TRUE(words.size() >= 5 && words.size() <= 40) << pair.source;
    ASSERT_EQ(words.back(), ".");
    vocabulary.insert(words.begin(), words.end());
    ++labels[pair.target];
  }
  EXPECT_GE(vocabulary.size(), 150u);
  EXPECT_LE(vocabulary.size(), 250u);
  EXPECT_NEAR(labels["positive"], n / 2, 4 * std::sqrt(n) / 2);
  EXPECT_TRUE(names_label({"toy:reviews"}));
  EXPECT_EQ(Labels::of(*corpus).names(), (Words{"negative", "positive"}));
  EXPECT_EQ(open_pairs({"toy:reviews"}, {}, Split::train, 1, {.labelled = true})->at(3),
            corpus->at(3));
}

// The longest review that can be drawn: every part is the longest one.
TEST(Reviews, NoneIsLongerThanFortyWords) {
  std::size_t most = 0;
  for (std::uint64_t i = 0; i < 300'000; ++i) {
    Random random(5, i);
    const string text = Review(random).source();
    most = std::max(most, static_cast<std::size_t>(std::ranges::count(text, ' ')) + 1);
  }
  EXPECT_LE(most, 40u);
}

// How a clause was drawn, as far as it bears on the label, and how probable that is.
struct Kind {
  Review::Clause clause;
  double share;
};

template <class Choice>
std::vector<std::string_view> phrases_or_none(Choice choice) {
  const auto phrases = Review::phrases(choice);
  if (phrases.empty()) return {""};
  return {phrases.begin(), phrases.end()};
}

// Each adjective is as probable as any other of its value, so that one of each value is enough.
std::vector<Kind> kinds(bool expected) {
  std::vector<Kind> all;
  for (std::size_t a = 0; a < (expected ? 1 : Review::around_share.size()); ++a)
    for (std::size_t b = 0; b < Review::before_share.size(); ++b) {
      Review::Clause clause;
      clause.around = static_cast<Review::Around>(a);
      clause.before = static_cast<Review::Before>(b);
      const auto arounds = phrases_or_none(clause.around);
      const auto befores = phrases_or_none(clause.before);
      const double phrases = static_cast<double>(arounds.size() * befores.size());
      const double share = (expected ? 1 : Review::around_share[a]) * Review::before_share[b];
      for (const std::string_view around : arounds)
        for (const std::string_view before : befores)
          for (const bool good : {false, true}) {
            clause.around_words = around;
            clause.before_words = before;
            clause.good = good;
            all.push_back({clause, share / phrases / 2});
          }
    }
  return all;
}

bool expected(Review::Frame frame) {
  return frame == Review::Frame::expectation_first || frame == Review::Frame::expectation_last;
}

// What the words of a review tell of its label when their order is unknown: those of its frame,
// and how often each of the words that its clauses are drawn with stands in it. The rest, such as
// subjects and openings, is drawn whatever these are, and openings, closings and asides have words
// that tell them apart. So it says nothing of the label.
class Bags {
 public:
  using Counts = std::array<std::uint8_t, 40>;  // of words; the last one: of positive adjectives
  using Bag = std::pair<Words, Counts>;

  Counts counts_of(const Review::Clause& clause) {
    Counts counts{};
    for (const string& word : words_of(clause.around_words + " " + clause.before_words)) {
      const std::size_t id = ids_.try_emplace(word, ids_.size()).first->second;
      ++counts.at(id);
    }
    counts.back() += clause.good;
    return counts;
  }
  std::size_t words() const { return ids_.size(); }

  static Counts sum(Counts a, const Counts& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
      a[i] = static_cast<std::uint8_t>(a[i] + b[i]);
    return a;
  }

  // The words around the clauses, in the order of the alphabet: "," "." "although".
  static Words frame_words(Review::Frame frame) {
    Random random(0);
    Review review(random);
    review.frame = frame;
    review.opening = review.closing = review.attitude = "";
    review.counts = review.other = {};
    if (expected(frame)) review.attitude = "i expected";
    if (frame == Review::Frame::report_first || frame == Review::Frame::report_last ||
        frame == Review::Frame::report_apart)
      review.attitude = "the critics wrote that";
    Words words = words_of(review.source());
    std::ranges::sort(words);
    return words;
  }

 private:
  std::map<string, std::size_t> ids_;
};

struct Shares {
  double positive = 0;
  double all = 0;
  void add(double share, bool is_positive) {
    all += share;
    if (is_positive) positive += share;
  }
};

// The shares of all reviews by their bags.
struct BagShares {
  Bags bags;
  std::map<Words, std::map<Bags::Counts, Shares>> shares;  // by the words of the frame

  BagShares() {
    for (int f = 0; f < Review::frames; ++f)
      add(static_cast<Review::Frame>(f));
  }

  void add(Review::Frame frame) {
    auto& of_frame = shares[Bags::frame_words(frame)];
    const bool alone = frame == Review::Frame::alone;
    std::vector<std::pair<Bags::Counts, double>> others{{Bags::Counts{}, 1.0}};
    if (!alone) others.clear();
    for (const Kind& kind : alone ? std::vector<Kind>{} : kinds(expected(frame)))
      others.emplace_back(bags.counts_of(kind.clause), kind.share);
    for (const Kind& kind : kinds(false)) {
      const Bags::Counts counts = bags.counts_of(kind.clause);
      const double share = Review::share(frame) * kind.share;
      const bool positive = kind.clause.positive();
      for (const auto& [other, other_share] : others)
        of_frame[Bags::sum(counts, other)].add(share * other_share, positive);
    }
  }

  // The best that any function of the words without their order can do: the probability of the
  // likelier label, summed over all bags.
  double best() const {
    double best = 0;
    for (const auto& [frame, bags_of_frame] : shares)
      for (const auto& [bag, share] : bags_of_frame)
        best += std::max(share.positive, share.all - share.positive);
    return best;
  }

  // Whether that function is right about a review. Of two equally probable labels it says one.
  bool is_right(const Review& review) {
    Bags::Counts counts = bags.counts_of(review.counts);
    if (review.frame != Review::Frame::alone)
      counts = Bags::sum(counts, bags.counts_of(review.other));
    const Shares& share = shares.at(Bags::frame_words(review.frame)).at(counts);
    return (share.positive > share.all / 2) == review.counts.positive();
  }
};

// By hand. One clause alone: its words tell its value. Two clauses: as they may be exchanged, their
// words tell a label only where both adjectives have one value (1/2), and both clauses or none have
// a negation before the adjective (10/16) and one around the clause (17/25). What was expected has
// nothing around it, so that the negation around belongs to the other clause. Else a bag guesses.
TEST(Reviews, NoBagOfWordsKnowsMoreThanThreeQuarters) {
  const auto with_guesses = [](double known) { return known + (1 - known) / 2; };
  const double two_clauses = with_guesses(0.5 * (10.0 / 16) * (17.0 / 25));
  const double expectation = with_guesses(0.5 * (10.0 / 16));
  const double best_by_hand = 1.0 / 3 + 2.0 / 3 * (0.8 * two_clauses + 0.2 * expectation);
  BagShares shares;
  const double best = shares.best();
  std::cout << "the best function of a bag of words is right on " << 100 * best << " %\n";
  EXPECT_NEAR(best, best_by_hand, 1e-9);
  EXPECT_LT(shares.bags.words(), Bags::Counts{}.size() - 1) << "the last count is another one";
  int right = 0;
  constexpr int n = 20'000;
  for (int i = 0; i < n; ++i) {
    Random random(6, static_cast<std::uint64_t>(i));
    right += shares.is_right(Review(random));
  }
  EXPECT_NEAR(right / static_cast<double>(n), best, 4 * std::sqrt(best * (1 - best) / n));
}

string key_of(Review::Frame frame, const Review::Clause& clause) {
  return fmt::format("{} '{}' '{}' {}", static_cast<int>(frame), clause.around_words,
                     clause.before_words, clause.good);
}

// The shares that the bound is computed from are those of the generator.
TEST(Reviews, AreDrawnAsTheBoundSays) {
  std::map<string, double> expected_shares;
  const auto expect = [&](Review::Frame frame, const string& clause, bool is_expected) {
    for (const Kind& kind : kinds(is_expected))
      expected_shares[clause + key_of(frame, kind.clause)] += Review::share(frame) * kind.share;
  };
  for (int f = 0; f < Review::frames; ++f) {
    const auto frame = static_cast<Review::Frame>(f);
    expect(frame, "counts ", false);
    if (frame != Review::Frame::alone) expect(frame, "other ", expected(frame));
  }
  std::map<string, double> drawn;
  constexpr int n = 200'000;
  for (int i = 0; i < n; ++i) {
    Random random(3, static_cast<std::uint64_t>(i));
    const Review review(random);
    ++drawn["counts " + key_of(review.frame, review.counts)];
    if (review.frame != Review::Frame::alone)
      ++drawn["other " + key_of(review.frame, review.other)];
  }
  for (const auto& [key, share] : expected_shares)
    EXPECT_NEAR(drawn[key], n * share, 5.5 * std::sqrt(n * share) + 3) << key;
  EXPECT_EQ(drawn.size(), expected_shares.size()) << "nothing else is drawn";
}

// The reason for the bound: the same words, and the other clause decides.
TEST(Reviews, ExchangedClausesHaveTheSameWords) {
  int other_label = 0;
  int exchanged = 0;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    Random random(4, i);
    const Review review(random);
    // Nothing stands around what was expected.
    if (expected(review.frame) || review.frame == Review::Frame::alone) continue;
    Review partner = review;
    std::swap(partner.counts, partner.other);
    Words words = words_of(review.source());
    Words same = words_of(partner.source());
    EXPECT_NE(words, same);
    std::ranges::sort(words);
    std::ranges::sort(same);
    EXPECT_EQ(words, same);
    EXPECT_EQ(read_review(partner.source()), review.other.positive() ? "positive" : "negative");
    other_label += partner.target() != review.target();
    ++exchanged;
  }
  EXPECT_NEAR(other_label, exchanged / 2, 4 * std::sqrt(exchanged) / 2);
}

BagOfWords bags_of(Split split, Index n) {
  const auto corpus = reviews(split);
  BagOfWords bags;
  for (Index i = 0; i < n; ++i) {
    const Pair pair = corpus->at(i);
    bags.texts.push_back(words_of(pair.source));
    bags.labels.push_back(pair.target == "positive");
  }
  return bags;
}

TEST(Reviews, ALinearBagOfWordsGetsLess) {
  const double accuracy =
      bag_of_words_accuracy(bags_of(Split::train, 20'000), bags_of(Split::test, 2000));
  std::cout << "logistic regression on word counts is right on " << 100 * accuracy << " %\n";
  RecordProperty("logistic_regression", std::to_string(accuracy));
  EXPECT_GT(accuracy, 0.55);
  EXPECT_LT(accuracy, 0.744);
}

// The regression itself learns what words do tell.
TEST(Reviews, ABagOfWordsKnowsSingleClauses) {
  BagOfWords bags;
  for (int i = 0; i < 400; ++i) {
    bags.texts.push_back({"the", "plot", "was", i % 2 == 0 ? "good" : "bad", "."});
    bags.labels.push_back(i % 2 == 0);
  }
  EXPECT_EQ(bag_of_words_accuracy(bags, bags), 1);
}

}  // namespace
}  // namespace heed::toy
