#include "datasets/metrics/metrics.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "datasets/metrics/bleu.h"
#include "datasets/metrics/chrf.h"
#include "datasets/metrics/rouge.h"
#include "datasets/metrics/version.h"
#include "datasets/text/text_file.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"

namespace heed {
namespace {

using Lines = std::vector<std::string>;

const std::string version = "|version:" + std::string(metrics_version);
// Three of four words, two of three pairs, one of two triples, and 1/(2*1), smoothed.
const double three_of_four = 100 * std::pow(1.0 / 8, 0.25);

TEST(Metrics, ScoreTwoFilesByName) {
  const TemporaryFolder folder;
  const std::string out = folder.write("out.txt", "ab cd\n");
  const std::string ref = folder.write("ref.txt", "abc e\n");
  const MetricScore bleu =
      score("bleu", read_lines(out), {read_lines(ref)}, {{"tokenize", "char"}});
  EXPECT_NEAR(bleu.at("score"), three_of_four, 1e-9);
  EXPECT_EQ(bleu.signature, "nrefs:1|case:mixed|eff:no|tok:char|smooth:exp" + version);
  const MetricScore rouge = score("rouge", read_lines(out), {read_lines(ref), read_lines(out)});
  EXPECT_EQ(rouge.at("rougeL.recall"), 1);
  EXPECT_EQ(rouge.signature, "nrefs:2|stem:no" + version);
}

struct ScoreRow {
  const char* metric;
  Lines hypotheses;
  std::vector<Lines> references;
  MetricOptions options;
  const char* figure;
  double value;
};

const ScoreRow score_rows[]{
    {"bleu", {"a b c x"}, {{"a b c d"}}, {}, "score", three_of_four},
    {"bleu", {"A B C X"}, {{"a b c d"}}, {{"lowercase", true}}, "score", three_of_four},
    {"bleu",
     {"a b c x"},
     {{"a b c d"}},
     {{"smooth", "floor"}, {"smooth_value", 0.5}},
     "score",
     three_of_four},
    // 3/4, 3/4, 2/3, 1/2; a whole number is a number
    {"bleu",
     {"a b c x"},
     {{"a b c d"}},
     {{"smooth", "add-k"}, {"smooth_value", 1}},
     "score",
     100 * std::pow(3.0 / 16, 0.25)},
    {"bleu", {"Hello world"}, {{"Hello world"}}, {{"effective_order", true}}, "score", 100},
    {"chrf", {"a b c x"}, {{"a b c d"}}, {}, "score", 100 * 23.0 / 48},
    {"chrf",
     {"A B C X"},
     {{"a b c d"}},
     {{"word_order", 2}, {"lowercase", true}},
     "score",
     100 * (23.0 / 12 + 3.0 / 4 + 2.0 / 3) / 6},
    {"rouge", {"a runs", "b"}, {{"a running", "c"}}, {}, "rouge1.fmeasure", 0.25},
    {"rouge", {"a runs", "b"}, {{"a running", "c"}}, {{"stem", true}}, "rouge1.fmeasure", 0.5},
    {"rouge", {"a b"}, {{"a b c d"}}, {}, "rougeL.precision", 1},
    {"rouge", {"a b"}, {{"a b c d"}}, {}, "rouge1.recall", 0.5},
    {"exact", {"a", "b", "c", "d"}, {{"a", "B", "c ", "x"}}, {}, "score", 0.25},
    {"exact", {"a", "b", "c", "d"}, {{"a", "x", "x", "x"}, {"a", "b", "x", "c"}}, {}, "score", 0.5},
};

TEST(Metrics, OptionsAreGivenByName) {
  for (const ScoreRow& row : score_rows)
    EXPECT_NEAR(score(row.metric, row.hypotheses, row.references, row.options).at(row.figure),
                row.value, 1e-9)
        << row.metric << " " << row.figure << " " << row.hypotheses[0];
}

struct BadRow {
  const char* metric;
  MetricOptions options;
  const char* message;
};

const BadRow bad_rows[]{
    {"bleu", {{"tokenize", "x"}}, "tokenize: expected one of 13a, intl, char, zh, none; got 'x'"},
    {"bleu",
     {{"smooth", "flor"}},
     "smooth: expected one of exp, floor, add-k, none; got 'flor'; did you mean floor?"},
    {"bleu",
     {{"smooth", "floor"}, {"smooth_value", -1.0}},
     "smooth_value: expected a number of at least 0; got -1"},
    {"bleu",
     {{"smooth", "none"}, {"smooth_value", 0.5}},
     "smooth_value: expected no value with smooth none; got 0.5"},
    {"bleu", {{"lowercase", "yes"}}, "lowercase: expected true or false; got 'yes'"},
    {"bleu",
     {{"lower", true}},
     "[bleu] expected an option of tokenize, smooth, smooth_value, lowercase, effective_order; got "
     "'lower'"},
    {"chrf", {{"word_order", 1}}, "word_order: expected 0 (chrF) or 2 (chrF++); got 1"},
    {"chrf",
     {{"lowercas", true}},
     "[chrf] expected an option of word_order, lowercase; got 'lowercas'; did you mean lowercase?"},
    {"rouge", {{"stem", 1}}, "stem: expected true or false; got 1"},
    {"exact", {{"lowercase", true}}, "[exact] expected no options; got 'lowercase'"},
};

TEST(Metrics, BadOptionsAreOneLine) {
  for (const BadRow& row : bad_rows)
    EXPECT_EQ(message_of([&] { score(row.metric, Lines{"a"}, {Lines{"a"}}, row.options); }),
              row.message);
  const std::string unknown = message_of([&] { score("meteor", Lines{"a"}, {Lines{"a"}}); });
  EXPECT_TRUE(unknown.starts_with("[metric] expected a name of bleu, chrf, rouge, exact"))
      << unknown;
  EXPECT_TRUE(unknown.ends_with("; got 'meteor'")) << unknown;
}

TEST(Metrics, RefuseLinesThatDoNotFit) {
  for (const char* name : {"bleu", "chrf", "rouge", "exact"}) {
    const std::string op = fmt::format("[{}] expected ", name);
    EXPECT_EQ(message_of([&] { score(name, {}, {Lines{}}); }), op + "at least one line; got none");
    EXPECT_EQ(message_of([&] { score(name, Lines{"a"}, {}); }),
              op + "at least one reference; got none");
    EXPECT_EQ(message_of([&] {
                score(name, Lines{"a"}, {Lines{"a"}, Lines{"a", "b"}});
              }),
              op + "as many lines in reference 2 as hypotheses, 1; got 2");
  }
  const MetricScore exact = score("exact", Lines{"a"}, {Lines{"a"}});
  EXPECT_EQ(message_of([&] { exact.at("scor"); }),
            "[metric] expected a figure of score; got 'scor'; did you mean score?");
}

TEST(Metrics, EveryRowIsWhole) {
  for (const Metric& metric : metrics().rows()) {
    EXPECT_NE(metric.help, "") << metric.name;
    const bool texts = metric.scored == Scored::texts;
    const Lines references = texts ? Lines{"a b", "c"} : Lines{"a b"};
    const std::string scored = metric.scored == Scored::nats ? "1.5" : "a b";
    const MetricScore line = metric.score_line(scored, references, metric.options);
    ASSERT_FALSE(metric.main.empty()) << metric.name;
    for (const std::string& name : metric.main)
      EXPECT_GT(line.at(name), -1) << metric.name;
    const std::string number = fmt::format("nrefs:{}", references.size());
    EXPECT_NE(line.signature.find(number), std::string::npos) << line.signature;
    EXPECT_EQ(metric.counts == nullptr, metric.of_sum == nullptr) << metric.name;
    EXPECT_TRUE(line.text.ends_with("\n")) << metric.name;
    AnyOptions options = metric.options;
    const Fields fields = fields_of(options);
    for (const Field& field : fields) {
      EXPECT_EQ(message_of([&] { field.check(); }), "") << metric.name << " " << field.key();
      EXPECT_NE(field.help(), "") << metric.name << " " << field.key();
    }
  }
}

TEST(Metrics, SayWhatTheyScore) {
  for (const char* name : {"bleu", "chrf", "rouge", "exact"})
    EXPECT_EQ(metrics().at(name).scored, Scored::texts) << name;
  for (const char* name : {"accuracy", "macro_f1", "confusion"})
    EXPECT_EQ(metrics().at(name).scored, Scored::labels) << name;
  EXPECT_EQ(metrics().at("bits_per_character").scored, Scored::nats);
}

TEST(Metrics, BitsPerCharacterAreOfNatsAndTheirTexts) {
  const double bit = std::log(2.0);
  const Lines nats{fmt::format("{}", 3 * bit), fmt::format("{}", 9 * bit)};
  // 3 and 3 characters: 12 bits of 6.
  EXPECT_NEAR(score("bits_per_character", nats, {Lines{"abc", "d\né"}}).at("score"), 2, 1e-12);
  for (const std::string bad : {"", "x", "-1", "1 2", "nan", "inf"})
    EXPECT_EQ(message_of([&] { score("bits_per_character", Lines{bad}, {Lines{"a"}}); }),
              "[bits_per_character] expected a number of nats of at least 0; got '" + bad + "'");
  EXPECT_EQ(message_of([&] {
              score("bits_per_character", Lines{"1"}, {Lines{"a"}, Lines{"b"}});
            }),
            "[bits_per_character] expected one text for each number; got 2");
}

TEST(Metrics, ScoreEachItem) {
  const Lines outputs{"a b c x", "a b"};
  const std::vector<Lines> references{{"a b c d", "a b"}, {"y", "c"}};
  struct Row {
    const char* metric;
    std::vector<double> scores;
  };
  // BLEU of a line has effective order.
  for (const Row& row :
       {Row{"bleu", {three_of_four, 100}}, Row{"rouge", {0.75, 1}}, Row{"exact", {0, 1}}}) {
    const Metric& metric = metrics().at(row.metric);
    const std::vector<double> found = metric.item_scores(outputs, references, metric.options);
    ASSERT_EQ(found.size(), row.scores.size()) << row.metric;
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], row.scores[i], 1e-9) << row.metric << " " << i;
  }
  for (const char* name : {"accuracy", "macro_f1"}) {
    const Metric& metric = metrics().at(name);
    EXPECT_EQ(metric.item_scores(Lines{"a", "b"}, std::vector<Lines>{{"a", "c"}}, metric.options),
              (std::vector<double>{1, 0}))
        << name;
  }
}

TEST(Metrics, ALineOfBleuHasEffectiveOrder) {
  const Metric& bleu = metrics().at("bleu");
  const MetricScore line = bleu.score_line("Hello world", Lines{"Hello world"}, bleu.options);
  EXPECT_NEAR(line.at("score"), 100, 1e-9);
  EXPECT_EQ(score("bleu", Lines{"Hello world"}, {Lines{"Hello world"}}).at("score"), 0)
      << "a corpus has no trigrams";
}

TEST(Metrics, ScoresOfALineAreThoseOfTheFunctions) {
  const std::string hypothesis = "the cats sat";
  const Lines references{"the cat sat down", "a cat sits"};
  const auto line = [&](const char* name) {
    const Metric& metric = metrics().at(name);
    return metric.score_line(hypothesis, references, metric.options);
  };
  EXPECT_EQ(line("bleu").at("score"), sentence_bleu(hypothesis, references).score);
  EXPECT_EQ(line("chrf").at("score"), sentence_chrf(hypothesis, references).score);
  EXPECT_EQ(line("rouge").at("rougeL.fmeasure"), rouge(hypothesis, references).rougeL.fmeasure);
}

/// A metric of a program: how many of a line's letters are one of some letters.
struct LetterOptions {
  std::string letter = "a";
  Index most = 10;

  void list(Fields& f) {
    f("letter", letter, one_of({"a", "b"}), "what to count");
    f("most", most, between(Index{1}, Index{100}), "the largest count");
  }
};

MetricScore count_letters(std::span<const std::string> hypotheses,
                          std::span<const Lines> references, const AnyOptions& any) {
  const auto& options = any.as<LetterOptions>();
  Index count = 0;
  for (const std::string& line : hypotheses)
    count += std::count(line.begin(), line.end(), options.letter[0]);
  return {.figures = {{"score", static_cast<double>(std::min(count, options.most))}},
          .signature = fmt::format("nrefs:{}|letter:{}", references.size(), options.letter),
          .text = "letters\n"};
}

TEST(Metrics, AProgramAddsItsOwn) {
  const Metric letters{.name = "letters",
                       .help = "number of letters",
                       .options = LetterOptions{},
                       .higher_is_better = false,
                       .corpus = count_letters};
  if (!metrics().find("letters")) metrics().add(letters);
  const Lines lines{"aab", "abab"};
  EXPECT_EQ(score("letters", lines, {lines}).at("score"), 4);
  EXPECT_EQ(score("letters", lines, {lines}, {{"letter", "b"}}).at("score"), 3);
  EXPECT_EQ(score("letters", lines, {lines}, {{"letter", "b"}, {"most", 2}}).at("score"), 2);
  EXPECT_EQ(score("letters", lines, {lines}).at("score"), 4) << "the defaults stay";
  EXPECT_EQ(message_of([&] {
              score("letters", lines, {lines}, {{"most", 0}});
            }),
            "most: expected a whole number from 1 to 100; got 0");
  const Metric& row = metrics().at("letters");
  EXPECT_EQ(row.score_line("aba", lines, row.options).at("score"), 2) << "a corpus of one line";
  EXPECT_FALSE(row.higher_is_better);
  EXPECT_EQ(message_of([&] { metrics().add(letters); }),
            "[metric] there is one of the name letters already");
}

}  // namespace
}  // namespace heed
