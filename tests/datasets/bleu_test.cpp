#include "datasets/metrics/bleu.h"

#include <cmath>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "datasets/metrics/exact.h"
#include "datasets/metrics/tokenize.h"
#include "datasets/metrics/version.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

using Lines = std::vector<std::string>;

double root4(double x) { return 100 * std::pow(x, 0.25); }
const double e = std::exp(1.0);

struct Row {
  const char* why;
  Lines hypotheses;
  std::vector<Lines> references;
  BleuOptions options;
  double score;
};

const Lines papineni{"the the the the the the the"};
const Lines near{"a b c x"};
const Lines far{"a b c d"};  // matches 3, 2, 1, 0 of 4, 3, 2, 1
const Row hand_computed[]{
    {"itself, 7 words", {"The cat is on the mat."}, {{"The cat is on the mat."}}, {}, 100},
    {"two words have no trigrams: 0 of 0", {"Hello world"}, {{"Hello world"}}, {}, 0},
    {"two words, add 1: 2/2, 2/2, 1/1, 1/1",
     {"Hello world"},
     {{"Hello world"}},
     {.smooth = "add-k"},
     100},
    {"nothing matches: never smoothed", far, {{"e f g h"}}, {}, 0},
    {"nothing matches, floor", far, {{"e f g h"}}, {.smooth = "floor"}, 0},
    {"clipped at 2 of 7; then exp: 1/(2*6), 1/(4*5), 1/(8*4)",
     papineni,
     {{"the cat is on the mat"}},
     {},
     root4(2.0 / 7 * 1 / 12 * 1 / 20 * 1 / 32)},
    {"the same with the second reference of the paper: still 2 of 7",
     papineni,
     {{"the cat is on the mat"}, {"there is a cat on the mat"}},
     {},
     root4(2.0 / 7 * 1 / 12 * 1 / 20 * 1 / 32)},
    {"clip at the most of one reference, not the sum: 2/4, 1/3, 1/(2*2), 1/(4*1)",
     {"a a a a"},
     {{"a b c d"}, {"a a x y"}},
     {},
     root4(1.0 / 2 / 3 / 4 / 4)},
    {"all match, 4 words for 8: exp(1 - 8/4)", far, {{"a b c d e f g h"}}, {}, 100 / e},
    {"too long is not penalised: 4/5, 3/4, 2/3, 1/2", {"a b c d e"}, {far}, {}, root4(0.2)},
    {"refs of 3 and 5 words are as close to 4: the shorter, no penalty",
     far,
     {{"a b c d e"}, {"a b c"}},
     {},
     100},
    {"in the other order", far, {{"a b c"}, {"a b c d e"}}, {}, 100},
    {"refs of 9 and 5 words: 5 is closer, exp(1 - 5/4)",
     far,
     {{"a b c d e f g h i"}, {"a b c d e"}},
     {},
     100 * std::exp(-0.25)},
    {"counts add up over lines: 6/7, 4/5, 2/3, 1/2",
     {"a b c d e", "a b"},
     {{"a b c d x", "a b"}},
     {},
     root4(8.0 / 35)},
    {"an empty line costs length: 4 words for 6",
     {"a b c d", ""},
     {{"a b c d", "e f"}},
     {},
     100 * std::exp(-0.5)},
    {"nothing said", {""}, {far}, {}, 0},
    {"an empty reference has length 0", {"a b c d", "x"}, {{"a b c d", ""}}, {}, root4(4.0 / 5)},
    {"exp: 3/4 2/3 1/2, then 1/(2*1)", near, {far}, {}, root4(1.0 / 8)},
    {"floor 0.1: 3/4 2/3 1/2 0.1/1", near, {far}, {.smooth = "floor"}, root4(0.025)},
    {"floor 0.5", near, {far}, {.smooth = "floor", .smooth_value = 0.5}, root4(0.125)},
    {"floor 0", near, {far}, {.smooth = "floor", .smooth_value = 0.0}, 0},
    {"add 1, but not to words: 3/4 3/4 2/3 1/2", near, {far}, {.smooth = "add-k"}, root4(3.0 / 16)},
    {"add 2: 3/4 4/5 3/4 2/3", near, {far}, {.smooth = "add-k", .smooth_value = 2.0}, root4(0.3)},
    {"none", near, {far}, {.smooth = "none"}, 0},
    {"case counts", {"THE CAT SAT DOWN"}, {{"the cat sat down"}}, {}, 0},
    {"unless lowercased",
     {"THE ÉCOLE SAT DOWN"},
     {{"the école sat down"}},
     {.lowercase = true},
     100},
    {"13a splits punctuation", {"Hello, world!"}, {{"Hello , world !"}}, {}, 100},
    {"none does not", {"Hello, world!"}, {{"Hello , world !"}}, {.tokenize = "none"}, 0},
    {"entities", {"a &amp; b &lt;c&gt;"}, {{"a & b <c>"}}, {}, 100},
    {"a line end inside a segment: 'foo-' stays at the end, joins within",
     {"a b c foo-\n"},
     {{"a b c foo-"}},
     {},
     100},
    {"char: a b c d against a b c e, 3/4 2/3 1/2 1/2",
     {"ab cd"},
     {{"abc e"}},
     {.tokenize = "char"},
     root4(1.0 / 8)},
    {"zh: 我 爱 吃 鱼 against 我 爱 吃 肉",
     {"我爱吃鱼"},
     {{"我爱吃肉"}},
     {.tokenize = "zh"},
     root4(1.0 / 8)},
    {"13a: one word, nothing matches", {"我爱吃鱼"}, {{"我爱吃肉"}}, {}, 0},
    {"intl parts « and a of «a b c»: 5 of 5 words",
     {"«a b c»"},
     {{"« a b c »"}},
     {.tokenize = "intl"},
     100},
    {"13a does not: b alone of «a b c» matches, 1/3 1/(2*2) 1/(4*1), no 4-gram",
     {"«a b c»"},
     {{"« a b c »"}},
     {},
     0},
    {"3 references share the words, a b and c d two of 3 pairs: 4/4 2/3, then 1/(2*2) 1/(4*1)",
     {"a b c d"},
     {{"a b"}, {"x c d y"}, {"b q"}},
     {},
     root4(4.0 / 4 * 2 / 3 * 1 / 4 * 1 / 4)},
    {"effective order stops at two words: 2/2, 1/1",
     {"Hello world"},
     {{"Hello world"}},
     {.effective_order = true},
     100},
};

TEST(Bleu, HandComputedCorpora) {
  for (const Row& row : hand_computed)
    EXPECT_NEAR(corpus_bleu(row.hypotheses, row.references, row.options).score, row.score, 1e-9)
        << row.why;
}

// Figures from sacrebleu's own documentation and tests: README.md, test/test_bleu.py (partly as
// score / 100), test/test_sentence_bleu.py, and an example of its issue 98. They have three or more
// digits.
TEST(Bleu, PublishedFiguresOfCorpora) {
  const Lines readme{"The dog bit the man.", "It wasn't surprising.",
                     "The man had just bitten him."};
  const std::vector<Lines> references{
      {"The dog bit the man.", "It was not unexpected.", "The man bit him first."},
      {"The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."}};
  const Row corpora[]{
      {"test_bleu.py, default", readme, references, {}, 48.530827},
      {"none", readme, references, {.tokenize = "none"}, 49.1919566},
      {"13a", readme, references, {.tokenize = "13a"}, 48.530827},
      {"intl", readme, references, {.tokenize = "intl"}, 43.91623493},
      {"unsmoothed", readme, references, {.smooth = "none"}, 48.530827},
      {"empty lines are lines", {"", "", ""}, references, {}, 0},
      {"no match", {"this is a test", "another test"}, {{"ref1", "ref2"}}, {}, 0},
      {"a fest, floor 0.01",
       {"this is a fest"},
       {{"this is a test"}},
       {.smooth = "floor", .smooth_value = 0.01},
       22.3606797749979},
      {"floor 0.1",
       {"am I am a character sequence"},
       {{"I am a symbol string sequence a a"}},
       {.smooth = "floor"},
       15.55722182},
      {"floor 0",
       {"am I am a character sequence"},
       {{"I am a symbol string sequence a a"}},
       {.smooth = "floor", .smooth_value = 0.0},
       0},
  };
  for (const Row& row : corpora)
    EXPECT_NEAR(corpus_bleu(row.hypotheses, row.references, row.options).score, row.score, 1e-5)
        << row.why;
}

TEST(Bleu, PublishedFiguresOfSentences) {
  const std::string reference = "producţia de zahăr brut se exprimă în zahăr alb;";
  const std::string hypothesis =
      "Producția de zahăr primă va fi exprimată în ceea ce privește zahărul alb;";
  const std::pair<BleuOptions, double> sentences[]{
      {{}, 8.493},
      {{.smooth = "none"}, 0},
      {{.smooth = "floor"}, 4.51688},
      {{.smooth = "floor", .smooth_value = 0.5}, 10.10},
      {{.smooth = "add-k"}, 14.882},
      {{.smooth = "add-k", .smooth_value = 2.0}, 21.389},
      {{.tokenize = "none"}, 7.347},
      {{.tokenize = "intl"}, 8.493},
      {{.tokenize = "char"}, 40.8759},
      {{.tokenize = "char", .lowercase = true}, 42.0267},
  };
  for (const auto& [options, score] : sentences) {
    const BleuScore bleu = sentence_bleu(hypothesis, Lines{reference}, options);
    EXPECT_NEAR(bleu.score, score, 1e-3) << bleu.signature();
  }
}

TEST(Bleu, ShowsItsParts) {
  const BleuScore bleu =
      corpus_bleu(Lines{"a b c d e", "a b"}, std::vector<Lines>{{"a b c d x y", "a b z"}});
  EXPECT_EQ(bleu.matches, (std::array<Index, 4>{6, 4, 2, 1}));
  EXPECT_EQ(bleu.totals, (std::array<Index, 4>{7, 5, 3, 2}));
  EXPECT_EQ(bleu.sys_len, 7);
  EXPECT_EQ(bleu.ref_len, 9);
  EXPECT_DOUBLE_EQ(bleu.bp, std::exp(1 - 9.0 / 7));
  EXPECT_DOUBLE_EQ(bleu.precisions[0], 600.0 / 7);
  EXPECT_DOUBLE_EQ(bleu.precisions[3], 50);
  const BleuScore none = corpus_bleu(Lines{"a"}, std::vector<Lines>{{"b c"}});
  EXPECT_EQ(none.precisions, (std::array<double, 4>{0, 0, 0, 0}));
  EXPECT_DOUBLE_EQ(none.bp, 1 / e);
}

TEST(Bleu, Sentences) {
  const std::tuple<std::string, Lines, double> rows[]{
      {"a", {"a"}, 100},                     // order 1 alone
      {"Hello there", {"Hello world"}, 50},  // 1/2 and, smoothed, 1/(2*1)
      {"a b c", {"a b c d"}, 100 * std::exp(1 - 4.0 / 3)},
      {"", {"a"}, 0},
      {"a b c x", {"a b c d"}, root4(1.0 / 8)},
      {"a b", {"b a"}, 100 * std::sqrt(1.0 / 2)},  // 2/2 and, smoothed, 1/(2*1)
      // 1 and 3 words are equally close: the shorter counts, so there is no penalty
      {"a b", {"c", "a b c"}, 100},
      {"test", {"a test"}, 100 / e},  // test_bleu.py: 0.3678794411714425
      {"   ", {"a"}, 0},
  };
  for (const auto& [hypothesis, references, score] : rows)
    EXPECT_NEAR(sentence_bleu(hypothesis, references).score, score, 1e-9) << hypothesis;
}

TEST(Bleu, SignsItsScores) {
  const auto signature = [](const BleuOptions& options, std::size_t references) {
    return corpus_bleu(Lines{"a"}, std::vector<Lines>(references, Lines{"a"}), options).signature();
  };
  const std::string version = "|version:" + std::string(metrics_version);
  EXPECT_EQ(signature({}, 1), "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp" + version);
  EXPECT_EQ(
      signature({.tokenize = "none", .smooth = "floor", .lowercase = true, .effective_order = true},
                2),
      "nrefs:2|case:lc|eff:yes|tok:none|smooth:floor[0.10]" + version);
  EXPECT_EQ(signature({.smooth = "add-k", .smooth_value = 2.5}, 1),
            "nrefs:1|case:mixed|eff:no|tok:13a|smooth:add-k[2.50]" + version);

  std::ifstream file(HEED_SOURCE_DIR "/CMakeLists.txt");
  const std::string cmake{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(cmake.find("project(Heed VERSION " + std::string(metrics_version.substr(5)) + " "),
            std::string::npos);
}

TEST(Bleu, RefusesWhatItCannotScore) {
  const TemporaryFolder folder;
  const auto message = [&](const Lines& hypotheses, const std::vector<Lines>& references,
                           const BleuOptions& options) {
    return folder.message([&] { corpus_bleu(hypotheses, references, options); });
  };
  EXPECT_EQ(message({}, {{}}, {}), "[bleu] expected at least one line; got none");
  EXPECT_EQ(message({"a"}, {}, {}), "[bleu] expected at least one reference; got none");
  EXPECT_EQ(message({"a"}, {{"a"}, {"a", "b"}}, {}),
            "[bleu] expected as many lines in reference 2 as hypotheses, 1; got 2");
  EXPECT_TRUE(
      message({"a"}, {{"a"}}, {.tokenize = "13b"})
          .starts_with("unknown tokenizer '13b' for BLEU: expected 13a, intl, char, zh, none"));
  EXPECT_TRUE(message({"a"}, {{"a"}}, {.tokenize = "13b"}).ends_with("; did you mean 13a?"));
  EXPECT_EQ(
      message({"a"}, {{"a"}}, {.smooth = "flor"}),
      "unknown smoothing 'flor' for BLEU: expected exp, floor, add-k, none; did you mean floor?");
  EXPECT_EQ(message({"a"}, {{"a"}}, {.smooth = "floor", .smooth_value = -1.0}),
            "[bleu] expected a smoothing value within [0, 1000000]; got -1");
}

// The expected words were derived by hand from the rules of mteval-v13a.pl.
TEST(MetricTokenize, Rules13a) {
  const std::pair<std::string, Lines> rows[]{
      {"", {}},
      {"  ", {}},
      {"3.14 1,000", {"3.14", "1,000"}},
      {"2. .5 1.a", {"2", ".", ".", "5", "1", ".", "a"}},
      {"e.g. U.S.", {"e", ".", "g", ".", "U", ".", "S", "."}},
      {"... a..b", {".", ".", ".", "a", ".", ".", "b"}},
      {"5-3 10- x-1 well-known", {"5", "-", "3", "10", "-", "x-1", "well-known"}},
      {"don't 'a'", {"don't", "'a'"}},
      {"“curly” ‘q’ «g»", {"“curly”", "‘q’", "«g»"}},
      {"$5.00, 5%.", {"$", "5.00", ",", "5", "%", "."}},
      {"[a]{b}(c)<d> e_f/g~h`i", {"[", "a", "]", "{", "b", "}", "(", "c", ")", "<", "d",
                                  ">", "e", "_", "f", "/", "g", "~", "h", "`", "i"}},
      {"a:b;c=d?e@f!g\"h#i&j*k+l\\m^n|o",
       {"a", ":", "b", ";", "c", "=", "d", "?", "e",  "@", "f", "!", "g", "\"", "h",
        "#", "i", "&", "j", "*", "k", "+", "l", "\\", "m", "^", "n", "|", "o"}},
      {"&quot;hi&quot; &amp;lt; &nbsp;", {"\"", "hi", "\"", "<", "&", "nbsp", ";"}},
      {"a<skipped>b foo-\nbar c\nd", {"ab", "foobar", "c", "d"}},
      {"a\u00A0b\u3000c\td", {"a", "b", "c", "d"}},
      {"日本語。 é,è", {"日本語。", "é", ",", "è"}},
  };
  for (const auto& [line, words] : rows)
    EXPECT_EQ(bleu_tokenizer("13a")(line), words) << line;
  EXPECT_EQ(bleu_tokenizer("none")(" a,b  c.\t-d\u2003e "), (Lines{"a,b", "c.", "-d", "e"}));
}

// The expected words were derived by hand from mteval-v14.pl --international-tokenization:
// punctuation unless between digits, then every symbol. It adds no spaces at the ends, so nothing
// is split after a final number.
TEST(MetricTokenize, RulesIntl) {
  const std::pair<std::string, Lines> rows[]{
      {"", {}},
      {"Hello, world!", {"Hello", ",", "world", "!"}},
      {"3.14 1,000 5-3", {"3.14", "1,000", "5-3"}},
      {"in 1990.", {"in", "1990."}},
      {"in 1990. Then", {"in", "1990", ".", "Then"}},
      {".5 x", {".5", "x"}},
      {"x .5", {"x", ".", "5"}},
      {"10-year don't", {"10", "-", "year", "don", "'", "t"}},
      {"“curly” «g» …", {"“", "curly", "”", "«", "g", "»", "…"}},
      {"$5 €5 5°C a+b x^2", {"$", "5", "€", "5", "5", "°", "C", "a", "+", "b", "x", "^", "2"}},
      {"a_b ..", {"a", "_", "b", ".", "."}},
      {"2². ½.", {"2²", ".", "½."}},
      {"你好，世界。", {"你好", "，", "世界", "。"}},
      {"😀ok", {"😀", "ok"}},
      {"&quot;a <skipped>", {"&", "quot", ";", "a", "<", "skipped", ">"}},
      {"a bc​d", {"a", "b", "c​d"}},
  };
  for (const auto& [line, words] : rows)
    EXPECT_EQ(bleu_tokenizer("intl")(line), words) << line;
}

TEST(MetricTokenize, RulesCharAndZh) {
  EXPECT_EQ(bleu_tokenizer("char")(" a b　é日 "), (Lines{"a", "b", "é", "日"}));
  EXPECT_EQ(bleu_tokenizer("char")(""), Lines{});
  const std::pair<std::string, Lines> rows[]{
      {"", {}},
      {"我爱 AI，3.5%吧", {"我", "爱", "AI", "，", "3.5", "%", "吧"}},
      {"他说：“好”", {"他", "说", "：", "“", "好", "”"}},
      {"２０２０年", {"２", "０", "２", "０", "年"}},
      {"Hello, world.", {"Hello", ",", "world", "."}},
      {"5. .5", {"5", ".", ".", "5"}},
      {".5", {".5"}},  // unlike 13a, no spaces at the ends
      {"中5.", {"中", "5."}},
      {" 　a.　 ", {"a", "."}},
      {"a—b→c", {"a", "—", "b", "→", "c"}},  // U+2014, U+2192: sacrebleu's misspelt range
      {"𠀀𠀁中", {"𠀀𠀁", "中"}},            // U+20000, left out by it
      {"カナ한글", {"カナ한글"}},            // neither kana nor hangul
  };
  for (const auto& [line, words] : rows)
    EXPECT_EQ(bleu_tokenizer("zh")(line), words) << line;
}

TEST(MetricTokenize, LowercasesAsPython) {
  const std::pair<std::string, std::string> rows[]{{"ABC xyz 1!", "abc xyz 1!"},
                                                   {"ÉCOLE ÑÜ", "école ñü"},
                                                   {"ЖУК", "жук"},
                                                   {"Straße ẞ", "straße ß"},
                                                   {"ΟΔΟΣ ΣΑ Σ", "οδος σα σ"},
                                                   {"ΑΣ' ΑΣ'Α Α'Σ", "ας' ασ'α α'ς"},
                                                   {"\u212A \u212B", "k å"},
                                                   {"ᾼ ǅ", "ᾳ ǆ"},
                                                   {"İ", "i\u0307"},
                                                   {"日本 😀", "日本 😀"},
                                                   {"𐐀", "𐐨"}};
  for (const auto& [text, expected] : rows)
    EXPECT_EQ(lowercase(text), expected);
}

TEST(ExactMatch, CountsEqualLines) {
  EXPECT_DOUBLE_EQ(exact_match(Lines{"a", "b", "c", "d"}, Lines{"a", "x", "C", "d"}), 0.5);
  EXPECT_DOUBLE_EQ(exact_match(Lines{""}, Lines{""}), 1);
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([] { exact_match(Lines{"a"}, Lines{}); }),
            "[exact_match] expected as many references as hypotheses, at least one; got 0 and 1");
  EXPECT_THROW(exact_match(Lines{}, Lines{}), Error);
}

}  // namespace
}  // namespace heed
