#include "datasets/metrics/rouge.h"

#include <cmath>

#include <gtest/gtest.h>

#include "datasets/metrics/internal/lcs.h"
#include "datasets/metrics/perplexity.h"
#include "datasets/metrics/version.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

using Lines = std::vector<std::string>;
using Part = PrecisionRecall RougeScore::*;

constexpr Part r1 = &RougeScore::rouge1;
constexpr Part r2 = &RougeScore::rouge2;
constexpr Part r3 = &RougeScore::rouge3;
constexpr Part rl = &RougeScore::rougeL;
constexpr Part rs = &RougeScore::rougeLsum;

struct Row {
  const char* why;
  std::string hypothesis;
  std::string reference;
  Part part;
  double precision;
  double recall;
  bool stem = false;
};

void expect(const PrecisionRecall& got, double precision, double recall, const std::string& why) {
  EXPECT_NEAR(got.precision, precision, 1e-12) << why;
  EXPECT_NEAR(got.recall, recall, 1e-12) << why;
  EXPECT_NEAR(got.fmeasure,
              precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0, 1e-12)
      << why;
}

// Lin 2004: "ROUGE: a package for automatic evaluation of summaries". Fractions are matches / words
// (or n-grams) of either side.
TEST(Rouge, ExamplesOfThePaper) {
  const std::string police = "police killed the gunman";
  const Row rows[]{
      {"section 3.1, S2: 3/4", "police kill the gunman", police, rl, 3.0 / 4, 3.0 / 4},
      {"section 3.1, S3: 2/4", "the gunman kill police", police, rl, 2.0 / 4, 2.0 / 4},
      {"section 3.1, S4, the LCS takes one of two orders: 2/4", "the gunman police killed", police,
       rl, 2.0 / 4, 2.0 / 4},
      {"section 3, ROUGE-2 cannot tell S2 (the gunman) ...", "police kill the gunman", police, r2,
       1.0 / 3, 1.0 / 3},
      {"... from S3 (the gunman)", "the gunman kill police", police, r2, 1.0 / 3, 1.0 / 3},
      {"S4 in pairs: 2/3", "the gunman police killed", police, r2, 2.0 / 3, 2.0 / 3},
      {"section 3.2: the union of w1 w2 and w1 w3 w5 is 4 of 5; 10 words said",
       "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", "w1 w2 w3 w4 w5", rs, 4.0 / 10, 4.0 / 5},
  };
  for (const Row& row : rows) {
    const RougeScore score = rouge(row.hypothesis, Lines{row.reference}, {.stem = row.stem});
    expect(score.*row.part, row.precision, row.recall, row.why);
  }
}

const std::string test = "testing one two";  // rouge_score's own rouge_scorer_test.py
const Row hand_computed[]{
    {"rouge_scorer_test: 1/1, 1/3", "testing", test, r1, 1, 1.0 / 3},
    {"rouge_scorer_test: 1/1, 1/2", "testing one", test, r2, 1, 1.0 / 2},
    {"rouge_scorer_test, in a row: 2/2, 2/3", "testing one", test, rl, 1, 2.0 / 3},
    {"rouge_scorer_test, with a gap: 2/2, 2/3", "testing two", test, rl, 1, 2.0 / 3},
    {"rouge_scorer_test: nothing said", "", test, r1, 0, 0},
    {"nothing said, pairs", "", test, r2, 0, 0},
    {"nothing said, L", "", test, rl, 0, 0},
    {"nothing said, Lsum", "", test, rs, 0, 0},
    {"rouge_scorer_test: nothing expected", "w1", "", rs, 0, 0},
    {"rouge_scorer_test: no word at all", "/", "w1 w2 w3 w4 w5", rs, 0, 0},
    {"nothing against nothing is 0, not 1", "", "", r1, 0, 0},
    {"nothing against nothing, L", " ", "\n", rl, 0, 0},
    // n-grams, section 2
    {"itself", "a b c d", "a b c d", r1, 1, 1},
    {"itself, pairs", "a b c d", "a b c d", r2, 1, 1},
    {"itself, triples", "a b c d", "a b c d", r3, 1, 1},
    {"two words have no triples", "a b", "a b", r3, 0, 0},
    {"clipped: 2/7, 2/6", "the the the the the the the", "the cat is on the mat", r1, 2.0 / 7,
     2.0 / 6},
    {"clipped pairs: a a twice of three, 2/3, 2/3", "a a a a", "a a a b", r2, 2.0 / 3, 2.0 / 3},
    {"order does not matter to words: 3/3", "c b a", "a b c", r1, 1, 1},
    {"but to pairs", "c b a", "a b c", r2, 0, 0},
    {"triples: b c d of 3 and 2", "a b c d e", "x b c d", r3, 1.0 / 3, 1.0 / 2},
    {"pairs: b c, c d of 4 and 3", "a b c d e", "x b c d", r2, 2.0 / 4, 2.0 / 3},
    // words
    {"lower case", "The CAT", "the cat", r1, 1, 1},
    {"marks separate: u s and u s", "U.S.", "u s", r2, 1, 1},
    {"don't is don t: 1/2, 1/1", "don't", "don", r1, 1.0 / 2, 1},
    {"3.14 is 3 14", "3.14", "3,14", r2, 1, 1},
    {"an underscore separates", "a_b", "a b", r2, 1, 1},
    {"é is no letter here: caf, 1/1", "café", "caf", r1, 1, 1},
    {"nor is any of 日本", "日本", "日本", r1, 0, 0},
    {"the Kelvin sign lowers to k", "\u212A", "k", r1, 1, 1},
    {"dotted I lowers to i and a dot above: i stanbul", "\u0130stanbul", "i stanbul", r2, 1, 1},
    // longest common subsequences, section 3.1
    {"a b d of a b c d and a x b y d", "a b c d", "a x b y d", rl, 3.0 / 4, 3.0 / 5},
    {"one of a b and b a", "a b", "b a", rl, 1.0 / 2, 1.0 / 2},
    {"lines do not matter to L: a b c", "a b\nc", "a\nb c", rl, 1, 1},
    {"a reference twice as long", "a b", "a x b y", rl, 1, 2.0 / 4},
    // section 3.2
    {"one line: as L", "a b c d", "a x b y d", rs, 3.0 / 4, 3.0 / 5},
    {"sentences in another order: all of 4", "c d\na b", "a b\nc d", rs, 1, 1},
    {"L sees one of the two only", "c d\na b", "a b\nc d", rl, 1.0 / 2, 1.0 / 2},
    {"said once, a counts once: a of 2, a of 2", "a b", "a c\na d", rs, 1.0 / 2, 1.0 / 4},
    {"expected once, a counts once", "a c\na d", "a b", rs, 1.0 / 4, 1.0 / 2},
    {"blank lines are nothing", "\n\na b\n \n", "a b", rs, 1, 1},
    {"of x y z and y x one word is taken, not both: with z 2 of 3", "y x\nz", "x y z", rs, 2.0 / 3,
     2.0 / 3},
    // stems
    {"unstemmed", "running dogs", "runs dog", r1, 0, 0},
    {"run and dog", "running dogs", "runs dog", r1, 1, 1, true},
    {"three letters stay: was is no wa", "was", "wa", r1, 0, 0, true},
    {"four do not: does and doe", "does", "doe", r1, 1, 1, true},
    {"stems in pairs: nation run", "national running", "nation run", r2, 1, 1, true},
    {"stems in a subsequence", "nations x running", "national run", rl, 2.0 / 3, 2.0 / 2, true},
    {"stems in Lsum", "nations x\nrunning", "run\nnational", rs, 2.0 / 3, 2.0 / 2, true},
};

TEST(Rouge, HandComputedLines) {
  for (const Row& row : hand_computed) {
    const RougeScore score = rouge(row.hypothesis, Lines{row.reference}, {.stem = row.stem});
    expect(score.*row.part, row.precision, row.recall, row.why);
  }
}

// As score_multi of rouge_score: each score uses the reference with the highest F.
TEST(Rouge, TakesTheBestReferenceOfEachScore) {
  const RougeScore score = rouge("a b c", Lines{"c b a", "a b x y"});
  expect(score.rouge1, 1, 1, "c b a");
  expect(score.rouge2, 1.0 / 2, 1.0 / 3, "a b x y");
  expect(score.rougeL, 2.0 / 3, 2.0 / 4, "a b x y");
  EXPECT_THROW(rouge("a", {}), Error);
}

TEST(Rouge, AveragesOverLines) {
  const RougeScore score =
      mean_rouge(Lines{"a b", "", "x"}, std::vector<Lines>{{"a b", "c", "x y z"}});
  EXPECT_NEAR(score.rouge1.precision, (1 + 0 + 1) / 3.0, 1e-12);
  EXPECT_NEAR(score.rouge1.recall, (1 + 0 + 1.0 / 3) / 3, 1e-12);
  EXPECT_NEAR(score.rouge1.fmeasure, (1 + 0 + 1.0 / 2) / 3, 1e-12)
      << "the mean of F, not F of the means";
  EXPECT_NEAR(score.rouge2.fmeasure, 1.0 / 3, 1e-12);
  EXPECT_EQ(rouge_signature(2, {.stem = true}),
            "nrefs:2|stem:yes|version:" + std::string(metrics_version));
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([] { mean_rouge(Lines{}, std::vector<Lines>{{}}); }),
            "[rouge] expected at least one line; got none");
  EXPECT_EQ(folder.message([] {
    mean_rouge(Lines{"a"}, std::vector<Lines>{{"a", "b"}});
  }),
            "[rouge] expected as many lines in reference 1 as hypotheses, 1; got 2");
}

// Compares with the whole table. Few distinct words give many longest subsequences; long texts need
// more than 64 columns.
TEST(Lcs, FollowsTheTable) {
  std::uint32_t state = 7;
  const auto some = [&](std::uint32_t most) {
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % most;
  };
  for (int round = 0; round < 300; ++round) {
    const std::uint32_t longest = round % 3 == 0 ? 300 : 20;
    const std::uint32_t words = 1 + some(round % 2 ? 3 : 40);
    std::vector<std::uint32_t> a(some(longest));
    std::vector<std::uint32_t> b(some(longest));
    for (auto& x : a)
      x = some(words);
    for (auto& x : b)
      x = some(words);
    std::vector<std::vector<Index>> table(a.size() + 1, std::vector<Index>(b.size() + 1));
    for (std::size_t i = 1; i <= a.size(); ++i)
      for (std::size_t j = 1; j <= b.size(); ++j)
        table[i][j] = a[i - 1] == b[j - 1] ? table[i - 1][j - 1] + 1
                                           : std::max(table[i - 1][j], table[i][j - 1]);
    std::vector<std::size_t> back;
    for (std::size_t i = a.size(), j = b.size(); i > 0 && j > 0;) {
      if (a[i - 1] == b[j - 1]) {
        back.insert(back.begin(), --i);
        --j;
      } else
        table[i][j - 1] > table[i - 1][j] ? --j : --i;
    }
    EXPECT_EQ(lcs_length(a, b), table[a.size()][b.size()]);
    EXPECT_EQ(lcs_positions(a, b), back)
        << a.size() << " and " << b.size() << " words of " << words;
  }
}

TEST(Lcs, TakesLongDocuments) {
  const std::vector<std::uint32_t> same(50'000, 1);
  std::vector<std::uint32_t> other = same;
  other[10] = 2;
  EXPECT_EQ(lcs_length(same, other), 49'999);
  EXPECT_EQ(lcs_positions(other, same).size(), 49'999u);
}

TEST(Perplexity, PerTokenAndPerCharacter) {
  // 8 words to choose from, 3 characters each
  const Perplexity uniform{.nats = 10 * std::log(8.0), .tokens = 10, .characters = 30};
  EXPECT_NEAR(uniform.per_token(), 8, 1e-12);
  EXPECT_NEAR(uniform.per_character(), 2, 1e-12);
  EXPECT_NEAR(uniform.bits_per_character(), 1, 1e-12);
  EXPECT_TRUE(std::isnan(Perplexity{}.per_token()));
}

}  // namespace
}  // namespace heed
