#include <random>
#include <set>

#include <fmt/format.h>

#include "experiments/report/number_text.h"
#include "tests/cli/program.h"

// The output of --nbest, and how numbers are printed.

namespace heed {
namespace {

struct Entry {
  std::string rank;
  std::string score;
  std::string text;
};

/// The lists of --nbest, one for each line of input; a malformed line is a failure.
std::vector<std::vector<Entry>> lists_of(const std::string& out) {
  std::vector<std::vector<Entry>> lists(1);
  EXPECT_TRUE(out.ends_with("\n\n") || out == "\n") << out;
  for (const std::string& line : lines_of(out)) {
    if (line.empty()) {
      lists.emplace_back();
      continue;
    }
    const auto first = line.find('\t');
    const auto second = line.find('\t', first + 1);
    if (second == std::string::npos) {
      ADD_FAILURE() << "not rank, score and text: " << line;
      continue;
    }
    lists.back().push_back({line.substr(0, first), line.substr(first + 1, second - first - 1),
                            line.substr(second + 1)});
  }
  lists.pop_back();
  return lists;
}

/// Ranks from 1, scores of six digits, texts that differ.
void expect_good(const std::vector<Entry>& list, const std::string& what) {
  std::set<std::string> texts;
  for (std::size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(list[i].rank, std::to_string(i + 1)) << what;
    EXPECT_EQ(list[i].score.size() - list[i].score.find('.') - 1, 6u)
        << what << ": " << list[i].score;
    EXPECT_NE(list[i].score, "-0.000000") << what;
    texts.insert(list[i].text);
  }
  EXPECT_EQ(texts.size(), list.size()) << what << ": a text twice";
}

/// "run" reverses words, which are cut into subwords in several ways. "sure" has learnt one line.
class NBest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    std::mt19937 random(9);
    std::vector<std::string> words;
    for (int i = 0; i < 40; ++i) {
      std::string word;
      for (unsigned long j = 0; j < 2 + random() % 3; ++j)
        word += fmt::format("{}{}", "bcdfglmnprst"[random() % 12], "aeiou"[random() % 5]);
      words.push_back(word);
    }
    std::string source;
    std::string target;
    std::string same;
    for (int i = 0; i < 300; ++i) {
      const std::string& word = words[random() % words.size()];
      source += word + "\n";
      target += std::string(word.rbegin(), word.rend()) + "\n";
      if (i < 20) words_ += word + "\n";
    }
    for (int i = 0; i < 60; ++i)
      same += "a b c\n";
    folder_->write("source", source);
    folder_->write("target", target);
    folder_->write("same", same);
    const Args tiny = {"--set",     "model.d=16",
                       "--set",     "model.layers=1",
                       "--set",     "model.heads=2",
                       "--set",     "train.eval_every=0",
                       "--set",     "optim.warmup=5",
                       "--set",     "optim.lr=0.02",
                       "--threads", "1"};
    const Args subwords = {"train",   "--train",
                           "source",  "target",
                           "--model", "transformer",
                           "--out",   "run",
                           "--steps", "60",
                           "--set",   "data.tokenizer=bpe",
                           "--set",   "data.subword_sampling=0.3"};
    const Args sure = {"train", "--train", "same",    "same", "--model", "rnn",
                       "--out", "sure",    "--steps", "60",   "--set",   "data.min_count=1"};
    for (const Args& args : {subwords + tiny, sure + tiny}) {
      const Ran ran = run(*folder_, args);
      ASSERT_EQ(ran.code, 0) << ran.err;
    }
  }
  static void TearDownTestSuite() { delete folder_; }

  static std::string translated(const Args& more, const std::string& input,
                                const char* name = "run") {
    const Ran ran = run(*folder_, Args{"translate", "--run", name, "--threads", "1"} + more, input);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.err, "");
    return ran.out;
  }
  static const std::string& words() { return words_; }

 private:
  static inline TemporaryFolder* folder_ = nullptr;
  static inline std::string words_;
};

TEST_F(NBest, GivesTextsThatDiffer) {
  for (const Args& way :
       {Args{"--nbest", "5"}, Args{"--nbest", "3", "--beam", "3"},
        Args{"--nbest", "2", "--beam", "9"}, Args{"--nbest", "5", "--coverage-penalty", "0.5"},
        Args{"--nbest", "5", "--sample"}}) {
    const std::string what = fmt::format("{}", fmt::join(way, " "));
    const auto lists = lists_of(translated(way, words()));
    ASSERT_EQ(lists.size(), lines_of(words()).size()) << what;
    std::size_t entries = 0;
    for (const auto& list : lists) {
      expect_good(list, what);
      entries += list.size();
    }
    const std::size_t wanted = lists.size() * static_cast<std::size_t>(std::stoi(way[1]));
    EXPECT_EQ(entries, wanted) << what << ": there are more texts to be had";
  }
}

TEST_F(NBest, BeginsWithTheTranslationAndFallsFromThere) {
  for (const char* beam : {"1", "2", "5", "8"}) {
    const std::string one = translated({"--beam", beam}, words());
    const auto lists = lists_of(translated({"--beam", beam, "--nbest", beam}, words()));
    const auto best = lines_of(one);
    ASSERT_EQ(lists.size(), best.size());
    for (std::size_t i = 0; i < lists.size(); ++i) {
      ASSERT_FALSE(lists[i].empty());
      EXPECT_EQ(lists[i][0].text, best[i]) << "beam " << beam;
      for (std::size_t j = 1; j < lists[i].size(); ++j)
        EXPECT_LE(std::stod(lists[i][j].score), std::stod(lists[i][j - 1].score))
            << "beam " << beam;
    }
  }
  const auto drawn = lists_of(translated({"--sample", "--nbest", "5"}, words()));
  const auto first = lines_of(translated({"--sample"}, words()));
  for (std::size_t i = 0; i < drawn.size(); ++i)
    EXPECT_EQ(drawn[i].at(0).text, first[i]);
}

TEST_F(NBest, GivesFewerWhereThereAreNoMoreTexts) {
  const auto greedy =
      lists_of(translated({"--sample", "--temperature", "0", "--nbest", "4"}, words()));
  for (const auto& list : greedy)
    EXPECT_EQ(list.size(), 1u) << "every draw is the same";
  // One token of a, b, c and <unk>, or nothing at all.
  for (const Args& way : {Args{"--max-length", "1", "--nbest", "20"},
                          Args{"--max-length", "1", "--sample", "--nbest", "20"}}) {
    const auto lists = lists_of(translated(way, "a b c\n", "sure"));
    ASSERT_EQ(lists.size(), 1u);
    expect_good(lists[0], "one token");
    EXPECT_LE(lists[0].size(), 5u);
  }
}

TEST_F(NBest, PrintsEveryNAlike) {
  for (const Args& way : {Args{}, Args{"--sample"}})
    for (const char* n : {"1", "2", "3"}) {
      const std::string what = fmt::format("{} --nbest {}", fmt::join(way, " "), n);
      const auto lists = lists_of(translated(way + Args{"--nbest", n}, "a b c\n\na b\n", "sure"));
      ASSERT_EQ(lists.size(), 3u) << what;
      EXPECT_TRUE(lists[1].empty()) << what << ": of a blank line the blank line after them alone";
      for (const auto& list : lists) {
        expect_good(list, what);
        EXPECT_LE(list.size(), static_cast<std::size_t>(std::stoi(n))) << what;
      }
      EXPECT_FALSE(lists[0].empty()) << what;
    }
  EXPECT_EQ(translated({}, "a b c\n\n", "sure"), "a b c\n\n") << "without --nbest the text alone";
}

TEST(Numbers, HaveNoNegativeZero) {
  struct Row {
    double value;
    int digits;
    const char* fixed;
    const char* with_sign;
  };
  for (const Row& row :
       {Row{0, 2, "0.00", "+0.00"}, Row{-0.0, 2, "0.00", "+0.00"}, Row{-0.004, 2, "0.00", "+0.00"},
        Row{0.004, 2, "0.00", "+0.00"}, Row{-0.006, 2, "-0.01", "-0.01"},
        Row{-4e-7, 6, "0.000000", "+0.000000"}, Row{-12.5, 1, "-12.5", "-12.5"},
        Row{10, 0, "10", "+10"}, Row{-0.3, 0, "0", "+0"}}) {
    EXPECT_EQ(report::fixed(row.value, row.digits), row.fixed) << row.value;
    EXPECT_EQ(report::signed_fixed(row.value, row.digits), row.with_sign) << row.value;
  }
}

}  // namespace
}  // namespace heed
