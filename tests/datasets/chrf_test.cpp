#include "datasets/metrics/chrf.h"

#include <map>

#include <gtest/gtest.h>

#include "datasets/metrics/version.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

using Lines = std::vector<std::string>;

// Popović 2015, section 2, beta = 2
double f2(double p, double r) { return 100 * 5 * p * r / (4 * p + r); }

struct Row {
  const char* why;
  Lines hypotheses;
  std::vector<Lines> references;
  ChrfOptions options;
  double score;
};

// Computed by hand. Each order is given as matches/hypothesis, matches/reference. Orders that one
// side is too short for are in neither mean.
const ChrfOptions plus{.word_order = 2};
const Row hand_computed[]{
    // sacrebleu's test/test_chrf.py, effective order; P = R, so its beta of 3 and ours of 2 agree
    {"one character", {"a"}, {{"a"}}, {}, 100},
    {"white space does not count", {"a b c"}, {{"abc"}}, {}, 100},
    {"nothing said", {""}, {{"reference"}}, {}, 0},
    {"nothing said, of one character", {""}, {{"c"}}, {}, 0},
    {"two lines: 1/2", {"a", "b"}, {{"a", "c"}}, {}, 50},
    {"1/2 0/1", {"aa"}, {{"ab"}}, {}, 25},
    {"nothing alike", {"abcdefg"}, {{"hijklmnop"}}, {}, 0},
    {"a whole sentence",
     {"Niemand hat die Absicht, eine Mauer zu errichten"},
     {{"Niemand hat die Absicht, eine Mauer zu errichten"}},
     {},
     100},
    // the definition
    {"nothing against nothing", {""}, {{""}}, {}, 0},
    {"something against nothing", {"a"}, {{""}}, {}, 0},
    {"3/4 2/3 1/2 0/1", {"abcd"}, {{"abce"}}, {}, 100 * 23.0 / 48},
    {"6/7 5/6 4/5 3/4 2/3 1/2",
     {"abcdefg"},
     {{"abcdefx"}},
     {},
     100 * (6.0 / 7 + 5.0 / 6 + 4.0 / 5 + 3.0 / 4 + 2.0 / 3 + 1.0 / 2) / 6},
    {"no pairs in the reference: P 1/2, R 1/1", {"ab"}, {{"a"}}, {}, f2(0.5, 1)},
    {"no pairs in the hypothesis: P 1/1, R 1/2", {"a"}, {{"ab"}}, {}, f2(1, 0.5)},
    {"clipped: P 2/4 1/3, R 2/2 1/1", {"aaaa"}, {{"aa"}}, {}, f2(5.0 / 12, 1)},
    {"recall counts four times as much: P 1, R (2/3 + 1/2)/2",
     {"ab"},
     {{"abc"}},
     {},
     f2(1, 7.0 / 12)},
    {"order 2 of line 1 has no reference, so its pairs are not counted: P 3/5 1/1, R 3/3 1/1",
     {"abc", "ab"},
     {{"a", "ab"}},
     {},
     f2(0.8, 1)},
    {"case counts", {"A"}, {{"a"}}, {}, 0},
    {"unless lowercased", {"ÀB"}, {{"àb"}}, {.lowercase = true}, 100},
    {"Unicode's spaces are white space", {"a\u3000b\u00A0c"}, {{"a b\u2003c"}}, {}, 100},
    {"a zero-width one is none: P 2/3 0/2, R 2/2 0/1",
     {"a\u200Bb"},
     {{"ab"}},
     {},
     f2(1.0 / 3, 0.5)},
    {"not normalised", {"e\u0301"}, {{"\u00E9"}}, {}, 0},
    {"characters, not bytes: P 1/2, R 1/1", {"😀😀"}, {{"😀"}}, {}, f2(0.5, 1)},
    // several references
    {"the better one", {"ab"}, {{"xy"}, {"ab"}}, {}, 100},
    {"by its own score: a gives 83.3, abc 63.6", {"ab"}, {{"abc"}, {"a"}}, {}, f2(0.5, 1)},
    {"of equals, 0 and 0, the first: 1/2, 1/2", {"x", "a"}, {{"y", "a"}, {"zzz", "a"}}, {}, 50},
    {"of equals in the other order: P 1/2, R 1/4",
     {"x", "a"},
     {{"zzz", "a"}, {"y", "a"}},
     {},
     f2(0.5, 0.25)},
    // chrF++ (Popović 2017): words of order 1 and 2 behind the characters
    {"++ itself", {"a b"}, {{"a b"}}, plus, 100},
    {"++ characters 1/2 0/1, words 1/2 0/1", {"a b"}, {{"a c"}}, plus, 25},
    {"++ the same characters, other words: 1 1 1, then 0/1, no pairs",
     {"abc"},
     {{"a bc"}},
     plus,
     75},
    {"++ hi ! against hi: P 2/3 1/2 and 1/2, R 1", {"hi!"}, {{"hi"}}, plus, f2(5.0 / 9, 1)},
    {"++ (hi and ) against ( hi ): P 4 of 4, 1/2, 0/1, R 4 of 4, 1/3, 0/2",
     {"(hi)"},
     {{"( hi )"}},
     plus,
     f2(4.5 / 6, (4 + 1.0 / 3) / 6)},
    {"++ a mark in front", {"\"hi"}, {{"\" hi"}}, plus, 100},
    {"++ marks alone", {"!! ?"}, {{"! ! ?"}}, plus, 100},
    {"++ one mark a word: hi! ! against hi ! !: characters 4 of 4, words P 1/2 0/1, R 1/3 0/2",
     {"hi!!"},
     {{"hi ! !"}},
     plus,
     f2(4.5 / 6, (4 + 1.0 / 3) / 6)},
    {"++ only ASCII's marks: 1 1 1, then 0/1, no pairs", {"hi…"}, {{"hi …"}}, plus, 75},
    {"++ lowercased", {"A B"}, {{"a b"}}, {.word_order = 2, .lowercase = true}, 100},
};

TEST(Chrf, HandComputedCorpora) {
  for (const Row& row : hand_computed)
    EXPECT_NEAR(corpus_chrf(row.hypotheses, row.references, row.options).score, row.score, 1e-9)
        << row.why;
}

TEST(Chrf, SentencesAreCorporaOfOne) {
  EXPECT_NEAR(sentence_chrf("abcd", Lines{"abce"}).score, 100 * 23.0 / 48, 1e-9);
  EXPECT_NEAR(sentence_chrf("ab", Lines{"xy", "ab"}).score, 100, 1e-9);
  EXPECT_NEAR(sentence_chrf("a b", Lines{"a c"}, {.word_order = 2}).score, 25, 1e-9);
  const ChrfScore score = sentence_chrf("aaaa", Lines{"aa"});
  EXPECT_EQ(score.orders[0].hypothesis, 4);
  EXPECT_EQ(score.orders[0].reference, 2);
  EXPECT_EQ(score.orders[0].matches, 2);
  EXPECT_EQ(score.orders[2].hypothesis, 0) << "not held against it: the reference has none";
}

TEST(Chrf, SignsItsScores) {
  const std::string version = "|version:" + std::string(metrics_version);
  EXPECT_EQ(corpus_chrf(Lines{"a"}, std::vector<Lines>{{"a"}}).signature(),
            "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no" + version);
  EXPECT_EQ(corpus_chrf(Lines{"a"}, std::vector<Lines>{{"a"}, {"b"}},
                        {.word_order = 2, .lowercase = true})
                .signature(),
            "nrefs:2|case:lc|eff:yes|nc:6|nw:2|space:no" + version);
}

TEST(Chrf, RefusesWhatItCannotScore) {
  const TemporaryFolder folder;
  const auto message = [&](const Lines& hypotheses, const std::vector<Lines>& references,
                           const ChrfOptions& options) {
    return folder.message([&] { corpus_chrf(hypotheses, references, options); });
  };
  EXPECT_EQ(message({}, {{}}, {}), "[chrf] expected at least one line; got none");
  EXPECT_EQ(message({"a"}, {}, {}), "[chrf] expected at least one reference; got none");
  EXPECT_EQ(message({"a"}, {{"a", "b"}}, {}),
            "[chrf] expected as many lines in reference 1 as hypotheses, 1; got 2");
  EXPECT_EQ(message({"a"}, {{"a"}}, {.word_order = 1}),
            "[chrf] expected a word order of 0 or 2; got 1");
}

// Compares with counts in a map, on a small alphabet in which n-grams repeat.
TEST(Overlap, CountsAsAMapDoes) {
  std::uint32_t state = 1;
  const auto some = [&](std::uint32_t most) {
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % most;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint32_t> a(some(30));
    std::vector<std::uint32_t> b(some(30));
    for (auto& x : a)
      x = some(3);
    for (auto& x : b)
      x = some(3);
    const std::size_t orders = 1 + some(6);
    const auto overlap = ngram_overlap(a, b, orders);
    ASSERT_EQ(overlap.size(), orders);
    for (std::size_t n = 1; n <= orders; ++n) {
      std::map<std::vector<std::uint32_t>, Index> in_a;
      std::map<std::vector<std::uint32_t>, Index> in_b;
      for (std::size_t i = 0; i + n <= a.size(); ++i)
        ++in_a[{a.begin() + static_cast<std::ptrdiff_t>(i),
                a.begin() + static_cast<std::ptrdiff_t>(i + n)}];
      for (std::size_t i = 0; i + n <= b.size(); ++i)
        ++in_b[{b.begin() + static_cast<std::ptrdiff_t>(i),
                b.begin() + static_cast<std::ptrdiff_t>(i + n)}];
      Index matches = 0;
      for (const auto& [ngram, times] : in_a)
        if (in_b.contains(ngram)) matches += std::min(times, in_b[ngram]);
      EXPECT_EQ(overlap[n - 1].matches, matches);
      EXPECT_EQ(overlap[n - 1].hypothesis,
                std::max<Index>(0, static_cast<Index>(a.size()) - static_cast<Index>(n) + 1));
      EXPECT_EQ(overlap[n - 1].reference,
                std::max<Index>(0, static_cast<Index>(b.size()) - static_cast<Index>(n) + 1));
    }
  }
}

}  // namespace
}  // namespace heed
