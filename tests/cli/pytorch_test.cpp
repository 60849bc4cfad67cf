// docs/load_in_pytorch.py computes what Heed computes, from the weights that `heed export` writes,
// and what it writes comes back.

#include <cstdlib>

#include "cli/run.h"
#include "framework/safetensors.h"
#include "tests/cli/program.h"

namespace heed {
namespace {

/// Runs a program of `folder` through the shell: its status, and what it printed, errors too.
Ran shell(const TemporaryFolder& folder, const std::string& command) {
  const int status =
      std::system(fmt::format("cd '{}' && {} >.shell 2>&1", folder.path(""), command).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128, read_file(folder.path(".shell")), ""};
}

/// A Python that has PyTorch, or "".
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
  const cli::Run run = cli::open_run(folder);
  return run.model
      ->logits({.source = pack(sources), .target = pack(targets), .gold = {}, .lines = {}})
      .value();
}

Tensor row_of(const std::vector<Id>& ids) {
  Tensor x({static_cast<Index>(ids.size())});
  std::copy(ids.begin(), ids.end(), x.data());
  return x;
}

TEST(PyTorch, ComputesTheSameLogits) {
  if (sizeof(Real) != 4) GTEST_SKIP() << "the script computes with floats";
  const std::string interpreter = python();
  if (interpreter.empty())
    GTEST_SKIP() << "no Python with PyTorch here; HEED_PYTHON names one (Debian: python3-torch)";
  const TemporaryFolder folder;
  const struct {
    std::string name;
    Args more;
  } rows[]{
      {"transformer", {"model.norm=pre"}},
      {"transformer", {"model.norm=post", "data.joint_vocabulary=false", "model.ff=24"}},
      {"conv", {}},
      {"conv",
       {"model.weight_norm=false", "model.tied=true", "model.kernel=5",
        "data.joint_vocabulary=false"}},
      {"rnn", {"model.cell=gru"}},
      {"rnn", {"model.cell=lstm", "model.bidirectional=false", "model.tied=false"}},
      {"rnn+additive", {"model.cell=gru"}},
      {"rnn+additive", {"model.cell=lstm", "model.hidden=12", "data.joint_vocabulary=false"}},
      {"rnn+dot", {"model.cell=norm_lstm"}},
      {"rnn+general", {"model.cell=elman"}},
      {"rnn+concat", {"model.cell=lstm"}},
      {"lm", {"model.context=16"}},
  };
  std::vector<Tensor> expected;
  for (const auto& row : rows) {
    const std::string at = std::to_string(expected.size());

    const std::string label = row.name + " " + (row.more.empty() ? "" : row.more[0]);
    Args args{"train",
              "--model",
              row.name,
              "--threads",
              "1",
              "--steps",
              "3",
              "--out",
              at,
              "--set",
              "model.d=16",
              "--set",
              "model.layers=2",
              "--set",
              "model.heads=2",
              "--set",
              "data.batch_tokens=128",
              "--set",
              "optim.warmup=1"};
    if (row.name == "lm")
      args =
          args +
          Args{"--train",
               folder.write(
                   "t.txt",
                   "once upon a time there was a text\nand that was all of it\nthe end\nno more\n"),
               "--set", "data.batch_tokens=32"};
    else
      args = args + Args{"--train", "toy:sort"};
    for (const std::string& setting : row.more)
      args = args + Args{"--set", setting};
    const Ran trained = run(folder, args);
    ASSERT_EQ(trained.code, 0) << label << trained.err;
    ASSERT_EQ(run(folder, {"export", "--run", at, "--out", at + ".safetensors"}).code, 0) << label;
    const Tensor logits = logits_of(folder.path(at));
    std::vector<NamedTensor> batch;
    Index begin = 0;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const Index end = begin + static_cast<Index>(targets[i].size());
      const std::string suffix = "." + std::to_string(i);
      batch.insert(batch.end(), {{"source" + suffix, row_of(sources[i])},
                                 {"target" + suffix, row_of(targets[i])},
                                 {"logits" + suffix, logits.slice(begin, end)}});
      begin = end;
    }
    save_safetensors(folder.path("batch" + at + ".safetensors"), batch, {});
    expected.push_back(logits);
  }
  // One process for all: importing PyTorch is what takes time.
  folder.write(
      "all.py",
      fmt::format(
          "import sys\nsys.path.insert(0, '{}/docs')\nimport load_in_pytorch\nfor i in range({}):\n"
          "    sys.argv = ['', f'{{i}}.safetensors', '--batch', f'batch{{i}}.safetensors', "
          "'--out', f'back{{i}}.safetensors']\n"
          "    load_in_pytorch.main()\n",
          HEED_SOURCE_DIR, expected.size()));
  const Ran ran = shell(folder, fmt::format("PYTHONDONTWRITEBYTECODE=1 '{}' all.py", interpreter));
  ASSERT_EQ(ran.code, 0) << ran.out;
  const std::vector<std::string> lines = lines_of(ran.out);
  ASSERT_EQ(lines.size(), 2 * expected.size()) << ran.out;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string says = "largest difference ";
    const std::string at = std::to_string(i);

    const std::string& line = lines[2 * i + 1];
    ASSERT_TRUE(line.starts_with(says)) << ran.out;
    EXPECT_LE(std::stod(line.substr(says.size())), 1e-5) << rows[i].name << ", row " << i;
    // And back.
    const Ran back = run(folder, {"import", "back" + at + ".safetensors", "--out", "back" + at});
    ASSERT_EQ(back.code, 0) << rows[i].name << back.err;
    EXPECT_EQ(logits_of(folder.path("back" + at)).to_vector(), expected[i].to_vector())
        << rows[i].name;
  }
}

}  // namespace
}  // namespace heed
