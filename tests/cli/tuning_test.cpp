// --tune of `heed train` and `heed compare`.

#include "tests/cli/program.h"

namespace heed {
namespace {

const Args tiny = {"train",
                   "--train",
                   "toy:dates",
                   "--model",
                   "rnn",
                   "--steps",
                   "40",
                   "--threads",
                   "1",
                   "--set",
                   "model.d=8",
                   "--set",
                   "data.batch_tokens=128"};

TEST(Tune, SaysWhatItDoesAndTrainsWithTheBest) {
  const TemporaryFolder folder;
  const Ran ran = run(folder, tiny + Args{"--tune", "optim.lr=0.0001,0.02", "--out", "run"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::vector<std::string> lines = lines_of(ran.err);
  EXPECT_TRUE(lines.at(0).starts_with("tune      optim.lr: 2 candidates x 10 steps, about "));
  EXPECT_TRUE(lines.at(1).starts_with("tune      optim.lr = 0.0001: validation loss "));
  EXPECT_TRUE(
      lines.at(3).starts_with("tune      optim.lr = 0.02: the lowest validation loss of 2"));
  EXPECT_TRUE(lines.at(4).starts_with("data      "));
  EXPECT_NE(read_file(folder.path("run/config.toml")).find("\nlr = 0.02 "), std::string::npos);
  EXPECT_NE(read_file(folder.path("run/tuning.json")).find("\"chosen\": \"0.02\""),
            std::string::npos);
  const Ran resumed = run(folder, {"train", "--resume", "--steps", "44", "--out", "run"});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(resumed.err.find("candidates"), std::string::npos);
}

TEST(Tune, RefusesWhatItCannotDo) {
  const TemporaryFolder folder;
  const struct {
    Args args;
    const char* message;
  } rows[] = {
      {{"--tune", "optim.lr", "--set", "optim.lr=0.1"},
       "--tune optim.lr: optim.lr is given too; leave out one of them"},
      {{"--tune", "optim.lr", "--tune", "optim.clip=1,2"}, "--tune: takes a value; got 2"},
      {{"--tune", "optim.clip"}, "Name them, optim.clip=a,b,c"},
      {{"--tune", "nothing=1,2"}, "unknown setting 'nothing'"},
      {{"--tune", "optim.lr=0.1,x"}, "optim.lr: expected a number from 0 to 1000; got 'x'"},
      {{"--tune", "data.max_length=10,20"}, "cannot tune data.max_length"},
      {{"--tune", "optim.lr", "--resume"}, "--resume excludes --tune"},
      {{"--tune", "model.d=4,8"}, "model.d is given too"},
      {{"--tune", "optim.clip=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21"},
       "a training of 40 steps is too short to try 21 values: that takes at least 42 steps"},
  };
  for (const auto& row : rows) {
    const Ran ran = run(folder, tiny + row.args + Args{"--out", "run"});
    EXPECT_NE(ran.code, 0);
    EXPECT_NE(ran.err.find(row.message), std::string::npos) << ran.err;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(folder.path("run")));
  }
}

}  // namespace
}  // namespace heed
