#include "tests/cli/program.h"

// heed generate, heed tokenize, --forbid-unk and --replace-unk.

namespace heed {
namespace {

std::string kept(const std::string& name) { return HEED_SOURCE_DIR "/tests/data/kept/" + name; }

TEST(Generate, ContinuesAPrompt) {
  const TemporaryFolder folder;
  const Args words = {"generate", "--run", kept("lm-words"), "--prompt", "the cat", "--tokens"};
  const Ran ran = run(folder, words + Args{"20", "--seed", "3"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(ran.out.starts_with("the cat")) << ran.out;
  EXPECT_TRUE(ran.out.ends_with("\n"));
  EXPECT_EQ(run(folder, words + Args{"20", "--seed", "3"}).out, ran.out) << "the same seed";
  EXPECT_NE(run(folder, words + Args{"20", "--seed", "4"}).out, ran.out);
  const std::string first = run(folder, words + Args{"5", "--seed", "3"}).out;
  EXPECT_TRUE(ran.out.starts_with(first.substr(0, first.size() - 1))) << first << ran.out;
}

struct BadRow {
  Args args;
  int code;
  std::string message;
};

TEST(Generate, SaysWhatIsWrongAndPrintsNothing) {
  const TemporaryFolder folder;
  for (const BadRow& row : std::vector<BadRow>{
           {{"--run", kept("rnn"), "--prompt", "x"},
            1,
            kept("rnn") +
                ": a model from text to text; it has nothing to continue; see `heed translate`\n"},
           {{"--run", kept("lm-words"), "--prompt", "   "},
            1,
            "the prompt '   ' has no tokens; give another\n"},
           {{"--run", kept("lm-words"), "--top-p", "2"},
            2,
            "--top-p: expected a number from 0 to 1; got 2; see `heed generate --help`\n"},
           {{}, 2, "--run is required; see `heed generate --help`\n"}}) {
    const Ran ran = run(folder, Args{"generate"} + row.args);
    EXPECT_EQ(ran.code, row.code);
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err, "heed: error: " + row.message);
  }
}

TEST(Tokenize, ShowsHowLinesAreCut) {
  const TemporaryFolder folder;
  const std::string lines = "the cat, sat\n\n";
  const Args tokenize = {"tokenize", "--run"};
  EXPECT_EQ(run(folder, tokenize + Args{kept("rnn")}, lines).out, "the cat ￭, sat\n\n");
  EXPECT_EQ(run(folder, tokenize + Args{kept("conv-characters")}, "a b\n").out, "a ▁ b\n");
  const std::string ids = run(folder, tokenize + Args{kept("rnn"), "--ids"}, "zzzq\n").out;
  EXPECT_EQ(ids, "3\n") << "an unknown word is <unk>";
}

TEST(UnknownWords, AreLeftOutWhereAskedTo) {
  const TemporaryFolder folder;
  // Names that are seen twice, once on each side, are unknown: the model learns to write <unk>.
  std::string source;
  std::string target;
  for (int i = 0; i < 60; ++i) {
    source += fmt::format("name{} sleeps\n", i);
    target += fmt::format("name{} dort\n", i);
  }
  folder.write("s", source);
  folder.write("t", target);
  ASSERT_EQ(run(folder, {"train",     "--train",
                         "s",         "t",
                         "--model",   "rnn+additive",
                         "--steps",   "60",
                         "--set",     "model.d=16",
                         "--set",     "optim.lr=0.02",
                         "--set",     "optim.warmup=5",
                         "--set",     "data.min_count=5",
                         "--set",     "model.dropout=0",
                         "--threads", "1",
                         "--out",     "run"})
                .code,
            0);
  const Args translate = {"translate", "--run", "run"};
  const std::string line = "someone sleeps\n";
  EXPECT_EQ(run(folder, translate, line).out, "<unk> dort\n");
  EXPECT_EQ(run(folder, translate + Args{"--replace-unk"}, line).out.find("<unk>"),
            std::string::npos);
  for (const Args& more : {Args{}, Args{"--beam", "1"}, Args{"--sample"}}) {
    const Ran ran = run(folder, translate + Args{"--forbid-unk"} + more, line);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.out.find("<unk>"), std::string::npos) << ran.out;
  }
}

}  // namespace
}  // namespace heed
