#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/cli/program.h"

// `heed translate` and `heed summarize` in pipes, at a prompt, and with bad input.

namespace heed {
namespace {

/// Runs that all tests read: "run" is a Transformer, "conv" can place 40 tokens, "rnn" does not
/// attend to its source, "own" has decode settings of its own.
class Translate : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    std::string source;
    std::string target;
    for (int i = 0; i < 60; ++i) {
      std::string a;
      std::string b;
      for (int j = 0; j < 2 + i % 5; ++j) {
        const char letter = static_cast<char>('a' + (i * 7 + j * 3) % 8);
        a += fmt::format("{}{}", j > 0 ? " " : "", letter);
        b = fmt::format("{}{}{}", letter, j > 0 ? " " : "", b);
      }
      source += a + "\n";
      target += b + "\n";
    }
    folder_->write("train.src", source);
    folder_->write("train.tgt", target);
    const Args train = {"train",     "--train",
                        "train.src", "train.tgt",
                        "--set",     "model.d=16",
                        "--set",     "model.layers=1",
                        "--set",     "model.heads=2",
                        "--set",     "data.batch_tokens=64",
                        "--set",     "data.min_count=1",
                        "--set",     "train.eval_every=0",
                        "--set",     "train.save_every=0",
                        "--steps",   "40",
                        "--set",     "optim.lr=0.01",
                        "--threads", "1"};
    for (const Args& more :
         {Args{"--model", "transformer", "--out", "run"},
          Args{"--model", "conv", "--set", "model.positions=40", "--out", "conv"},
          Args{"--model", "rnn", "--out", "rnn"},
          Args{"--model", "transformer", "--set", "decode.min_length=3", "--set",
               "decode.max_length=4", "--set", "decode.no_repeat_ngram=1", "--set",
               "decode.coverage_penalty=0.2", "--out", "own"}}) {
      const Ran ran = run(*folder_, train + more);
      ASSERT_EQ(ran.code, 0) << ran.err;
    }
  }
  static void TearDownTestSuite() { delete folder_; }
  static const TemporaryFolder& folder() { return *folder_; }

  static Ran translate(const Args& more, const std::string& input, const char* name = "run") {
    return run(folder(), Args{"translate", "--run", name} + more, input);
  }
  static std::string good(const Args& more, const std::string& input, const char* name = "run") {
    const Ran ran = translate(more, input, name);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.err, "");
    return ran.out;
  }

 private:
  static inline TemporaryFolder* folder_ = nullptr;
};

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::istringstream in(line);
  for (std::string word; in >> word;)
    words.push_back(word);
  return words;
}

TEST_F(Translate, PrintsALineForEachLine) {
  const std::string one = good({}, "a b c\n");
  const std::string three = good({}, "c d\n");
  ASSERT_EQ(lines_of(one).size(), 1u);
  for (const char* input : {"a b c\n\nc d\n", "a b c\n\nc d", "a b c\r\n\r\nc d\r\n",
                            "\xef\xbb\xbf"
                            "a b c\n\nc d\n",
                            "a b c\n \t \nc d\n"})
    EXPECT_EQ(good({}, input), one + "\n" + three) << input;
  EXPECT_EQ(lines_of(good({}, "one\n\nthree\n")).size(), 3u) << "lines of unknown words only";
  EXPECT_EQ(good({}, ""), "");
  EXPECT_EQ(good({}, "\n"), "\n");
  EXPECT_EQ(good({"--nbest", "2"}, "\n"), "\n")
      << "a blank line has no outputs, only the blank line after them";
  EXPECT_EQ(run(folder(), {"summarize", "--run", "run"}, "a b c\n\nc d\n").out, one + "\n" + three)
      << "a document is a line";
}

TEST_F(Translate, AnswersEachLineAsItComesAndStopsWhenInterrupted) {
  const std::string command =
      fmt::format("cd '{}' && echo $$ > pid && exec '{}' translate --run run > out 2> err",
                  folder().path(""), HEED_PROGRAM);
  FILE* pipe = popen(command.c_str(), "w");
  ASSERT_NE(pipe, nullptr);
  const auto answers = [&] { return lines_of(read_file(folder().path("out"))).size(); };
  for (std::size_t n = 1; n <= 3; ++n) {
    std::fputs(n == 2 ? "\n" : "a b c\n", pipe);
    std::fflush(pipe);
    for (int i = 0; i < 3000 && answers() < n; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_EQ(answers(), n) << "while more lines may come";
  }
  std::fputs("half a li", pipe);
  std::fflush(pipe);
  kill(std::stoi(read_file(folder().path("pid"))), SIGINT);
  const int status = pclose(pipe);
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_EQ(answers(), 3u);
  EXPECT_EQ(read_file(folder().path("err")), "");
}

TEST_F(Translate, PrintsTheLinesBeforeABadOne) {
  const std::string answer = good({}, "a b c\n");
  struct Row {
    std::string input;
    std::string message;
  };
  for (const Row& row :
       {Row{"\xff\n", "standard input:3: malformed UTF-8"},
        Row{"a\xc3", "standard input:3: malformed UTF-8"},
        Row{std::string("a\0b\n", 4), "standard input:3: "},
        Row{std::string(3 << 20, 'a'), "standard input:3: longer than 1024 KiB"},
        Row{std::string(3 << 20, 'a') + "\na b c\n", "standard input:3: longer than 1024 KiB"}}) {
    const Ran ran = translate({}, "a b c\na b c\n" + row.input);
    EXPECT_EQ(ran.code, 1) << row.message;
    EXPECT_EQ(ran.out, answer + answer) << row.message;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_NE(ran.err.find("heed: error: " + row.message), std::string::npos) << ran.err;
  }
  for (const char* closed : {"<&-", "< .", "<&- >&-"}) {
    const std::string script = fmt::format("cd '{}' && '{}' translate --run run {} 2> err > out",
                                           folder().path(""), HEED_PROGRAM, closed);
    EXPECT_EQ(WEXITSTATUS(std::system(script.c_str())), 1) << closed;
    EXPECT_NE(read_file(folder().path("err")).find("heed: error: standard input: cannot be read"),
              std::string::npos)
        << closed;
  }
}

TEST_F(Translate, RefusesInputThatIsNoText) {
  using namespace std::string_literals;
  const std::pair<std::string, std::string> rows[]{
      {"\x1F\x8B\x08\0\0\0\0\0\0\x03..."s, "packed by gzip; unpack it (gzip -d)"},
      {"\x1F\x8B\x08\0..."s + std::string(3 << 20, 'a'), "packed by gzip; unpack it (gzip -d)"},
      {"\xFD"s + "7zXZ\0..."s, "packed by xz; unpack it (xz -d)"},
      {"\xFF\xFEh\0i\0\n\0"s, "UTF-16; save it as UTF-8"},
      {"\xFE\xFF\0h\0i\0\n"s, "UTF-16; save it as UTF-8"},
      {"h\0i\0\n\0"s, "UTF-16; save it as UTF-8"},
  };
  for (const auto& [input, message] : rows) {
    const Ran ran = translate({}, input);
    EXPECT_EQ(ran.code, 1) << message;
    EXPECT_EQ(ran.out, "") << message;
    EXPECT_EQ(ran.err, "heed: error: standard input: is " + message + "\n");
  }
  const std::string mac =
      "heed: error: standard input: its lines end in carriage returns alone, as on old Macs; "
      "write line feeds (tr '\\r' '\\n')\n";
  for (const char* input : {"a b\rc a\r", "a b\rc a", "a b\rc a\rb\n"})
    EXPECT_EQ(translate({}, input).err, mac) << input;
  for (const char* input : {"a b\r\nc a\r\n", "a b\r", "a b\rc a\n"})
    EXPECT_EQ(translate({}, input).code, 0) << input;
}

TEST_F(Translate, NeitherCrashesNorStallsOnALongLine) {
  std::string line;
  for (int i = 0; i < 5000; ++i)
    line += fmt::format("{} ", static_cast<char>('a' + i % 8));
  const std::string out = good({}, line + "\na b c\n");
  ASSERT_EQ(lines_of(out).size(), 2u);
  EXPECT_LE(words_of(lines_of(out)[0]).size(), 512u)
      << "no more than data.max_length, unless asked";
  EXPECT_GT(words_of(lines_of(good({"--min-length", "150", "--beam", "1"}, line + "\n"))[0]).size(),
            149u);
  // Convolutions place 40 tokens: the rest is cut, and that is said once.
  const Ran ran = translate({}, "a\n" + line + "\nb\n" + line + "\n", "conv");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(lines_of(ran.out).size(), 4u);
  EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
  EXPECT_TRUE(ran.err.starts_with("heed: warning: standard input:2: has 5001 tokens")) << ran.err;
  EXPECT_EQ(lines_of(ran.out)[1], lines_of(good({}, line.substr(0, 2 * 39) + "\n", "conv"))[0])
      << "as if it had ended there";
  EXPECT_EQ(translate({"--attention", "long.jsonl"}, line + "\n", "conv").code, 0);
  // Models that place any number of tokens still stop reading somewhere.
  std::string longest;
  for (int i = 0; i < 17000; ++i)
    longest += "a ";
  const Ran cut = translate({"--max-length", "3"}, longest + "\n", "rnn");
  EXPECT_EQ(lines_of(cut.out).size(), 1u);
  EXPECT_EQ(cut.err,
            "heed: warning: standard input:1: has 17001 tokens, </s> among them; cut to 16384, as "
            "is any longer line\n");
}

TEST_F(Translate, SamplesOfALineDoNotDependOnOtherLines) {
  const Args sample = {"--sample", "--temperature", "2", "--max-length", "9"};
  const std::string input = "a b c\nd e\nf g h a\n";
  const std::string out = good(sample, input);
  EXPECT_EQ(good(sample, input), out);
  EXPECT_EQ(good(sample + Args{"--seed", "1", "--threads", "2"}, input), out)
      << "seed 1 unless told otherwise";
  EXPECT_NE(good(sample + Args{"--seed", "2"}, input), out);
  EXPECT_EQ(lines_of(good(sample, "\n\nf g h a\n"))[2], lines_of(out)[2])
      << "the third line is the third line";
  EXPECT_NE(lines_of(good(sample, "a b c\na b c\n"))[0],
            lines_of(good(sample, "a b c\na b c\n"))[1])
      << "each line draws anew";
  const auto draws = lines_of(good(sample + Args{"--nbest", "4"}, "a b c\n"));
  ASSERT_EQ(draws.size(), 5u);
  std::set<std::string> texts;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(draws[i].starts_with(fmt::format("{}\t-", i + 1))) << draws[i];
    texts.insert(draws[i].substr(draws[i].rfind('\t') + 1));
  }
  EXPECT_GT(texts.size(), 1u);
  EXPECT_TRUE(texts.contains(lines_of(out)[0])) << "more draws do not change the first";
  EXPECT_EQ(good({"--sample", "--temperature", "0"}, input), good({"--beam", "1"}, input));
}

TEST_F(Translate, ObeysTheLimitsOnItsOutputs) {
  const std::string input = "a b c d e f\nd e\nb b b b\n";
  for (const char* name : {"run", "conv", "rnn"})
    for (const Args& way : {Args{}, Args{"--sample", "--temperature", "3"}}) {
      for (const std::string& line : lines_of(
               good(way + Args{"--min-length", "7", "--max-length", "8", "--no-repeat-ngram", "1"},
                    input, name))) {
        const auto words = words_of(line);
        EXPECT_TRUE(words.size() == 7 || words.size() == 8) << line;
        EXPECT_EQ(std::set<std::string>(words.begin(), words.end()).size(), words.size()) << line;
      }
      for (const std::string& line :
           lines_of(good(way + Args{"--min-length", "30", "--no-repeat-ngram", "1"}, input, name)))
        EXPECT_LE(words_of(line).size(), 9u) << "eight letters and <unk>: there is no more to say";
    }
  // A run's own settings, and what outweighs them.
  for (const std::string& line : lines_of(good({}, input, "own"))) {
    const auto words = words_of(line);
    EXPECT_TRUE(words.size() == 3 || words.size() == 4) << line;
    EXPECT_EQ(std::set<std::string>(words.begin(), words.end()).size(), words.size()) << line;
  }
  for (const std::string& line : lines_of(good({"--max-length", "2"}, input, "own")))
    EXPECT_LE(words_of(line).size(), 2u);
  for (const std::string& line : lines_of(good({"--min-length", "6"}, input, "own")))
    EXPECT_EQ(words_of(line).size(), 6u);
  EXPECT_EQ(lines_of(good({"--nbest", "7"}, "a b c\n")).size(), 8u) << "the beam widens to them";
  EXPECT_NE(good({"--nbest", "3", "--coverage-penalty", "5"}, "a b c\n"),
            good({"--nbest", "3"}, "a b c\n"))
      << "scores tell it";
}

TEST_F(Translate, ScoresGivenTargets) {
  // What the search says of its outputs, scoring says of them.
  std::vector<std::string> sources;
  std::vector<std::string> scores;
  std::vector<std::string> targets;
  for (const char* source : {"a b c", "d e", "f g h a"})
    for (const std::string& line :
         lines_of(good({"--nbest", "4", "--length-penalty", "0", "--max-length", "12"},
                       source + std::string("\n")))) {
      const auto words = words_of(line);
      if (words.empty() || words.size() > 13) continue;  // cut: </s> was not said
      sources.push_back(source);
      scores.push_back(words[1]);
      targets.push_back(line.substr(line.rfind('\t') + 1));
    }
  ASSERT_GE(sources.size(), 6u);
  sources.push_back("");
  targets.push_back("");
  folder().write("targets.txt", fmt::format("{}\n", fmt::join(targets, "\n")));
  const std::string input = fmt::format("{}\n", fmt::join(sources, "\n"));
  const auto rows = lines_of(good({"--score", "targets.txt"}, input));
  ASSERT_EQ(rows.size(), sources.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto row = words_of(rows[i]);
    EXPECT_NEAR(std::stod(row[0]), std::stod(scores[i]), 2e-4) << targets[i];
    EXPECT_EQ(row[1], std::to_string(words_of(targets[i]).size() + 1));
  }
  EXPECT_EQ(words_of(rows.back())[1], "1") << "of nothing after nothing: </s>";
  // Counts that differ are found out, after what could be scored.
  const Ran more = translate({"--score", "targets.txt"}, input + "a\n");
  const Ran fewer = translate({"--score", "targets.txt"}, "a b c\n");
  EXPECT_EQ(more.code, 1);
  EXPECT_EQ(fewer.code, 1);
  EXPECT_EQ(lines_of(more.out).size(), sources.size());
  EXPECT_NE(more.err.find(fmt::format("targets.txt: has {} lines and standard input has more",
                                      sources.size())),
            std::string::npos)
      << more.err;
  EXPECT_NE(fewer.err.find(
                fmt::format("targets.txt: has {} lines and standard input has 1;", sources.size())),
            std::string::npos)
      << fewer.err;
  // Convolutions cannot place 50 tokens.
  folder().write("long.txt",
                 "a\n" + fmt::format("{}\n", fmt::join(std::vector<std::string>(50, "a"), " ")));
  const Ran cut = translate({"--score", "long.txt"}, "a\nb\n", "conv");
  EXPECT_EQ(cut.code, 1);
  EXPECT_EQ(lines_of(cut.out).size(), 1u);
  EXPECT_NE(cut.err.find("long.txt:2: has 50 tokens; the model can place 39"), std::string::npos)
      << cut.err;
}

// Words that are not in the vocabulary of a model that copies appear in its output as in the
// source.
TEST(Summarize, CopiesUnknownWords) {
  const TemporaryFolder folder;
  const Ran trained =
      run(folder, {"train", "--train", "toy:summarization", "--model", "rnn+additive", "--set",
                   "model.d=24", "--set", "optim.lr=0.02", "--set", "data.min_count=200", "--set",
                   "train.eval_every=0", "--steps", "40", "--threads", "1", "--out", "run"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const std::string input =
      "A fire broke out in Xyzzyton. 17 people were hurt.\n\n<unk> </s> Qwertyholm\nXyzzyton "
      "Xyzzyton Plugh\n";
  const Ran ran = run(
      folder, {"summarize", "--run", "run", "--min-length", "4", "--attention", "a.jsonl"}, input);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto outputs = lines_of(ran.out);
  const auto sources = lines_of(input);
  const auto maps = lines_of(read_file(folder.path("a.jsonl")));
  ASSERT_EQ(outputs.size(), 4u);
  ASSERT_EQ(maps.size(), 4u);
  EXPECT_EQ(outputs[1], "");
  EXPECT_NE(maps[0].find("\"Xyzzyton\""), std::string::npos)
      << "a word of the source is shown as itself";
  int copied = 0;
  for (const char* word : {"Xyzzyton", "Qwertyholm", "Plugh"})
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i].find(word) != std::string::npos) {
        ++copied;
        EXPECT_NE(sources[i].find(word), std::string::npos)
            << "a word of another line: " << outputs[i];
      }
  EXPECT_GT(copied, 0) << ran.out;
  folder.write("targets", "Xyzzyton\nPlugh\n");
  const auto scores = lines_of(run(folder, {"summarize", "--run", "run", "--score", "targets"},
                                   "Fire in Xyzzyton.\nFire in Xyzzyton.\n")
                                   .out);
  ASSERT_EQ(scores.size(), 2u);
  EXPECT_NE(scores[0], scores[1]) << "the source has the one; the other is any unknown word";
}

struct BadRow {
  Args args;
  int code;
  std::string part;  // of the error
  const char* name = "run";
};

const std::vector<BadRow> bad_rows = {
    {{"--sample", "--beam", "3"}, 2, "--beam excludes --sample"},
    {{"--sample", "--length-penalty", "1"}, 2, "--length-penalty excludes --sample"},
    {{"--sample", "--coverage-penalty", "1"}, 2, "--coverage-penalty excludes --sample"},
    {{"--temperature", "2"}, 2, "--temperature requires --sample"},
    {{"--top-k", "2"}, 2, "--top-k requires --sample"},
    {{"--top-p", "0.5"}, 2, "--top-p requires --sample"},
    {{"--seed", "3"}, 2, "--seed requires --sample"},
    {{"--sample", "--seed", "-1"}, 2, "--seed"},
    {{"--sample", "--top-p", "1.5"}, 2, "--top-p"},
    {{"--sample", "--temperature", "-1"}, 2, "--temperature"},
    {{"--min-length", "5", "--max-length", "3"}, 2, "--min-length 5 is more than --max-length 3"},
    {{"--beam", "2", "--nbest", "3"}, 2, "--nbest 3 needs a --beam at least as wide; it is 2"},
    {{"--no-repeat-ngram", "-1"}, 2, "--no-repeat-ngram"},
    {{"--score", "train.tgt", "--beam", "2"}, 2, "--beam excludes --score"},
    {{"--score", "train.tgt", "--sample"}, 2, "--sample excludes --score"},
    {{"--score", "train.tgt", "--attention", "a.html"}, 2, "--attention excludes --score"},
    {{"--score", "nowhere.txt"}, 1, "nowhere.txt: no such file"},
    {{"--coverage-penalty", "1"},
     1,
     "rnn: model.name = rnn does not attend to its source; --coverage-penalty",
     "rnn"},
    {{"--attention", "a.html"},
     1,
     "rnn: model.name = rnn does not attend to its source; there is nothing for "
     "--attention",
     "rnn"},
};

TEST_F(Translate, RefusesOptionsThatContradictEachOther) {
  for (const char* command : {"translate", "summarize"})
    for (const BadRow& bad : bad_rows) {
      const Ran ran = run(folder(), Args{command, "--run", bad.name} + bad.args, "a b c\n");
      EXPECT_EQ(ran.code, bad.code) << ran.err;
      EXPECT_EQ(ran.out, "");
      EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
      EXPECT_NE(ran.err.find("heed: error: "), std::string::npos);
      EXPECT_NE(ran.err.find(bad.part), std::string::npos) << ran.err;
    }
}

TEST_F(Translate, RefusesDecodeSettingsThatMakeNoSense) {
  for (const auto& [set, part] : std::vector<std::pair<std::string, std::string>>{
           {"decode.min_length=-1",
            "decode.min_length: expected a whole number from 0 to 1048576; got -1"},
           {"decode.no_repeat_ngram=-1",
            "decode.no_repeat_ngram: expected a whole number from 0 to 1048576; got -1"},
           {"decode.coverage_penalty=-1",
            "decode.coverage_penalty: expected a number from 0 to 100; got -1"}}) {
    const Ran ran = run(folder(), {"train", "--train", "train.src", "train.tgt", "--model",
                                   "transformer", "--out", "no", "--set", set});
    EXPECT_EQ(ran.code, 1);
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
  }
  const Ran lengths = run(
      folder(), {"train", "--train", "train.src", "train.tgt", "--model", "transformer", "--out",
                 "no", "--set", "decode.min_length=9", "--set", "decode.max_length=8"});
  EXPECT_NE(lengths.err.find("decode.min_length: expected at most max_length, 8; got 9"),
            std::string::npos)
      << lengths.err;
  const Ran blind = run(folder(), {"train", "--train", "train.src", "train.tgt", "--model", "rnn",
                                   "--out", "no", "--set", "decode.coverage_penalty=1"});
  EXPECT_NE(blind.err.find("decode.coverage_penalty needs a model that attends"), std::string::npos)
      << blind.err;
}

}  // namespace
}  // namespace heed
