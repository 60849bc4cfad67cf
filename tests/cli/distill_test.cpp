// heed distill: a student from a teacher's translations, by the program itself.

#include "tests/cli/program.h"

namespace heed {
namespace {

const Args small{"--model",        "transformer", "--set",         "model.d=16", "--set",
                 "model.layers=1", "--set",       "model.heads=2", "--threads",  "1"};

class Distill : public testing::Test {
 protected:
  void SetUp() override {
    const Ran trained =
        run(folder_,
            Args{"train", "--train", "toy:dates", "--steps", "40", "--out", "teacher"} + small);
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  Ran distill(const Args& more, const std::string& out = "student") {
    return run(folder_, Args{"distill", "--teacher", "teacher", "--out", out} + small + more);
  }
  TemporaryFolder folder_;
};

TEST_F(Distill, TrainsAStudentThatResumesAndTranslates) {
  const Ran first = distill({"--lines", "300", "--mix", "--beam", "2", "--steps", "3"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_NE(first.err.find("translating 300 lines of toy:dates (beam 2); about "),
            std::string::npos)
      << first.err;
  EXPECT_NE(first.err.find("validation: 500 pairs\n"), std::string::npos) << first.err;
  const Ran again = distill({"--lines", "300"});
  EXPECT_EQ(again.code, 1);
  EXPECT_EQ(again.err,
            "heed: error: student: holds a run already; resume it, or give another folder "
            "(--resume goes on with it, --out names another)\n");
  const Ran resumed = run(folder_, {"train", "--resume", "--steps", "5", "--out", "student"});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  const Ran translated = run(folder_, {"translate", "--run", "student"}, "2 4 August 2 0 7 8\n");
  EXPECT_EQ(translated.code, 0) << translated.err;
}

/// What a kill leaves: some pairs, the last of them cut, and no run yet.
TEST_F(Distill, TheSameCommandGoesOn) {
  const Args command{"--lines", "600", "--mix", "--steps", "2"};
  ASSERT_EQ(distill(command, "whole").code, 0);
  const std::string expected = read_file(folder_.path("whole/distilled.jsonl"));
  std::filesystem::create_directory(folder_.path("student"));
  for (const char* name : {"distilled.json", "distilled.valid.jsonl"})
    std::filesystem::copy(folder_.path(std::string("whole/") + name), folder_.path("student"));
  folder_.write("student/distilled.jsonl.partial", expected.substr(0, expected.size() * 4 / 5));
  const Ran gone_on = distill(command);
  ASSERT_EQ(gone_on.code, 0) << gone_on.err;
  EXPECT_EQ(read_file(folder_.path("student/distilled.jsonl")), expected);
}

TEST_F(Distill, OneLineSaysWhatIsWrong) {
  struct Row {
    Args more;
    int code;
    std::string message;
  };
  folder_.write("mono", "a\n");
  for (const Row& row : std::vector<Row>{
           {{"--back"}, 1, "--sources: missing; back-translation needs a file of lines"},
           {{"--back", "--sources", "mono"},
            1,
            "--train: missing; name the pairs to which the translated ones are added"},
           {{"--sources", "none"}, 1, "none: no such file"},
           {{"--lines", "0"}, 2, ""},
           {{"--beam", "0"}, 2, ""},
           {{"--set", "data.tokenizer=bpe"},
            1,
            "data.tokenizer = 'bpe': a student has the teacher's tokenizers, and so 'words'"},
           {{"--task", "classify"}, 1, "task.name = classify: a student has the teacher's task"},
           {{"--set", "model.dd=3"}, 1, "unknown setting 'model.dd'"},
       }) {
    const Ran wrong = distill(row.more);
    EXPECT_EQ(wrong.code, row.code) << wrong.err;
    EXPECT_EQ(lines_of(wrong.err).size(), 1) << wrong.err;
    EXPECT_NE(wrong.err.find(row.message), std::string::npos) << wrong.err;
    EXPECT_FALSE(std::filesystem::exists(folder_.path("student/distilled.jsonl")));
  }
  const Ran none = run(folder_, {"distill", "--out", "student", "--model", "rnn"});
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.err.find("--teacher"), std::string::npos) << none.err;
}

}  // namespace
}  // namespace heed
