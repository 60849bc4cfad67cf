// docs/load_in_pytorch.py computes the same logits as Heed from the weights that `heed export`
// writes, and `heed import` reads the weights that it writes.

#include <cstdlib>

#include <fmt/ranges.h>

#include "experiments/inference/run.h"
#include "framework/safetensors.h"
#include "tests/cli/program.h"
#include "tests/cli/trained_settings.h"

namespace heed {
namespace {

/// Runs a command in `folder` in a shell. Returns its status and its output, with errors.
Ran shell(const TemporaryFolder& folder, const std::string& command) {
  const int status =
      std::system(fmt::format("cd '{}' && {} >.shell 2>&1", folder.path(""), command).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128, read_file(folder.path(".shell")), ""};
}

/// The name of a Python with PyTorch, or "".
std::string python() {
  const char* named = std::getenv("HEED_PYTHON");
  for (const std::string& candidate : named ? Args{named} : Args{"python3", "/usr/bin/python3"})
    if (std::system(
            ("'" + candidate + "' -c 'import torch, numpy, tomllib' >/dev/null 2>&1").c_str()) == 0)
      return candidate;
  return "";
}

const std::vector<std::vector<Id>> sources{{4, 9, 6, 2}, {7, 2}, {5, 5, 8, 4, 10, 3, 2}};
const std::vector<std::vector<Id>> targets{{1, 5, 9}, {1, 6, 4, 4, 8, 3}, {1}};

Tensor logits_of(const std::string& folder) {
  const Run run = open_run(folder);
  return run.decoder().logits(pack(sources), pack(targets)).value();
}

Tensor row_of(const std::vector<Id>& ids) {
  Tensor x({static_cast<Index>(ids.size())});
  std::copy(ids.begin(), ids.end(), x.data());
  return x;
}

struct ModelRow {
  std::string name;
  Args settings;
  std::string label() const { return fmt::format("{} {}", name, fmt::join(settings, " ")); }
};

const std::vector<ModelRow> rows = {
    {"transformer", {"model.norm=pre"}},
    {"transformer", {"model.norm=post", "data.joint_vocabulary=false", "model.ff=24"}},
    {"transformer", {"model.encoder_layers=3", "model.decoder_layers=1"}},
    {"conv", {}},
    {"conv", {"model.encoder_layers=1", "model.decoder_layers=3"}},
    {"conv",
     {"model.weight_norm=false", "model.tied=true", "model.kernel=5",
      "data.joint_vocabulary=false"}},
    {"conv", {"model.convolution=lightweight", "model.conv_heads=4", "model.kernel=5"}},
    {"conv",
     {"model.convolution=lightweight", "model.weight_norm=false", "model.tied=true",
      "data.joint_vocabulary=false"}},
    {"rnn", {"model.cell=gru"}},
    {"rnn", {"model.cell=lstm", "model.bidirectional=false", "model.tied=false"}},
    {"rnn+additive", {"model.cell=gru"}},
    {"rnn+additive", {"model.cell=lstm", "model.hidden=12", "data.joint_vocabulary=false"}},
    {"rnn+additive", {"model.cell=gru", "model.encoder_layers=3", "model.decoder_layers=1"}},
    {"rnn+dot", {"model.cell=norm_lstm"}},
    {"rnn+general", {"model.cell=elman"}},
    {"rnn+concat", {"model.cell=lstm"}},
    {"lm", {"model.context=16"}},
    {"transformer",
     {"model.attention=grouped_query", "model.kv_heads=1", "model.positions=rotary",
      "model.activation=swiglu", "model.norm_kind=rms", "model.qk_norm=true",
      "model.tied_output=false", "model.softcap=4"}},
    {"transformer",
     {"model.attention=local", "model.window=2", "model.positions=alibi", "model.tied_layers=true",
      "model.activation=relu_squared"}},
    {"transformer", {"model.attention=linear", "model.positions=learned"}},
    {"transformer",
     {"model.attention=adaptive_span", "model.longest=4", "model.ramp=2",
      "model.positions=relative", "model.reach=2"}},
    {"transformer", {"model.decoder=rnn"}},
    {"transformer",
     {"model.decoder=rnn", "model.decoder_attention=additive", "model.cell=gru",
      "model.encoder_layers=3", "model.decoder_layers=1", "data.joint_vocabulary=false"}},
    {"transformer",
     {"model.decoder=rnn", "model.decoder_attention=general", "model.positions=rotary",
      "model.tied_output=false"}},
    {"lm", {"model.context=16", "model.attention=multi_query", "model.positions=sinusoidal"}},
    {"lm", {"model.context=16", "model.attention=linear", "model.positions=none"}},
    {"lm",
     {"model.context=16", "model.attention=local", "model.window=3", "model.positions=relative"}},
};

const char* const tiny_text =
    "once upon a time there was a text\nand that was all of it\nthe end\nno more\n";

/// Trains a model in the folder `out`, and exports it to `out`.safetensors.
void train_and_export(const TemporaryFolder& folder, const ModelRow& row, const std::string& out) {
  Args args{"train", "--model", row.name, "--threads", "1", "--steps", "3", "--out", out};
  Args settings = {"model.d=16", "model.layers=2", "model.heads=2", "data.batch_tokens=128",
                   "optim.warmup=1"};
  if (row.name == "lm") {
    args = args + Args{"--train", folder.write("t.txt", tiny_text)};
    settings.push_back("data.batch_tokens=32");
  } else {
    args = args + Args{"--train", "toy:sort"};
  }
  for (const std::string& setting : settings + row.settings)
    args = args + Args{"--set", setting};
  const Ran trained = run(folder, args);
  ASSERT_EQ(trained.code, 0) << row.label() << trained.err;
  expect_trained_with(folder.path(out), row.settings);
  const Ran exported = run(folder, {"export", "--run", out, "--out", out + ".safetensors"});
  ASSERT_EQ(exported.code, 0) << row.label() << exported.err;
}

/// Writes the sources, the targets and Heed's logits, for the script to compare.
void save_batch(const std::string& path, const Tensor& logits) {
  std::vector<NamedTensor> batch;
  Index begin = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Index end = begin + static_cast<Index>(targets[i].size());
    const std::string suffix = "." + std::to_string(i);
    batch.push_back({"source" + suffix, row_of(sources[i])});
    batch.push_back({"target" + suffix, row_of(targets[i])});
    batch.push_back({"logits" + suffix, logits.slice(begin, end)});
    begin = end;
  }
  save_safetensors(path, batch, {});
}

/// Runs the script on every exported model, in one process: importing PyTorch takes most of the
/// time.
Ran run_script(const TemporaryFolder& folder, const std::string& interpreter, std::size_t models) {
  folder.write(
      "all.py",
      fmt::format(
          "import sys\nsys.path.insert(0, '{}/docs')\nimport load_in_pytorch\nfor i in range({}):\n"
          "    sys.argv = ['', f'{{i}}.safetensors', '--batch', f'batch{{i}}.safetensors', "
          "'--out', f'back{{i}}.safetensors']\n"
          "    load_in_pytorch.main()\n",
          HEED_SOURCE_DIR, models));
  return shell(folder, fmt::format("PYTHONDONTWRITEBYTECODE=1 '{}' all.py", interpreter));
}

TEST(PyTorch, ComputesTheSameLogits) {
  if (sizeof(Real) != 4) GTEST_SKIP() << "the script computes with floats";
  const std::string interpreter = python();
  if (interpreter.empty())
    GTEST_SKIP() << "no Python with PyTorch here; HEED_PYTHON names one (Debian: python3-torch)";
  const TemporaryFolder folder;
  std::vector<Tensor> expected;
  for (const ModelRow& row : rows) {
    const std::string at = std::to_string(expected.size());
    train_and_export(folder, row, at);
    if (HasFatalFailure()) return;
    expected.push_back(logits_of(folder.path(at)));
    save_batch(folder.path("batch" + at + ".safetensors"), expected.back());
  }
  const Ran ran = run_script(folder, interpreter, expected.size());
  ASSERT_EQ(ran.code, 0) << ran.out;
  const std::vector<std::string> lines = lines_of(ran.out);
  ASSERT_EQ(lines.size(), 2 * expected.size()) << ran.out;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string difference = "largest difference ";
    const std::string at = std::to_string(i);
    const std::string& line = lines[2 * i + 1];
    ASSERT_TRUE(line.starts_with(difference)) << ran.out;
    EXPECT_LE(std::stod(line.substr(difference.size())), 1e-5) << rows[i].label();
    const Ran back = run(folder, {"import", "back" + at + ".safetensors", "--out", "back" + at});
    ASSERT_EQ(back.code, 0) << rows[i].label() << back.err;
    EXPECT_EQ(logits_of(folder.path("back" + at)).to_vector(), expected[i].to_vector())
        << rows[i].label();
  }
}

}  // namespace
}  // namespace heed
