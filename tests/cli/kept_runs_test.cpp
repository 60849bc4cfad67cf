// Runs that Heed 0.1.0 wrote (tests/data/kept) still translate to the same lines, and come to the
// same weights when they are resumed.
//
// - NAME/ is the run after 600 steps.
// - NAME.expected is what `heed translate`, `summarize` or `evaluate` of that version printed for
// it.
// - NAME.resumed.safetensors holds its last weights after `heed train --resume --steps 620`.
//
// The data were in /kept, which need not exist: they are beside the runs now.

#include <cmath>

#include <nlohmann/json.hpp>

#include "framework/safetensors.h"
#include "tests/cli/program.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

struct Kept {
  const char* name;
  const char* command;  // translate, summarize or evaluate
  std::vector<const char*> data;
};

void PrintTo(const Kept& kept, std::ostream* out) { *out << kept.name; }

std::string kept_path(const std::string& name) {
  return (fs::path(HEED_SOURCE_DIR) / "tests/data/kept" / name).string();
}

Args data_of(const Kept& kept) {
  Args files;
  for (const char* file : kept.data)
    files.push_back(kept_path(file));
  return files;
}

/// The first lines of the run's source.
std::string input_of(const Kept& kept) {
  std::string text;
  for (const std::string& line : lines_of(read_file(kept_path(kept.data.front())))) {
    text += line + "\n";
    if (std::count(text.begin(), text.end(), '\n') == 12) break;
  }
  return text;
}

std::map<std::string, Tensor> exported(const TemporaryFolder& folder, const std::string& run_name) {
  const std::string file = folder.path(run_name + ".safetensors");
  const Ran ran = run(folder, {"export", "--run", run_name, "--checkpoint", "last", "--out", file});
  EXPECT_EQ(ran.code, 0) << ran.err;
  std::map<std::string, Tensor> tensors;
  for (const NamedTensor& named : load_safetensors(file).tensors)
    tensors[named.name] = named.tensor;
  return tensors;
}

/// How far the weights may be from the kept ones after 20 more steps, as a share of the distance
/// that these steps go. Another processor rounds differently. So does layer norm, which now
/// subtracts what rounding leaves of the mean: for a Transformer that is 4e-6 of the distance.
constexpr double tolerance = 0.01;

/// Whether the tensor holds a bias of keys. Such a bias adds the same to all scores of a query,
/// which softmax ignores. Its gradient is rounding error, which Adam scales to whole steps.
bool holds_a_bias_of_keys(const std::string& name) {
  return name.ends_with("attention.input.bias") || name.ends_with("cross.memory.bias");
}

double distance(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  EXPECT_EQ(a.size(), b.size());
  double squares = 0;
  for (const auto& [name, tensor] : a) {
    if (holds_a_bias_of_keys(name)) continue;
    const Tensor& other = b.at(name);
    EXPECT_EQ(tensor.shape(), other.shape()) << name;
    for (Index i = 0; i < tensor.size(); ++i) {
      const double difference = static_cast<double>(tensor.data()[i]) - other.data()[i];
      squares += difference * difference;
    }
  }
  return std::sqrt(squares);
}

class KeptRuns : public testing::TestWithParam<Kept> {
 public:
  KeptRuns() {
    fs::copy(kept_path(GetParam().name), folder.path("run"), fs::copy_options::recursive);
  }
  TemporaryFolder folder;
};

TEST_P(KeptRuns, GiveTheSameOutputs) {
  const Kept& kept = GetParam();
  const std::string expected = read_file(kept_path(std::string(kept.name) + ".expected"));
  if (std::string(kept.command) == "evaluate") {
    const Ran ran =
        run(folder, Args{"evaluate", "--run", "run", "--json", "--data"} + data_of(kept));
    ASSERT_EQ(ran.code, 0) << ran.err;
    const auto now = nlohmann::json::parse(ran.out);
    const auto then = nlohmann::json::parse(expected);
    EXPECT_EQ(now["tokens"], then["tokens"]);
    EXPECT_NEAR(now["loss"].get<double>(), then["loss"].get<double>(), 1e-5);
    EXPECT_NEAR(now["perplexity"].get<double>(), then["perplexity"].get<double>(), 1e-4);
    return;
  }
  const Ran ran = run(folder, {kept.command, "--run", "run"}, input_of(kept));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, expected);
}

TEST_P(KeptRuns, ComeToTheSameWeights) {
  const Kept& kept = GetParam();
  const auto before = exported(folder, "run");
  Args resume = {"train", "--resume",  "--steps", "620",    "--out",
                 "run",   "--threads", "1",       "--train"};
  const Ran ran = run(folder, resume + data_of(kept));
  ASSERT_EQ(ran.code, 0) << ran.err;

  std::map<std::string, Tensor> then;
  const std::string file = kept_path(std::string(kept.name) + ".resumed.safetensors");
  for (const NamedTensor& named : load_safetensors(file).tensors)
    then[named.name] = named.tensor;
  const double share = distance(exported(folder, "run"), then) / distance(before, then);
  RecordProperty("share", std::to_string(share));
  EXPECT_LT(share, tolerance);
}

const std::vector<Kept> kept_runs = {
    {"transformer", "translate", {"train.src", "train.tgt"}},
    {"transformer-bpe", "translate", {"train.src", "train.tgt"}},
    {"conv-characters", "translate", {"train.src", "train.tgt"}},
    {"rnn", "translate", {"train.src", "train.tgt"}},
    {"rnn-additive", "translate", {"train.src", "train.tgt"}},
    {"copy", "summarize", {"doc.txt", "summary.txt"}},
    {"lm-characters", "evaluate", {"text.txt"}},
    {"lm-words", "evaluate", {"text.txt"}},
};

INSTANTIATE_TEST_SUITE_P(All, KeptRuns, testing::ValuesIn(kept_runs), [](const auto& row) {
  std::string name = row.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace heed
