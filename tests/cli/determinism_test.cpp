#include <cerrno>
#include <cstring>
#include <memory>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <pty.h>

#include "framework/checkpoint.h"
#include "tests/cli/program.h"

// A run gives the same bytes on any number of threads, from any folder, and whatever the
// environment says.

namespace heed {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const std::vector<std::string> thread_counts = {"1", "3"};
#else
const std::vector<std::string> thread_counts = {"1", "2", "3", "8"};
#endif

/// Sizes with which the products, the losses and the attention of a step are cut into several
/// pieces.
const Args settings = {"--steps", "12",
                       "--set",   "model.d=64",
                       "--set",   "model.layers=1",
                       "--set",   "model.heads=4",
                       "--set",   "model.dropout=0.1",
                       "--set",   "model.context=32",
                       "--set",   "data.batch_tokens=1400",
                       "--set",   "data.min_count=1",
                       "--set",   "optim.warmup=2",
                       "--set",   "optim.accumulate=2",
                       "--set",   "train.log_every=3",
                       "--set",   "train.eval_every=6",
                       "--set",   "train.save_every=4",
                       "--set",   "train.average=2",
                       "--set",   "train.label_smoothing=0.1",
                       "--set",   "decode.max_length=12"};

void write_data(const TemporaryFolder& folder) {
  const Ran pairs = run(folder, {"corpus", "toy:translation", "--lines", "600", "--out", "train"});
  ASSERT_EQ(pairs.code, 0) << pairs.err;
  ASSERT_EQ(run(folder,
                {"corpus", "toy:translation", "--lines", "40", "--split", "test", "--out", "test"})
                .code,
            0);
  folder.write("text.txt", read_file(folder.path("train.src")));
  folder.write("test.txt", read_file(folder.path("test.src")));
}

Args train(const std::string& model, const std::string& out) {
  return Args{"train", "--model", model, "--out", out, "--train"} +
         (model == "lm" ? Args{"text.txt"} : Args{"train.src", "train.tgt"}) + settings;
}

/// metrics.jsonl without what a clock says.
std::string timeless(const std::string& rows) {
  std::string text;
  for (const std::string& line : lines_of(rows)) {
    auto row = nlohmann::ordered_json::parse(line);
    row.erase("seconds");
    row.erase("tokens_per_s");
    text += row.dump() + "\n";
  }
  return text;
}

/// Compares two runs file by file.
void expect_same_run(const TemporaryFolder& folder, const std::string& a, const std::string& b) {
  std::map<std::string, std::string> files[2];
  for (const auto& [name, bytes] : contents(folder))
    for (int i : {0, 1})
      if (const std::string root = (i == 0 ? a : b) + "/"; name.starts_with(root))
        files[i][name.substr(root.size())] = bytes;
  ASSERT_TRUE(files[0].contains("checkpoints/best.heed")) << a;
  ASSERT_TRUE(files[0].contains("checkpoints/last.heed")) << a;
  for (const auto& [name, bytes] : files[0]) {
    if (name == "log.txt" || name == "report.html") continue;
    ASSERT_TRUE(files[1].contains(name)) << b << " lacks " << name;
    const std::string& other = files[1].at(name);
    if (name.ends_with("metrics.jsonl")) {
      EXPECT_EQ(timeless(other), timeless(bytes)) << b;
      continue;
    }
    const std::string file_a = folder.path(a + "/" + name);
    const std::string file_b = folder.path(b + "/" + name);
    EXPECT_TRUE(other == bytes) << file_b << " is not that of " << a << ": "
                                << (name.ends_with(".heed") ? difference(load(file_b), load(file_a))
                                                            : "");
  }
  EXPECT_EQ(files[1].size(), files[0].size()) << b;
}

std::string result(const TemporaryFolder& folder, const Args& args, const std::string& input = "") {
  const Ran ran = run(folder, args, input);
  EXPECT_EQ(ran.code, 0) << fmt::format("heed {}: {}", fmt::join(args, " "), ran.err);
  EXPECT_NE(ran.out, "") << fmt::format("heed {}", fmt::join(args, " "));
  return ran.out;
}

class Families : public testing::TestWithParam<const char*> {};

TEST_P(Families, GiveTheSameBytesOnAnyNumberOfThreads) {
  const TemporaryFolder folder;
  write_data(folder);
  const std::string model = GetParam();
  const std::string sources = read_file(folder.path("test.src"));
  std::vector<std::string> serial;
  for (const std::string& count : thread_counts) {
    const std::string name = "run" + count;
    const Ran trained = run(folder, train(model, name) + Args{"--threads", count});
    ASSERT_EQ(trained.code, 0) << trained.err;
    const Args with = {"--run", name, "--threads", count};
    std::vector<std::string> results;
    if (model == "lm") {
      results = {result(folder, Args{"evaluate", "--json", "--data", "test.txt"} + with),
                 result(folder, Args{"evaluate", "--json"} + with)};
    } else {
      const Args translate = Args{"translate"} + with;
      results = {
          result(folder, Args{"evaluate", "--json", "--data", "test.src", "test.tgt"} + with),
          result(folder, translate + Args{"--beam", "5", "--nbest", "5"}, sources),
          result(folder,
                 translate + Args{"--sample", "--top-p", "0.9", "--top-k", "9", "--nbest", "2",
                                  "--seed", "4"},
                 sources),
          result(folder, translate + Args{"--score", "test.tgt"}, sources)};
    }
    if (serial.empty()) {
      serial = results;
      continue;
    }
    expect_same_run(folder, "run1", name);
    EXPECT_EQ(results, serial) << model << " on " << count << " threads";
  }
}
INSTANTIATE_TEST_SUITE_P(Determinism, Families,
                         testing::Values("transformer", "conv", "rnn", "rnn+additive", "lm"),
                         [](const testing::TestParamInfo<const char*>& row) {
                           std::string name = row.param;
                           std::replace(name.begin(), name.end(), '+', '_');
                           return name;
                         });

// The current folder

/// The current folder of the programs that run() starts: `folder`/`name`.
Ran run_in(const TemporaryFolder& folder, const std::string& name, const Args& args,
           const std::string& input = "") {
  const std::string in = folder.write(".in", input);
  const std::string out = folder.path(".out");
  const std::string err = folder.path(".err");
  std::string command = fmt::format("cd '{}' && '{}'", folder.path(name), HEED_PROGRAM);
  for (const std::string& arg : args)
    command += fmt::format(" '{}'", arg);
  const int status =
      std::system(fmt::format("{} < '{}' > '{}' 2> '{}'", command, in, out, err).c_str());
  return {WEXITSTATUS(status), read_file(out), read_file(err)};
}

/// Puts the data into the folder "data", beside three folders to start the program in.
void write_data_and_folders(const TemporaryFolder& folder) {
  write_data(folder);
  for (const char* name : {"data", "a", "a/deep", "b"})
    std::filesystem::create_directory(folder.path(name));
  for (const char* name : {"train.src", "train.tgt", "test.src", "test.tgt", "text.txt"})
    std::filesystem::rename(folder.path(name), folder.path(std::string("data/") + name));
}

/// `up`: the path from the current folder to the temporary one.
Args train_from(const std::string& up, const std::string& out) {
  const std::string data = up + "data/";
  return Args{"train", "--model", "rnn", "--out", up + out} +
         Args{"--train", data + "train.src", data + "train.tgt"} +
         Args{"--valid", data + "test.src", data + "test.tgt"} + settings;
}

TEST(Determinism, TheFolderItIsStartedInChangesNothing) {
  const TemporaryFolder folder;
  write_data_and_folders(folder);
  const Ran above = run_in(folder, ".", train_from("", "run1"));
  const Ran below = run_in(folder, "a/deep", train_from("../../b/../", "run2"));
  ASSERT_EQ(above.code, 0) << above.err;
  ASSERT_EQ(below.code, 0) << below.err;
  expect_same_run(folder, "run1", "run2");
  const std::string config = read_file(folder.path("run1/config.toml"));
  for (const char* name : {"train.src", "train.tgt", "test.src", "test.tgt"})
    EXPECT_NE(config.find("'" + folder.path("data/") + name + "'"), std::string::npos) << config;

  // The runs are resumed from other folders, and the data are given by other names.
  const Ran there = run_in(folder, "b",
                           {"train", "--resume", "--out", "../run1", "--steps", "14", "--train",
                            "../data/train.src", "../a/../data/train.tgt"});
  EXPECT_EQ(there.code, 0) << there.err;
  const Ran here = run_in(folder, ".", {"train", "--resume", "--out", "run2", "--steps", "14"});
  EXPECT_EQ(here.code, 0) << here.err;
  expect_same_run(folder, "run1", "run2");
  const Ran other = run_in(
      folder, "b",
      {"train", "--resume", "--out", "../run1", "--train", "../data/test.src", "../data/test.tgt"});
  EXPECT_EQ(other.code, 1) << other.err;
  EXPECT_NE(other.err.find("which this run began with"), std::string::npos) << other.err;
}

TEST(Determinism, RunsWithoutPairsOfFilesAreFoundFromAnyFolder) {
  const TemporaryFolder folder;
  write_data_and_folders(folder);
  const Ran lm = run_in(
      folder, "a",
      Args{"train", "--model", "lm", "--train", "../data/text.txt", "--out", "lm"} + settings);
  ASSERT_EQ(lm.code, 0) << lm.err;
  // By default it is evaluated on the validation part of its own text.
  const Ran evaluated = run_in(folder, "b", {"evaluate", "--run", "../a/lm", "--json"});
  EXPECT_EQ(evaluated.code, 0) << evaluated.err;

  // A built-in corpus has no folder.
  const Ran toy =
      run_in(folder, "a",
             Args{"train", "--model", "rnn", "--train", "toy:reverse", "--out", "toy"} + settings);
  ASSERT_EQ(toy.code, 0) << toy.err;
  EXPECT_NE(read_file(folder.path("a/toy/config.toml")).find("train = ['toy:reverse']"),
            std::string::npos);
}

TEST(Determinism, AComparisonIsResumedFromAnotherFolder) {
  const TemporaryFolder folder;
  write_data(folder);
  std::filesystem::create_directory(folder.path("b"));
  const Ran compared = run_in(
      folder, ".",
      {"compare", "--train", "train.src", "train.tgt", "--models", "rnn", "--seeds", "1", "--steps",
       "2", "--out", "comparison", "--set", "model.d=16", "--set", "decode.max_length=4"});
  ASSERT_EQ(compared.code, 0) << compared.err;
  const std::string before = read_file(folder.path("comparison/comparison.json"));
  std::filesystem::remove(folder.path("comparison/runs/rnn-seed1/result.json"));
  const Ran again = run_in(
      folder, "b",
      {"compare", "--resume", "--out", "../comparison", "--train", "../train.src", "../train.tgt"});
  ASSERT_EQ(again.code, 0) << again.err;
  const auto settings_in = [](const std::string& text) {
    return nlohmann::json::parse(text)["duel"].dump();
  };
  const std::string after = read_file(folder.path("comparison/comparison.json"));
  EXPECT_EQ(settings_in(after), settings_in(before));
}

// The environment

const Args small = {"--threads", "1",
                    "--steps",   "6",
                    "--set",     "model.d=16",
                    "--set",     "model.layers=1",
                    "--set",     "model.heads=2",
                    "--set",     "optim.lr=0.0125",
                    "--set",     "data.tokenizer=bpe",
                    "--set",     "data.vocab_size=400",
                    "--set",     "train.eval_every=3",
                    "--set",     "train.save_every=3",
                    "--set",     "train.log_every=2",
                    "--set",     "decode.max_length=8",
                    "--set",     "optim.warmup=2"};

TEST(Determinism, TheEnvironmentChangesNothing) {
  const TemporaryFolder folder;
  write_data(folder);
  const std::string sources = read_file(folder.path("test.src"));
  const auto use = [&](const std::string& name) {
    const Ran ran = run(folder, Args{"train", "--model", "transformer", "--train", "train.src",
                                     "train.tgt", "--out", name} +
                                    small);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return std::vector<std::string>{
        result(folder,
               {"translate", "--run", name, "--threads", "1", "--nbest", "2", "--beam", "2",
                "--length-penalty", "0.7"},
               sources),
        result(folder, {"evaluate", "--run", name, "--threads", "1", "--json", "--data", "test.src",
                        "test.tgt"}),
        result(folder, {"score", "--metric", "bleu", "--hyp", "test.src", "--ref", "test.tgt",
                        "--json", "--smooth", "floor", "--smooth-value", "0.25"}),
        result(folder, {"inspect", name + "/checkpoints/best.heed"})};
  };
  auto expected = use("plain");
  // the first line names the file
  expected.back() = expected.back().substr(expected.back().find('\n'));
  struct Row {
    const char* name;
    const char* value;
  };
  int number = 0;
  for (const std::vector<Row>& row : std::vector<std::vector<Row>>{
           {{"LC_ALL", "xx_NOWHERE.UTF-8"}, {"LANG", "xx_NOWHERE"}, {"LANGUAGE", "xx"}},
           {{"LC_ALL", "de_DE.UTF-8"}, {"LC_NUMERIC", "de_DE.UTF-8"}, {"TZ", "Asia/Kathmandu"}},
           {{"COLUMNS", "11"},
            {"LINES", "2"},
            {"TERM", "no-such-terminal"},
            {"TZ", "nonsense"},
            {"NO_COLOR", "1"}},
           {{"OMP_NUM_THREADS", "3"}, {"OPENBLAS_NUM_THREADS", "3"}, {"MALLOC_PERTURB_", "165"}}}) {
    std::vector<std::unique_ptr<Setting>> variables;
    for (const Row& variable : row)
      variables.push_back(std::make_unique<Setting>(variable.name, variable.value));
    const std::string name = fmt::format("run{}", ++number);
    auto got = use(name);
    got.back() = got.back().substr(got.back().find('\n'));
    EXPECT_EQ(got, expected) << row[0].name << "=" << row[0].value;
    expect_same_run(folder, "plain", name);
  }
}

/// Reads until the other end is closed.
std::string read_all(int descriptor) {
  std::string text;
  char chunk[4096];
  ssize_t got = read(descriptor, chunk, sizeof chunk);
  while (got > 0) {
    text.append(chunk, static_cast<std::size_t>(got));
    got = read(descriptor, chunk, sizeof chunk);
  }
  return text;
}

TEST(Determinism, ATerminalChangesNothing) {
  const TemporaryFolder folder;
  write_data(folder);
  const Args args =
      Args{"train", "--model", "transformer", "--train", "train.src", "train.tgt"} + small;
  ASSERT_EQ(run(folder, args + Args{"--out", "plain"}).code, 0);
  for (const int columns : {0, 7, 200}) {
    std::string out = fmt::format("run{}", columns);
    std::string where = folder.path("");
    Args full = Args{HEED_PROGRAM} + args + Args{"--out", out};
    std::vector<char*> argv;
    for (std::string& arg : full)
      argv.push_back(arg.data());
    argv.push_back(nullptr);
    winsize size{.ws_row = 24,
                 .ws_col = static_cast<unsigned short>(columns),
                 .ws_xpixel = 0,
                 .ws_ypixel = 0};
    int master = -1;
    const pid_t process = forkpty(&master, nullptr, nullptr, &size);
    if (process < 0 && errno != EAGAIN && errno != ENOMEM && errno != EMFILE)
      GTEST_SKIP() << "no terminal can be had here: " << std::strerror(errno);
    ASSERT_GE(process, 0) << std::strerror(errno);
    if (process == 0) {
      if (chdir(where.c_str()) == 0) execv(argv[0], argv.data());
      _exit(126);
    }
    const std::string shown = read_all(master);
    int status = 0;
    waitpid(process, &status, 0);
    close(master);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << shown;
    EXPECT_NE(shown.find("\r\033[K"), std::string::npos) << "no live line on a terminal: " << shown;
    expect_same_run(folder, "plain", out);
  }
}

}  // namespace
}  // namespace heed
