// heed train --precision bf16: the run keeps the precision, resumes with it and is reproducible.
// Where the machine has no bf16, an error says so.

#include "framework/precision.h"

#include "tests/cli/program.h"

namespace heed {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const Args train = {"train",
                    "--train",
                    "toy:copy",
                    "--model",
                    "transformer",
                    "--set",
                    "model.d=64",
                    "--set",
                    "model.layers=1",
                    "--set",
                    "data.batch_tokens=600",
                    "--set",
                    "train.eval_every=4",
                    "--set",
                    "train.log_every=1"};

TEST(PrecisionCommand, ABf16RunIsKeptAsOneAndResumed) {
  if (const std::string why = precision_obstacle(Precision::bf16); !why.empty())
    GTEST_SKIP() << "bf16 " << why;
  const TemporaryFolder folder;
  const Ran fp32 = run(folder, train + Args{"--steps", "8", "--out", "fp32"});
  ASSERT_EQ(fp32.code, 0) << fp32.err;
  EXPECT_TRUE(has(read_file(folder.path("fp32/config.toml")), "precision = 'fp32'"));
  std::string weights;
  for (const char* threads : {"1", "2", "3"}) {
    const std::string out = std::string("bf16-") + threads;
    const Ran ran = run(folder, train + Args{"--steps", "8", "--out", out, "--precision", "bf16",
                                             "--threads", threads});
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(has(ran.err, "precision bf16")) << ran.err;
    EXPECT_TRUE(has(read_file(folder.path(out + "/log.txt")), "precision bf16"));
    EXPECT_TRUE(has(read_file(folder.path(out + "/config.toml")), "precision = 'bf16'"));
    const std::string now = run(folder, {"inspect", out}).out;
    if (weights.empty()) weights = now;
    EXPECT_EQ(now.substr(now.find('\n')), weights.substr(weights.find('\n')))
        << threads << " threads";
  }
  const std::string other = run(folder, {"inspect", "fp32"}).out;
  EXPECT_NE(other.substr(other.find('\n')), weights.substr(weights.find('\n')))
      << "nothing was rounded";

  const Ran resumed = run(folder, {"train", "--resume", "--steps", "10", "--out", "bf16-1"});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_TRUE(has(resumed.err, "precision bf16")) << resumed.err;
  // As on a machine without bf16.
  const Ran changed =
      run(folder, {"train", "--resume", "--steps", "12", "--precision", "fp32", "--out", "bf16-1"});
  EXPECT_EQ(changed.code, 0) << changed.err;
  EXPECT_FALSE(has(changed.err, "precision bf16")) << changed.err;
  EXPECT_TRUE(has(read_file(folder.path("bf16-1/config.toml")), "precision = 'fp32'"));

  const Ran verified =
      run(folder, {"verify-resume", "--train", "toy:copy", "--model", "rnn", "--steps", "6",
                   "--precision", "bf16", "--set", "model.d=64", "--set", "data.batch_tokens=600"});
  EXPECT_EQ(verified.code, 0) << verified.err;
}

TEST(PrecisionCommand, ReportsAMachineWithoutBf16) {
  std::string why = precision_obstacle(Precision::bf16);
  if (why.empty())
    why = "needs a oneDNN that has a fast kernel for this processor (is ONEDNN_MAX_CPU_ISA set?)";
  const TemporaryFolder folder;
  // With this, oneDNN finds no bfloat16.
  std::optional<Setting> older(std::in_place, "ONEDNN_MAX_CPU_ISA", "AVX2");
  const Ran ran = run(folder, train + Args{"--steps", "2", "--out", "run", "--precision", "bf16"});
  older.reset();
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_EQ(ran.err, "heed: error: train.precision = bf16 " + why + "; use fp32\n");
  EXPECT_FALSE(std::filesystem::exists(folder.path("run")));
  const Ran setting =
      run(folder, train + Args{"--steps", "2", "--out", "run", "--set", "train.precision=bf61"});
  EXPECT_EQ(setting.code, 1) << setting.err;
  EXPECT_TRUE(has(setting.err, "train.precision: expected one of fp32, bf16; got 'bf61'"))
      << setting.err;
}

}  // namespace
}  // namespace heed
