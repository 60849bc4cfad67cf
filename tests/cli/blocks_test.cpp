// What a model is made of, from the command: training, resuming to the byte, exporting, pictures.

#include <fmt/ranges.h>

#include "framework/checkpoint.h"
#include "tests/cli/program.h"
#include "tests/cli/trained_settings.h"

namespace heed {
namespace {

struct BlocksRow {
  std::string model;
  Args settings;
  std::string label() const { return fmt::format("{} {}", model, fmt::join(settings, " ")); }
};

const std::vector<BlocksRow> rows = {
    {"transformer",
     {"model.attention=grouped_query", "model.positions=rotary", "model.activation=swiglu",
      "model.norm_kind=rms", "model.qk_norm=true"}},
    {"transformer",
     {"model.attention=local", "model.window=3", "model.positions=relative", "model.reach=2",
      "model.tied_layers=true"}},
    {"transformer",
     {"model.attention=linear", "model.positions=learned", "model.max_positions=40",
      "model.tied_output=false", "model.softcap=9"}},
    {"transformer",
     {"model.attention=adaptive_span", "model.longest=8", "model.ramp=2", "model.span_penalty=0.01",
      "model.positions=alibi", "model.zero_init=true"}},
    {"transformer", {"model.recompute=true", "model.dropout=0.2"}},
    {"lm", {"model.context=12", "model.recompute=true", "model.dropout=0.2"}},
    {"lm",
     {"model.context=12", "model.attention=local", "model.window=4", "model.positions=rotary",
      "model.activation=relu_squared"}},
    {"lm", {"model.context=12", "model.attention=linear", "model.positions=none"}},
    {"transformer",
     {"model.decoder=rnn", "model.cell=gru", "model.decoder_attention=additive",
      "model.positions=rotary", "model.dropout=0.1"}},
    {"transformer", {"model.decoder=rnn", "model.attention=adaptive_span"}},
    {"conv", {"model.convolution=lightweight", "model.conv_heads=2", "model.dropout=0.1"}},
};

/// The arguments of a training of a row, after the subcommand.
Args training_of(const TemporaryFolder& folder, const BlocksRow& row) {
  std::string pairs;
  std::string text;
  for (int i = 0; i < 40; ++i) {
    const auto line = fmt::format("{} {} {}", "abcd"[i % 4], "efgh"[i / 2 % 4], "ijkl"[i * 3 % 4]);
    pairs += line + "\t" + line + "\n";
    text += line + "\n";
  }
  folder.write("train.tsv", pairs);
  folder.write("train.txt", text);
  Args args{"--model", row.model, "--train", row.model == "lm" ? "train.txt" : "train.tsv",
            "--steps", "6"};
  Args settings{"model.d=16",           "model.layers=2", "model.heads=2",
                "data.batch_tokens=64", "optim.warmup=1", "data.min_count=1"};
  for (const std::string& setting : settings + row.settings)
    args = args + Args{"--set", setting};
  return args;
}

TEST(Blocks, ResumingIsVerified) {
  const TemporaryFolder folder;
  for (const BlocksRow& row : rows) {
    const Ran ran = run(folder, Args{"verify-resume"} + training_of(folder, row));
    EXPECT_EQ(ran.code, 0) << row.label() << ran.err << ran.out;
  }
}

/// Weights, the optimizer's state and the place in the data, all but the settings.
Checkpoint end_of(const TemporaryFolder& folder, const std::string& run) {
  Checkpoint end = load(folder.path(run + "/checkpoints/last.heed"));
  end.text.clear();
  return end;
}

TEST(Blocks, RecomputingTrainsTheSameBits) {
  const TemporaryFolder folder;
  for (const std::string model : {"transformer", "lm"}) {
    for (const std::string recompute : {"false", "true"}) {
      const BlocksRow row{model, {"model.recompute=" + recompute, "model.dropout=0.2"}};
      const Ran ran =
          run(folder, Args{"train"} + training_of(folder, row) + Args{"--out", model + recompute});
      ASSERT_EQ(ran.code, 0) << row.label() << ran.err;
    }
    const Checkpoint kept = end_of(folder, model + "false");
    EXPECT_GT(kept.tensors.size(), 20u);
    EXPECT_EQ(difference(kept, end_of(folder, model + "true")), "") << model;
  }
}

TEST(Blocks, AreUsedExportedAndDrawn) {
  const TemporaryFolder folder;
  int number = 0;
  for (const BlocksRow& row : rows) {
    const std::string out = fmt::format("run{}", number++);
    const Ran trained = run(folder, Args{"train"} + training_of(folder, row) + Args{"--out", out});
    ASSERT_EQ(trained.code, 0) << row.label() << trained.err;
    expect_trained_with(folder.path(out), row.settings);
    ASSERT_EQ(run(folder, {"export", "--run", out, "--out", out + ".safetensors"}).code, 0);
    const std::string again = out + "-again";
    ASSERT_EQ(run(folder, {"import", out + ".safetensors", "--out", again}).code, 0);
    const Args use = row.model == "lm"
                         ? Args{"generate", "--prompt", "a e", "--tokens", "30", "--run"}
                         : Args{"translate", "--attention", "page.html", "--run"};
    const Ran first = run(folder, use + Args{out}, "a e i\nb f\n");
    const Ran second = run(folder, use + Args{again}, "a e i\nb f\n");
    EXPECT_EQ(first.code, 0) << row.label() << first.err;
    EXPECT_EQ(first.out, second.out) << row.label();
  }
}

}  // namespace
}  // namespace heed
