#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace heed {
namespace {

using Json = nlohmann::json;

const std::string version = "|version:heed-0.1.0";

/// Runs `heed score ... --json` and reads what it prints.
Json score(const TemporaryFolder& folder, const Args& args, const std::string& input = "") {
  const Ran ran = run(folder, Args{"score"} + args + Args{"--json"}, input);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  EXPECT_TRUE(ran.out.ends_with("\n"));
  return Json::parse(ran.out, nullptr, false);
}

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items())
    names.push_back(name);
  return names;
}

struct ScoreRow {
  Args args;
  double score;
  std::string signature;
};

// The precisions 3/4, 2/3, 1/2 and, smoothed, 1/(2*1).
const double quarter = 100 * std::pow(1.0 / 8, 0.25);

const ScoreRow score_rows[]{
    {{"--metric", "bleu", "--hyp", "cat", "--ref", "cat"},
     100,
     "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"},
    {{"--metric", "bleu", "--hyp", "hello", "--ref", "hello"},
     0,
     "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"},
    {{"--metric", "bleu", "--hyp", "abcx", "--ref", "abcd"},
     quarter,
     "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"},
    {{"--metric", "bleu", "--hyp", "ABCX", "--ref", "abcd", "--lowercase"},
     quarter,
     "nrefs:1|case:lc|eff:no|tok:13a|smooth:exp"},
    {{"--metric", "bleu", "--hyp", "abcx", "--ref", "abcd", "--smooth", "none", "--tokenize",
      "intl"},
     0,
     "nrefs:1|case:mixed|eff:no|tok:intl|smooth:none"},
    {{"--metric", "bleu", "--hyp", "ABCX", "--ref", "abcd", "--lowercase=false"},
     0,
     "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"},
    {{"--metric", "bleu", "--hyp", "abcx", "--ref", "abcd", "--smooth", "floor", "--smooth-value",
      "0.5"},
     quarter,
     "nrefs:1|case:mixed|eff:no|tok:13a|smooth:floor[0.50]"},
    {{"--metric", "bleu", "--hyp", "abcx", "--ref", "hello", "abcd", "cat"},
     quarter,
     "nrefs:3|case:mixed|eff:no|tok:13a|smooth:exp"},
    {{"--metric", "chrf", "--hyp", "abcx", "--ref", "abcd"},
     100 * 23.0 / 48,
     "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no"},
    {{"--metric", "chrf", "--hyp", "abcx", "--ref", "abcd", "--word-order", "2"},
     100 * (23.0 / 12 + 3.0 / 4 + 2.0 / 3) / 6,
     "nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no"},
    {{"--metric", "chrf", "--hyp", "ABCX", "--ref", "abcx", "--lowercase"},
     100,
     "nrefs:1|case:lc|eff:yes|nc:6|nw:0|space:no"},
    {{"--metric", "exact", "--hyp", "abcx", "--ref", "abcd"}, 0, "nrefs:1"},
    {{"--metric", "exact", "--hyp", "abcx", "--ref", "abcd", "abcx"}, 1, "nrefs:2"},
};

TEST(Score, PrintsJson) {
  const TemporaryFolder folder;
  folder.write("cat", "The cat is on the mat.\n");
  folder.write("hello", "Hello world\n");
  folder.write("abcx", "a b c x\n");
  folder.write("abcd", "a b c d\n");
  folder.write("ABCX", "A B C X\n");
  for (const ScoreRow& row : score_rows) {
    const std::string what = fmt::format("{}", fmt::join(row.args, " "));
    const Json json = score(folder, row.args);
    ASSERT_TRUE(json.is_object()) << what;
    EXPECT_EQ(keys(json), (Args{"metric", "score", "signature"})) << what;
    EXPECT_EQ(json["metric"], row.args[1]) << what;
    EXPECT_NEAR(json["score"].get<double>(), row.score, 1e-9) << what;
    EXPECT_EQ(json["signature"], row.signature + version) << what;
  }
}

TEST(Score, PrintsRougeAsJson) {
  const TemporaryFolder folder;
  folder.write("runs", "a runs\nb\n");
  folder.write("running", "a running\nc\n");
  for (const bool stem : {false, true}) {
    const Json rouge =
        score(folder, Args{"--metric", "rouge", "--hyp", "runs", "--ref", "running"} +
                          (stem ? Args{"--stem"} : Args{}));
    EXPECT_EQ(keys(rouge), (Args{"metric", "rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"}));
    EXPECT_EQ(rouge["metric"], "rouge");
    for (const char* part : {"rouge1", "rougeL", "rougeLsum"}) {
      EXPECT_EQ(keys(rouge[part]), (Args{"fmeasure", "precision", "recall"}))
          << "in the parser's order";
      for (const auto& [name, value] : rouge[part].items())
        EXPECT_NEAR(value.get<double>(), stem ? 0.5 : 0.25, 1e-12) << part << name;
    }
    EXPECT_EQ(rouge["rouge2"]["recall"].get<double>(), stem ? 0.5 : 0.0);
    EXPECT_EQ(rouge["rouge3"]["fmeasure"].get<double>(), 0);
  }
}

/// Names of labels are values, never keys: they may hold dots, be numbers or be empty.
TEST(Score, PrintsConfusionAsJson) {
  const TemporaryFolder folder;
  folder.write("gold", "U.S.\nmetric\n0\n1.0\n0\n");
  folder.write("predicted", "U.S.\n0\n0\n\n0\n");
  const Json found =
      score(folder, {"--metric", "confusion", "--hyp", "predicted", "--ref", "gold"});
  EXPECT_EQ(keys(found), (Args{"cells", "metric", "right"}));
  EXPECT_EQ(found["right"], 3);
  std::vector<std::string> cells;
  for (const Json& cell : found["cells"])
    cells.push_back(fmt::format("{}>{}:{}", cell["gold"].get<std::string>(),
                                cell["predicted"].get<std::string>(), cell["count"].get<int>()));
  std::ranges::sort(cells);
  EXPECT_EQ(cells, (std::vector<std::string>{"0>0:2", "1.0>:1", "U.S.>U.S.:1", "metric>0:1"}));
}

TEST(Score, PrintsALineEach) {
  const TemporaryFolder folder;
  folder.write("hyp", "a\n\na b c x\n");
  folder.write("ref", "a\nb\na b c d\n");  // the blank line counts
  const Json bleu =
      score(folder, {"--metric", "bleu", "--hyp", "hyp", "--ref", "ref", "--sentence-level"});
  ASSERT_TRUE(bleu.is_array() && bleu.size() == 3) << bleu;
  const double expected[] = {100, 0, 100 * std::pow(1.0 / 8, 0.25)};
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(bleu[i]["score"].get<double>(), expected[i], 1e-9) << i;
  EXPECT_EQ(bleu[0]["signature"], "nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp" + version)
      << "with effective order";
  const Json rouge =
      score(folder, {"--metric", "rouge", "--hyp", "hyp", "--ref", "ref", "--sentence-level"});
  ASSERT_TRUE(rouge.is_array() && rouge.size() == 3) << rouge;
  EXPECT_EQ(rouge[1]["rouge1"]["fmeasure"].get<double>(), 0);
  EXPECT_EQ(rouge[2]["rougeL"]["fmeasure"].get<double>(), 0.75);
  EXPECT_EQ(score(folder, {"--metric", "chrf", "--hyp", "hyp", "--ref", "ref", "--sentence-level"})
                .size(),
            3u);

  const Ran text = run(
      folder, {"score", "--metric", "chrf", "--hyp", "hyp", "--ref", "ref", "--sentence-level"});
  EXPECT_EQ(text.out, "100.0000\n0.0000\n47.9167\n");
  EXPECT_EQ(text.err, "signature nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no" + version + "\n");
}

TEST(Score, PrintsTextAndReadsAPipe) {
  const TemporaryFolder folder;
  folder.write("ref", "a b c d\n");
  const Ran bleu =
      run(folder, {"score", "--metric", "bleu", "--hyp", "-", "--ref", "ref"}, "a b c x\n");
  EXPECT_EQ(bleu.code, 0) << bleu.err;
  EXPECT_EQ(bleu.out,
            "BLEU 59.4604   precisions 75.0/66.7/50.0/50.0, brevity penalty 1.000, 4 words for 4\n"
            "signature nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp" +
                version + "\n");
  const Ran chrf =
      run(folder, {"score", "--metric", "chrf", "--word-order", "2", "--hyp", "ref", "--ref", "-"},
          "a b c d\r\n");
  EXPECT_TRUE(chrf.out.starts_with("chrF2++ 100.0000\nsignature ")) << chrf.out << chrf.err;
  const Ran rouge = run(folder, {"score", "--metric", "rouge", "--hyp", "ref", "--ref", "ref"});
  EXPECT_EQ(lines_of(rouge.out).size(), 7u) << rouge.out;
  EXPECT_NE(rouge.out.find("rougeLsum     1.0000    1.0000    1.0000\n"), std::string::npos)
      << rouge.out;
}

struct BadScoreRow {
  Args args;
  int code;
  Args parts;  // of the error
};

Args with(const char* metric, const Args& more) {
  return Args{"--metric", metric, "--hyp", "one", "--ref", "one"} + more;
}

const BadScoreRow bad_rows[]{
    {{"--metric", "bleu", "--hyp", "one", "--ref", "two"}, 1, {"one: has 1 line and two has 2"}},
    {{"--metric", "rouge", "--hyp", "two", "--ref", "two", "one"},
     1,
     {"two: has 2 lines and one has 1"}},
    {{"--metric", "bleu", "--hyp", "nowhere", "--ref", "two"}, 1, {"nowhere: no such file"}},
    {{"--metric", "bleu", "--hyp", "empty", "--ref", "two"}, 1, {"empty: is empty"}},
    {{"--metric", "bleu", "--hyp", "two", "--ref", "latin"}, 1, {"latin:2: malformed UTF-8"}},
    {{"--metric", "bleu", "--hyp", "-", "--ref", "-"}, 2, {"standard input can be read only once"}},
    {{"--metric", "bleu", "--hyp", "one"}, 2, {"--ref"}},
    {{"--metric", "bleu", "--ref", "one"}, 2, {"--hyp"}},
    {{"--hyp", "one", "--ref", "one"}, 2, {"--metric"}},
    {with("meteor", {}), 2, {"--metric", "bleu"}},
    {with("bleu", {"--tokenize", "13b"}), 2, {"--tokenize", "13a"}},
    {with("bleu", {"--smooth", "flor"}), 2, {"--smooth", "floor"}},
    {with("bleu", {"--smooth", "floor", "--smooth-value", "-1"}),
     2,
     {"--smooth-value", "at least 0"}},
    {with("bleu", {"--smooth", "floor", "--smooth-value", "1e7"}), 1, {"[0, 1000000]"}},
    {with("bleu", {"--smooth", "add-k", "--smooth-value", "nan"}), 2, {"--smooth-value"}},
    {with("bleu", {"--smooth-value", "0.5"}),
     2,
     {"--smooth-value", "expected no value with smooth exp; got 0.5"}},
    {with("bleu", {"--word-order", "2"}), 2, {"--word-order", "--metric bleu"}},
    {with("bleu", {"--stem"}), 2, {"--stem", "--metric bleu"}},
    {with("chrf", {"--tokenize", "13a"}), 2, {"--tokenize", "--metric chrf"}},
    {with("chrf", {"--smooth", "exp"}), 2, {"--smooth", "--metric chrf"}},
    {with("chrf", {"--word-order", "1"}), 2, {"--word-order", "0 (chrF) or 2 (chrF++)"}},
    {with("chrf", {"--word-order", "two"}), 2, {"--word-order"}},
    {with("chrf", {"--stem"}), 2, {"--stem"}},
    {with("rouge", {"--lowercase"}), 2, {"--lowercase", "--metric rouge", "for bleu, chrf"}},
    {with("exact", {"--stem"}), 2, {"--stem", "--metric exact", "for rouge"}},
    {with("rouge", {"--smooth-value", "1"}), 2, {"--smooth-value"}},
    {with("rouge", {"--sentence-levle"}),
     2,
     {"--sentence-levle", "did you mean --sentence-level?"}},
};

TEST(Score, RefusesWhatItCannotScore) {
  const TemporaryFolder folder;
  folder.write("one", "a\n");
  folder.write("two", "a\nb\n");
  folder.write("empty", "");
  folder.write("latin", "a\n\xe9\n");
  for (const BadScoreRow& row : bad_rows) {
    const Ran ran = run(folder, Args{"score"} + row.args);
    const std::string what = fmt::format("{}: {}", fmt::join(row.args, " "), ran.err);
    EXPECT_EQ(ran.code, row.code) << what;
    EXPECT_EQ(ran.out, "") << what;
    EXPECT_TRUE(ran.err.starts_with("heed: error: ")) << what;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << what;
    for (const std::string& part : row.parts)
      EXPECT_NE(ran.err.find(part), std::string::npos) << "expected '" << part << "' in " << what;
  }
}

}  // namespace
}  // namespace heed
