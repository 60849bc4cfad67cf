#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include "tests/cli/program.h"

// Numbers out of range, closed descriptors and too few threads give one line of error each.

namespace heed {
namespace {

const Args tiny = {"--set", "model.d=16",         "--set",     "model.layers=1",
                   "--set", "model.heads=2",      "--set",     "data.min_count=1",
                   "--set", "train.eval_every=0", "--threads", "1"};

void train_tiny(const TemporaryFolder& folder) {
  std::string lines;
  for (int i = 0; i < 40; ++i)
    lines += fmt::format("a b {}\n", i % 5);
  folder.write("lines", lines);
  const Ran ran = run(folder, Args{"train", "--train", "lines", "lines", "--model", "transformer",
                                   "--steps", "3", "--out", "run"} +
                                  tiny);
  ASSERT_EQ(ran.code, 0) << ran.err;
}

// Numbers

struct Option {
  Args command;
  const char* name;
  const char* range;
  Args wrong;  // numbers out of the range
};

const char* const above_0 = "a whole number above 0";
const char* const at_least_0 = "a whole number of at least 0";
const char* const seed_range = "a whole number from 0 to 9223372036854775807";
const char* const thread_range = "a whole number from 0 to 1024";

const std::vector<Option>& options() {
  static const std::vector<Option> table = {
      {{"train"}, "--steps", above_0, {"0", "-1"}},
      {{"train"}, "--epochs", above_0, {"0", "-1"}},
      {{"train"}, "--seed", at_least_0, {"-1"}},
      {{"train"}, "--threads", thread_range, {"-1", "1025", "100000000"}},
      {{"train"}, "--keep", "a whole number from 1 to 1048576", {"0", "1048577"}},
      {{"compare"}, "--seeds", "a whole number from 1 to 1000", {"0", "1001"}},
      {{"compare"}, "--steps", above_0, {"0"}},
      {{"compare"}, "--epochs", above_0, {"0"}},
      {{"compare"}, "--lines", above_0, {"0"}},
      {{"compare"}, "--threads", thread_range, {"-1"}},
      {{"evaluate"}, "--lines", above_0, {"0"}},
      {{"evaluate"}, "--beam", "a whole number from 1 to 1000", {"0", "1001"}},
      {{"evaluate"}, "--threads", thread_range, {"-1"}},
      {{"corpus", "toy:copy"}, "--lines", above_0, {"0", "-3"}},
      {{"corpus", "toy:copy"}, "--seed", at_least_0, {"-1"}},
      {{"translate"}, "--beam", "a whole number from 1 to 1000", {"0", "1001"}},
      {{"translate"}, "--nbest", "a whole number from 1 to 1000", {"0", "1001"}},
      {{"translate"}, "--min-length", "a whole number from 0 to 1048576", {"-1", "1048577"}},
      {{"translate"}, "--max-length", "a whole number from 1 to 1048576", {"0", "1048577"}},
      {{"translate"}, "--no-repeat-ngram", "a whole number from 0 to 1048576", {"-1"}},
      {{"translate"}, "--top-k", at_least_0, {"-1"}},
      {{"translate"}, "--seed", seed_range, {"-1"}},
      {{"translate"}, "--threads", thread_range, {"-1"}},
      {{"verify-resume"}, "--steps", above_0, {"0"}},
      {{"verify-resume"}, "--seed", at_least_0, {"-1"}},
      {{"verify-resume"}, "--threads", thread_range, {"-1"}},
  };
  return table;
}

void expect_range(const TemporaryFolder& folder, const Option& option, const std::string& value,
                  const std::string& range, const std::string& got) {
  const Ran ran = run(folder, option.command + Args{option.name, value});
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, fmt::format("heed: error: {}: expected {}; got {}; see `heed {} --help`\n",
                                 option.name, range, got, option.command[0]));
}

TEST(Limits, AnErrorNamesTheRangeOfAWholeNumber) {
  const TemporaryFolder folder;
  for (const Option& option : options()) {
    for (const std::string& value : option.wrong)
      expect_range(folder, option, value, option.range, value);
    expect_range(folder, option, "abc", option.range, "'abc'");
  }
  const Option& one = options().front();
  for (const char* value : {"", "1e9", "nan", "inf", "0x10", "5 ", "99999999999999999999x"})
    expect_range(folder, one, value, one.range, fmt::format("'{}'", value));
  expect_range(folder, one, "1.5", one.range, "1.5");
}

TEST(Limits, AnErrorNamesTheLargestNumber) {
  const TemporaryFolder folder;
  const char* const huge = "99999999999999999999";
  const Option steps{{"train"}, "--steps", "", {}};
  const Option seed{{"translate"}, "--seed", "", {}};
  const Option beam{{"translate"}, "--beam", "", {}};
  expect_range(folder, steps, huge, "a whole number from 1 to 9223372036854775807", huge);
  expect_range(folder, seed, huge, seed_range, huge);
  expect_range(folder, beam, huge, "a whole number from 1 to 1000", huge);
}

TEST(Limits, AnErrorNamesTheRangeOfANumber) {
  const TemporaryFolder folder;
  const std::vector<Option> rows = {
      {{"translate"}, "--length-penalty", "a number from 0 to 100", {"-0.5", "100.5"}},
      {{"translate"}, "--coverage-penalty", "a number from 0 to 100", {"-1", "1000"}},
      {{"translate"}, "--temperature", "a number from 0 to 1000", {"-1", "1001"}},
      {{"translate"}, "--top-p", "a number from 0 to 1", {"-0.1", "1.5"}},
      {{"score"}, "--smooth-value", "a number of at least 0", {"-1"}},
      {{"score"}, "--word-order", "0 (chrF) or 2 (chrF++)", {"1", "3", "-2"}},
  };
  for (const Option& option : rows) {
    for (const std::string& value : option.wrong)
      expect_range(folder, option, value, option.range, value);
    for (const char* value : {"abc", "", "nan", "inf", "1e999", "0,5"})
      expect_range(folder, option, value, option.range, fmt::format("'{}'", value));
  }
}

TEST(Limits, LeadingZerosAndPlusSignsAreRead) {
  const TemporaryFolder folder;
  for (const auto& [lines, count] :
       std::map<std::string, std::size_t>{{"010", 10}, {"+5", 5}, {"8", 8}}) {
    const Ran ran = run(folder, {"corpus", "toy:copy", "--lines", lines, "--out", "x", "--force"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(lines_of(read_file(folder.path("x.src"))).size(), count) << lines;
  }
}

// Descriptors

/// Runs `heed args` in a shell, with these redirections.
Ran in_shell(const TemporaryFolder& folder, const std::string& args,
             const std::string& redirected) {
  std::filesystem::remove(folder.path("err"));
  const std::string script = fmt::format("cd '{}' && echo 'a b' | {{ '{}' {} 2> err {}; }}",
                                         folder.path(""), HEED_PROGRAM, args, redirected);
  const int status = std::system(script.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status), "",
          read_file(folder.path("err"))};
}

const std::vector<std::string>& printing_commands() {
  static const std::vector<std::string> commands = {
      "translate --run run",
      "translate --run run --nbest 2",
      "translate --run run --attention att.jsonl",
      "translate --run run --score one",
      "summarize --run run",
      "evaluate --run run --data lines lines",
      "score --metric bleu --hyp lines --ref lines",
      "score --metric chrf --hyp lines --ref lines --sentence-level",
      "inspect run",
      "train --help-settings",
      "--help",
      "--version",
      "train --help",
  };
  return commands;
}

TEST(Limits, AClosedStandardOutputIsAnError) {
  const TemporaryFolder folder;
  train_tiny(folder);
  folder.write("one", "a b\n");
  for (const std::string& command : printing_commands()) {
    for (const char* closed : {">&-", "> /dev/full"}) {
      const Ran ran = in_shell(folder, command, closed);
      EXPECT_EQ(ran.code, 1) << command << closed;
      ASSERT_FALSE(ran.err.empty()) << command << closed;
      const std::string last = lines_of(ran.err).back();
      EXPECT_TRUE(last.starts_with("heed: error: standard output: cannot write"))
          << command << closed << ": " << ran.err;
    }
    EXPECT_EQ(in_shell(folder, command, ">&- 2>&-").code, 1) << command;
  }
  for (const std::string& line : lines_of(read_file(folder.path("att.jsonl"))))
    EXPECT_TRUE(line.starts_with("{")) << line;
}

TEST(Limits, ClosedDescriptorsDoNotChangeFiles) {
  const TemporaryFolder folder;
  train_tiny(folder);
  const auto written = [&](const std::string& redirected) {
    const std::string name = "out";
    std::filesystem::remove_all(folder.path(name));
    std::filesystem::remove(folder.path("x.safetensors"));
    const std::string train =
        "train --train lines lines --model transformer --steps 2 --seed 4 --out out " +
        fmt::format("{}", fmt::join(tiny, " "));
    EXPECT_EQ(in_shell(folder, train, redirected).code, 0) << redirected;
    EXPECT_EQ(in_shell(folder, "export --run out --out x.safetensors", redirected).code, 0)
        << redirected;
    EXPECT_EQ(in_shell(folder, "corpus toy:copy --lines 3 --out g --force", redirected).code, 0)
        << redirected;
    return read_file(folder.path("x.safetensors")) + read_file(folder.path("out/config.toml")) +
           read_file(folder.path("out/tokenizer.json")) + read_file(folder.path("g.src")) +
           read_file(folder.path("g.tgt"));
  };
  const std::string expected = written("");
  EXPECT_GT(expected.size(), 1000u);
  for (const char* closed :
       {"<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"})
    EXPECT_EQ(written(closed), expected) << closed;
}

TEST(Limits, AClosedStandardInputIsAnError) {
  const TemporaryFolder folder;
  train_tiny(folder);
  for (const char* command : {"translate --run run", "score --metric bleu --hyp - --ref lines",
                              "score --metric bleu --hyp lines --ref -"}) {
    const Ran ran = in_shell(folder, command, "<&- > out");
    EXPECT_EQ(ran.code, 1) << command;
    EXPECT_TRUE(ran.err.starts_with("heed: error: standard input: cannot be read"))
        << command << ": " << ran.err;
    EXPECT_EQ(read_file(folder.path("out")), "") << command;
  }
}

// Threads

/// Runs the program where its user may have at most `most` processes and threads. Limits do not
/// bind root, so root becomes the user nobody first.
Ran with_few_threads(const TemporaryFolder& folder, rlim_t most, Args args) {
  const std::string err = folder.path("err");
  std::filesystem::remove(err);
  args.insert(args.begin(), HEED_PROGRAM);
  std::vector<char*> argv;
  for (std::string& arg : args)
    argv.push_back(arg.data());
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    const rlimit limit{most, most};
    const rlimit no_core{0, 0};
    const int to = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const bool prepared = chdir(folder.path("").c_str()) == 0 && dup2(to, 2) == 2 &&
                          setrlimit(RLIMIT_CORE, &no_core) == 0 &&
                          setrlimit(RLIMIT_NPROC, &limit) == 0 &&
                          (geteuid() != 0 || setuid(nobody) == 0);
    if (prepared) execv(argv[0], argv.data());
    _exit(126);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status), "", read_file(err)};
}

TEST(Limits, TooFewThreadsAreAnError) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the leak checker needs a thread of its own when the program ends";
#endif
  const TemporaryFolder folder;
  namespace fs = std::filesystem;
  std::string lines;
  for (int i = 0; i < 40; ++i)
    lines += fmt::format("a b {}\n", i);
  folder.write("lines", lines);
  fs::permissions(folder.path(""), fs::perms::all);
  fs::permissions(folder.path("lines"), fs::perms::others_read, fs::perm_options::add);
  const auto train = [&](const char* out, const char* threads) {
    return Args{"train",         "--train",    "lines", "lines",          "--model",
                "transformer",   "--steps",    "2",     "--out",          out,
                "--set",         "model.d=16", "--set", "model.layers=1", "--set",
                "model.heads=2", "--threads",  threads};
  };
  const Ran first = with_few_threads(folder, 1, train("one", "1"));
  if (first.code == 126) GTEST_SKIP() << "the program cannot be run as another user";
  EXPECT_EQ(first.code, 0) << "one thread needs no other: " << first.err;
  EXPECT_EQ(with_few_threads(folder, 1, train("default", "0")).code, 0) << "as many as there are";
  for (const char* threads : {"2", "8", "1024"}) {
    const Ran ran = with_few_threads(folder, 1, train("many", threads));
    EXPECT_EQ(ran.code, 1) << threads;
    EXPECT_EQ(ran.err,
              fmt::format("heed: error: cannot start {} threads; give --threads fewer\n", threads));
  }
}

// Files

TEST(Limits, FilesAreReplacedOnlyWithForce) {
  const TemporaryFolder folder;
  for (const char* name : {"a.src", "b.tgt"})
    folder.write(name, "mine\n");
  for (const auto& [out, file] :
       std::map<std::string, std::string>{{"a", "a.src"}, {"b", "b.tgt"}}) {
    const Ran ran = run(folder, {"corpus", "toy:copy", "--lines", "3", "--out", out});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(
        ran.err,
        fmt::format("heed: error: {}: exists already; give another name, or force to replace it\n",
                    file));
    EXPECT_EQ(read_file(folder.path(file)), "mine\n");
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path("b.src")))
      << "neither is written where one is there";
  EXPECT_EQ(run(folder, {"corpus", "toy:copy", "--lines", "3", "--out", "a", "--force"}).code, 0);
  EXPECT_EQ(lines_of(read_file(folder.path("a.src"))).size(), 3u);
}

/// Commands that name `name` as each kind of file, folder and value.
std::vector<Args> commands_with(const std::string& name) {
  const Args train = {"train", "--train", "lines", "lines", "--model", "rnn", "--steps", "1"};
  const Args compare = {"compare",  "--train",  "lines",   "lines",
                        "--models", "rnn,conv", "--steps", "1"};
  return {
      train + Args{"--out", name},
      train + Args{"--resume", "--out", name},
      train + Args{"--out", "new", "--init", name},
      compare + Args{"--out", name},
      Args{"train", "--train", name, name, "--model", "rnn", "--steps", "1", "--out", "new"},
      Args{"corpus", "toy:copy", "--out", name},
      Args{"export", "--run", "run", "--out", name},
      Args{"export", "--run", name, "--out", "x"},
      Args{"import", name, "--out", "new"},
      Args{"import", "x", "--out", name},
      Args{"translate", "--run", name},
      Args{"translate", "--run", "run", "--checkpoint", name},
      Args{"translate", "--run", "run", "--attention", name + ".html"},
      Args{"translate", "--run", "run", "--score", name},
      Args{"evaluate", "--run", name, "--data", "lines", "lines"},
      Args{"evaluate", "--run", "run", "--data", name, name},
      Args{"inspect", name},
      Args{"score", "--metric", "bleu", "--hyp", name, "--ref", "lines"},
      Args{"train", "--config", name, "--out", "new"},
      Args{name},
      Args{"train", "--" + name},
      Args{"train", "--steps", name},
      Args{"train", "--set", name, "--train", "lines", "lines", "--model", "rnn", "--out", "new"}};
}

TEST(Limits, AnOverlongNameIsOneShortLine) {
  const TemporaryFolder folder;
  train_tiny(folder);
  std::string deep;
  for (int i = 0; i < 50; ++i)
    deep += std::string(99, 'd') + "/";
  for (const std::string& name : {std::string(300, 'n'), std::string(100000, 'n'), deep + "n"})
    for (const Args& args : commands_with(name)) {
      const std::string what = fmt::format("{} with {} bytes", args[0].substr(0, 20), name.size());
      const Ran ran = run(folder, args);
      EXPECT_TRUE(ran.code == 1 || ran.code == 2) << what << ": " << ran.code << " " << ran.err;
      EXPECT_TRUE(ran.err.starts_with("heed: error: ")) << what << ": " << ran.err;
      EXPECT_EQ(lines_of(ran.err).size(), 1u) << what << ": " << ran.err;
      EXPECT_LT(ran.err.size(), 900u) << what << ": " << ran.err;
      EXPECT_EQ(ran.err.find("filesystem error"), std::string::npos) << what << ": " << ran.err;
    }
}

}  // namespace
}  // namespace heed
