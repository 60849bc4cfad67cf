// `heed train` where a loss is not finite or the training diverges.

#include <nlohmann/json.hpp>

#include "framework/checkpoint.h"
#include "tests/cli/program.h"

namespace heed {
namespace {

const Args tiny = {"--set", "model.d=16",         "--set",     "model.layers=1",
                   "--set", "model.heads=2",      "--set",     "data.batch_tokens=64",
                   "--set", "data.min_count=1",   "--set",     "optim.warmup=0",
                   "--set", "train.log_every=20", "--threads", "1"};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Writes 40 pairs of the letters a to h; every fourth line is blank. Only the source of line 18
/// has a z.
void write_pairs(const TemporaryFolder& folder) {
  std::string source;
  std::string target;
  for (int i = 1; i <= 53; ++i) {
    std::string a;
    for (int j = 0; j < 2 + i % 5; ++j)
      a += fmt::format("{}{}", j > 0 ? " " : "", static_cast<char>('a' + (i * 7 + j * 3) % 8));
    if (i % 4 == 0) a.clear();
    source += a + (i == 18 ? " z\n" : "\n");
    target += a + "\n";
  }
  folder.write("train.src", source);
  folder.write("train.tgt", target);
}

TEST(OnNanCommand, NamesTheLineOfTheFileOrSkips) {
  const TemporaryFolder folder;
  write_pairs(folder);
  const Args train = Args{"train",   "--train",     "train.src", "train.tgt",
                          "--model", "transformer", "--set",     "data.joint_vocabulary=false"} +
                     tiny;
  const Ran first = run(folder, train + Args{"--steps", "3", "--out", "run"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_FALSE(has(first.err, "warning: step")) << first.err;

  // Make the embedding of z so large that it overflows as soon as it is scaled.
  const std::string last = folder.path("run/checkpoints/last.heed");
  Checkpoint checkpoint = load(last);
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (name != "model.source_embedding.weight") continue;
    Tensor row = tensor;  // z has the last row: it is the rarest letter
    for (Index i = 0; i < 16; ++i)
      row[row.size() - 16 + i] = Real(3e38);
  }
  save(checkpoint, last);
  std::filesystem::copy(folder.path("run"), folder.path("stop"),
                        std::filesystem::copy_options::recursive);

  const std::string where =
      fmt::format("on line 18 of {} {}", folder.path("train.src"), folder.path("train.tgt"));
  const Ran stopped = run(folder, {"train", "--resume", "--steps", "24", "--out", "stop"});
  EXPECT_EQ(stopped.code, 1) << stopped.err;
  const std::vector<std::string> lines = lines_of(stopped.err);
  const std::string error = lines.empty() ? "" : lines.back();
  EXPECT_TRUE(has(error, "heed: error: step ") &&
              has(error, "in layer source_embedding, " + where +
                             "; lower the learning rate, or look at these"))
      << error;
  EXPECT_TRUE(has(error, "(on_nan = skip passes over such steps)")) << error;

  const Ran skipped =
      run(folder, {"train", "--resume", "--steps", "24", "--on-nan", "skip", "--out", "stop"});
  EXPECT_EQ(skipped.code, 0) << skipped.err;
  EXPECT_TRUE(has(skipped.err, "warning: step ") && has(skipped.err, where + "; skipped"))
      << skipped.err;
  EXPECT_TRUE(has(skipped.err, "skipped, not finite")) << skipped.err;
  EXPECT_TRUE(has(read_file(folder.path("stop/config.toml")), "on_nan = 'skip'"));
  EXPECT_TRUE(has(read_file(folder.path("stop/metrics.jsonl")), "\"skipped\":"));
}

TEST(OnNanCommand, ReportsADivergingRun) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 400; ++i) {
    text += static_cast<char>('a' + i * i % 11);
    text += i % 9 == 0 ? '\n' : ' ';
  }
  folder.write("text.txt", text);
  for (const std::string model : {"transformer", "conv", "rnn", "rnn+additive", "rnn+dot", "lm"}) {
    const std::string data = model == "lm" ? "text.txt" : "toy:copy";
    for (const Args& more : {Args{}, Args{"--set", "optim.name=sgd", "--set", "optim.clip=0"}}) {
      const Ran ran =
          run(folder, Args{"train", "--train", data, "--model", model, "--steps", "120", "--set",
                           "optim.lr=1000", "--set", "train.eval_every=0", "--set",
                           "train.save_every=0", "--set", "optim.schedule=constant", "--out",
                           fmt::format("{}-{}", model, more.size())} +
                          tiny + more);
      const bool diverges = has(ran.err, "warning: the loss rose from ");

      const bool stopped = has(ran.err, "heed: error: step ");
      EXPECT_EQ(ran.code, stopped ? 1 : 0) << model << ": " << ran.err;
      EXPECT_TRUE(diverges || stopped) << model << ": " << ran.err;
      if (stopped) {
        EXPECT_TRUE(has(ran.err, " layer ") && has(ran.err, "lower the learning rate"))
            << model << ": " << ran.err;
      }
    }
  }
}

TEST(OnNanCommand, RefusesAnythingElse) {
  const TemporaryFolder folder;
  const Args train = {"train",   "--train", "toy:copy", "--model", "rnn",
                      "--steps", "2",       "--out",    "run"};
  const Ran option = run(folder, train + Args{"--on-nan", "ignore"});
  EXPECT_EQ(option.code, 2) << option.err;
  EXPECT_TRUE(has(option.err, "--on-nan")) << option.err;
  const Ran setting = run(folder, train + Args{"--set", "train.on_nan=skp"});
  EXPECT_EQ(setting.code, 1) << setting.err;
  EXPECT_TRUE(
      has(setting.err, "train.on_nan: expected one of stop, skip; got 'skp'; did you mean skip?"))
      << setting.err;
}

}  // namespace
}  // namespace heed
