// A run and its data: a resumed run finds out whether they are the same, warnings about data, and
// data that change during training.

#include <algorithm>

#include <sys/stat.h>

#include "datasets/text/pairs.h"
#include "framework/checkpoint.h"
#include "framework/random.h"
#include "tests/cli/program.h"

namespace heed {
namespace {

/// The log names settings where the command names options.
std::string in_option_words(std::string log) {
  for (auto at = log.find("data.valid)"); at != std::string::npos; at = log.find("data.valid)"))
    log.replace(at, std::string("data.valid").size(), "--valid");
  return log;
}

const Args tiny = {"--model", "transformer", "--threads", "1"};
const Args sizes = {"model.d=16",           "model.layers=1",     "model.heads=2",
                    "data.batch_tokens=64", "data.min_count=1",   "optim.warmup=0",
                    "train.log_every=1",    "train.eval_every=0", "train.save_every=0"};

Args train(const Args& data, const Args& more, const Args& settings = {}) {
  Args args = Args{"train", "--train"} + data + tiny + more;
  for (const std::string& setting : sizes + settings)
    args.insert(args.end(), {"--set", setting});
  return args;
}

/// Random lines of 4 to 8 of the letters a to l. A target is its source in reverse, in letters from
/// `first` on.
Pair lines(Index count, std::uint64_t seed, char first = 'A') {
  Pair text;
  Random random(seed);
  for (Index i = 0; i < count; ++i) {
    std::string line;
    for (std::uint64_t n = 4 + random.below(5); n > 0; --n)
      line +=
          fmt::format("{}{}", line.empty() ? "" : " ", static_cast<char>('a' + random.below(12)));
    text.source += line + "\n";
    std::reverse(line.begin(), line.end());
    for (char& c : line)
      c = c == ' ' ? c : static_cast<char>(c - 'a' + first);
    text.target += line + "\n";
  }
  return text;
}

void write(const TemporaryFolder& folder, const std::string& name, const Pair& text) {
  folder.write(name + ".src", text.source);
  folder.write(name + ".tgt", text.target);
}

/// The pairs "a"; the same in other files ("moved"); with one other byte ("other"); with the
/// sources shifted by a line ("turned"). Validation pairs: "v", the same ("moved-v") and others
/// ("other-v").
void write_same_and_other_data(const TemporaryFolder& folder) {
  const Pair text = lines(60, 1);
  Pair other = text;
  other.target[other.target.size() - 2] ^= 1;
  Pair turned = text;
  turned.source = text.source.substr(text.source.find('\n') + 1) +
                  text.source.substr(0, text.source.find('\n') + 1);
  write(folder, "a", text);
  write(folder, "moved", text);
  write(folder, "other", other);
  write(folder, "turned", turned);
  write(folder, "v", lines(9, 2));
  write(folder, "moved-v", lines(9, 2));
  write(folder, "other-v", lines(9, 3));
  std::string tsv;
  const auto sources = lines_of(text.source);
  const auto targets = lines_of(text.target);
  for (std::size_t i = 0; i < sources.size(); ++i)
    tsv += sources[i] + "\t" + targets[i] + "\n";
  folder.write("moved.tsv", tsv);
}

/// Removes from the checkpoint of a run what it was trained on, as in checkpoints of earlier
/// versions.
void forget_data(const std::string& run) {
  namespace fs = std::filesystem;
  const std::string checkpoints = run + "/checkpoints";
  Checkpoint old = load(checkpoints + "/last.heed");
  EXPECT_EQ(old.text.size(), 4u);
  std::erase_if(old.text, [](const auto& entry) { return entry.first != "config"; });
  fs::remove_all(checkpoints);
  fs::create_directory(checkpoints);
  save(old, checkpoints + "/last.heed");
}

/// Trains "run" (with validation data and two tokenizers) and "held" (pairs are held out). Copies
/// "run" to "swapped", whose tokenizers are exchanged, and to "old" and "older", which do not say
/// what they were trained on.
void make_runs(const TemporaryFolder& folder) {
  namespace fs = std::filesystem;
  const Args validated = {"--valid", "v.src", "v.tgt", "--steps", "2", "--out", "run"};
  const Args separate = {"data.joint_vocabulary=false"};
  ASSERT_EQ(run(folder, train({"a.src", "a.tgt"}, validated, separate)).code, 0);
  ASSERT_EQ(run(folder, train({"a.src", "a.tgt"}, {"--steps", "2", "--out", "held"})).code, 0);
  for (const char* name : {"swapped", "old", "older"})
    fs::copy(folder.path("run"), folder.path(name), fs::copy_options::recursive);
  const std::string source = folder.path("swapped/tokenizer.source.json");
  const std::string target = folder.path("swapped/tokenizer.target.json");
  fs::rename(source, folder.path("kept.json"));
  fs::rename(target, source);
  fs::rename(folder.path("kept.json"), target);
  forget_data(folder.path("old"));
  forget_data(folder.path("older"));
}

const std::string start_anew = "start a new run in another folder";

struct ResumedRow {
  Args args;
  std::vector<std::string> parts;  // of the error; none: the run goes on
};

const std::vector<ResumedRow> resumed_rows = {
    {{"run", "--train", "moved.src", "moved.tgt"}, {}},
    {{"run", "--train", "moved.tsv", "--valid", "moved-v.src", "moved-v.tgt"}, {}},
    {{"run"}, {}},  // it has kept the new names
    {{"held", "--train", "moved.tsv"}, {}},
    {{"run", "--train", "other.src", "other.tgt"},
     {"other.tgt: not the text of", "moved.tsv, which this run began with",
      "give the same as --train", start_anew}},
    {{"run", "--train", "turned.src", "turned.tgt"}, {"turned.tgt: not the text of"}},
    {{"run", "--train", "toy:copy"}, {"toy:copy: not the text of"}},
    {{"run", "--valid", "other-v.src", "other-v.tgt"},
     {"other-v.tgt: not the text of", "give the same as --valid"}},
    {{"held", "--valid", "v.src", "v.tgt"}, {"data.valid cannot change"}},
    {{"held", "--train", "other.src", "other.tgt"},
     {"not the text of", "give the same as --train"}},
    {{"swapped"}, {"swapped: the tokenizer here is not the one this run was trained with"}},
    {{"old"}, {}},
    {{"older", "--train", "moved.tsv"},
     {"data.train cannot change: the checkpoint does not say what it was trained on"}},
};

TEST(Data, AResumedRunFindsOutWhetherTheyAreTheSame) {
  const TemporaryFolder folder;
  write_same_and_other_data(folder);
  make_runs(folder);
  for (const ResumedRow& row : resumed_rows) {
    const Ran ran = run(
        folder, Args{"train", "--resume", "--threads", "1", "--steps", "3", "--out"} + row.args);
    const std::string what = fmt::format("{}: {}", fmt::join(row.args, " "), ran.err);
    EXPECT_EQ(ran.code, row.parts.empty() ? 0 : 1) << what;
    for (const std::string& part : row.parts)
      EXPECT_NE(ran.err.find(part), std::string::npos) << part << " in " << what;
    if (!row.parts.empty()) {
      EXPECT_EQ(lines_of(ran.err).size(), 1u) << what;
    }
  }
}

TEST(Data, AResumedRunFindsOutThatTheyHaveChanged) {
  const TemporaryFolder folder;
  write_same_and_other_data(folder);
  ASSERT_EQ(run(folder, train({"a.src", "a.tgt"}, {"--steps", "2", "--out", "run"})).code, 0);
  std::filesystem::copy_file(folder.path("other.tgt"), folder.path("a.tgt"),
                             std::filesystem::copy_options::overwrite_existing);
  const Ran changed = run(folder, {"train", "--resume", "--steps", "4", "--out", "run"});
  EXPECT_EQ(changed.code, 1);
  EXPECT_NE(changed.err.find("a.tgt: have changed since this run began; give the data it was "
                             "trained on (--train, if they have moved), or " +
                             start_anew),
            std::string::npos)
      << changed.err;
}

TEST(Data, AResumedLanguageModelFindsOutWhetherItsTextIsTheSame) {
  const TemporaryFolder folder;
  const std::string text = lines(400, 1).source;
  folder.write("a.txt", text);
  folder.write("moved.txt", text);
  folder.write("other.txt", "b" + text);
  const Args args{"train",          "--train", "a.txt",         "--model",    "lm",
                  "--threads",      "1",       "--set",         "model.d=16", "--set",
                  "model.layers=1", "--set",   "model.heads=2", "--set",      "model.context=16"};
  ASSERT_EQ(run(folder, args + Args{"--steps", "2", "--out", "run"}).code, 0);
  const auto resume = [&](const char* file) {
    return run(folder, {"train", "--resume", "--steps", "3", "--out", "run", "--train", file});
  };
  EXPECT_EQ(resume("moved.txt").code, 0);
  const Ran other = resume("other.txt");
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find("other.txt: not the text of "), std::string::npos) << other.err;
}

/// Pairs of which some are repeated, rare, or in scripts without spaces, and texts that share
/// lines.
void write_faulty_data(const TemporaryFolder& folder) {
  const Pair a = lines(200, 1);
  const Pair b = lines(50, 2);
  write(folder, "a", a);
  write(folder, "b", b);
  write(folder, "ab", {a.source + b.source, a.target + b.target});
  write(folder, "aa", {a.source + a.source, a.target + a.target});
  std::string words;
  std::string long_lines;
  std::string others;
  for (int i = 0; i < 300; ++i) {
    words += fmt::format("u{} v{} w{} the\n", i, i, i);
    long_lines += fmt::format("this is line {} of a text\n", i);
    others += fmt::format("and {} is another line of it\n", i);
  }
  folder.write("rare.src", words);
  folder.write("rare.tgt", lines(300, 3).target);
  folder.write("a.txt", long_lines + others);
  folder.write("half.txt", long_lines + lines(300, 4).source + lines(300, 5).target);
  folder.write("short.txt", "ab cd\n" + long_lines.substr(0, 20) + "ef\n");
  std::string han;
  std::string thai;
  std::string hangul;
  for (int i = 0; i < 200; ++i) {
    han += "你好，世界。\n";
    thai += "สวสด abcd\n";
    hangul += "안녕 세상\n";
  }
  folder.write("han.tgt", han);
  folder.write("thai.src", thai);
  folder.write("hangul.tgt", hangul);
}

struct WarningRow {
  Args data;
  Args more;
  Args settings;
  std::vector<std::string> warnings;
};

const std::vector<WarningRow> warning_rows = {
    {{"a.src", "a.tgt"}, {}, {}, {}},
    {{"a.src", "a.tgt"}, {"--valid", "b.src", "b.tgt"}, {}, {}},
    {{"toy:translation"}, {}, {"data.batch_tokens=1024"}, {}},
    {{"toy:reverse"}, {}, {"data.batch_tokens=1024"}, {}},
    {{"ab.src", "ab.tgt"},
     {"--valid", "b.src", "b.tgt"},
     {},
     {"50 of the 50 validation pairs stand in the training data too, so the validation loss "
      "flatters; take them out of one of the two"}},
    {{"ab.src", "ab.tgt"},
     {"--valid", "b.src", "b.tgt"},
     {"data.joint_vocabulary=false", "data.tokenizer=bpe"},
     {"50 of the 50 validation pairs",
      "data.min_count = 1 has no effect with data.tokenizer = 'bpe'"}},
    {{"aa.src", "aa.tgt"},
     {},
     {},
     {"pairs held out to validate on stand in the training data too", "(--valid)"}},
    {{"rare.src", "rare.tgt"},
     {},
     {"data.min_count=2"},
     {"75 % of the source tokens are unknown, and all one to the model (<unk>): lower "
      "data.min_count (2), or learn subwords (data.tokenizer=unigram)"}},
    {{"a.src", "a.tgt"},
     {},
     {"data.vocab_size=6"},
     {"% of the source tokens and ", "% of the target tokens are unknown",
      "raise data.vocab_size (6), or learn subwords"}},
    {{"rare.src", "rare.tgt"},
     {},
     {"data.tokenizer=unigram"},
     {"data.min_count = 1 has no effect with data.tokenizer = 'unigram'"}},
    {{"a.src", "han.tgt"},
     {},
     {"data.tokenizer=words"},
     {"data.tokenizer=words cuts at blanks and marks alone, and 100 % of the letters of the "
      "target belong to scripts without blanks between words (Chinese, Japanese, Thai ...): "
      "learn subwords (data.tokenizer=unigram)"}},
    {{"thai.src", "han.tgt"},
     {},
     {"data.tokenizer=words"},
     {"50 % of the letters of the source and 100 % of the letters of the target belong"}},
    {{"a.src", "han.tgt"}, {}, {"data.tokenizer=characters"}, {}},
    {{"a.src", "hangul.tgt"}, {}, {}, {}},
};

TEST(Data, WarnsOfWhatMakesARunWorthless) {
  const TemporaryFolder folder;
  write_faulty_data(folder);
  for (std::size_t i = 0; i < warning_rows.size(); ++i) {
    const WarningRow& row = warning_rows[i];
    const std::string out = fmt::format("run{}", i);
    const std::string what =
        fmt::format("{} {}", fmt::join(row.data, " "), fmt::join(row.more + row.settings, " "));
    const Ran ran =
        run(folder, train(row.data, row.more + Args{"--steps", "1", "--out", out}, row.settings));
    EXPECT_EQ(ran.code, 0) << what << ran.err;
    EXPECT_EQ(ran.err.find("warning: ") == std::string::npos, row.warnings.empty())
        << what << ran.err;
    for (const std::string& warning : row.warnings)
      EXPECT_NE(ran.err.find(warning), std::string::npos) << what << ran.err;
    EXPECT_EQ(in_option_words(read_file(folder.path(out + "/log.txt"))), ran.err);
    if (row.warnings.empty()) continue;
    const Ran on =
        run(folder, {"train", "--resume", "--threads", "1", "--steps", "2", "--out", out});
    EXPECT_EQ(on.code, 0) << on.err;
    EXPECT_EQ(on.err.find("warning: "), std::string::npos) << "said once: " << on.err;
  }
}

TEST(Data, WarnsOfATextThatIsValidatedOnItsTrainingLines) {
  const TemporaryFolder folder;
  write_faulty_data(folder);
  const Args small_model = {"--threads", "1",
                            "--set",     "model.d=16",
                            "--set",     "model.layers=1",
                            "--set",     "model.heads=2",
                            "--set",     "model.context=16",
                            "--set",     "optim.warmup=0"};
  for (const auto& [valid, warning] : std::map<std::string, std::string>{
           {"half.txt", "300 of the 300 validation lines of 20 characters and more"},
           {"short.txt", ""}}) {
    const Ran ran = run(folder, Args{"train", "--train", "a.txt", "--valid", valid, "--model", "lm",
                                     "--steps", "1", "--out", valid + ".run"} +
                                    small_model);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.err.find("warning: ") == std::string::npos, warning.empty()) << ran.err;
    EXPECT_NE(ran.err.find(warning), std::string::npos) << ran.err;
  }
}

TEST(Data, AnInterruptionEndsTheirPreparation) {
  const TemporaryFolder folder;
  std::string text;
  Random random(1);
  for (int i = 0; i < 60'000; ++i) {
    for (int j = 0; j < 40; ++j)
      text += static_cast<char>('a' + random.below(26));
    text += "\n";
  }
  folder.write("big.src", text);
  folder.write("big.tgt", text);
  write(folder, "a", lines(60, 1));
  ASSERT_EQ(mkfifo(folder.path("pipe.tsv").c_str(), 0600), 0);
  ASSERT_EQ(run(folder, train({"a.src", "a.tgt"}, {"--steps", "1", "--out", "small"})).code, 0);
  std::string input;
  for (int i = 0; i < 250; ++i)
    input += "a b c d e f g h\n";
  const struct {
    const char* name;
    Args args;
    std::string input;
  } rows[]{
      {"a pipe that nobody writes to", train({"pipe.tsv"}, {"--steps", "1", "--out", "run"}), ""},
      {"learning subwords",
       train({"big.src", "big.tgt"}, {"--steps", "1", "--out", "run"}, {"data.tokenizer=unigram"}),
       ""},
      {"decoding a group of lines",
       {"translate", "--run", "small", "--threads", "1", "--beam", "500", "--min-length", "2000",
        "--max-length", "2000"},
       input},
  };
  for (const auto& row : rows) {
    Program program(folder, row.args, row.input);
    // At any time: the work takes half a minute or more.
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    program.interrupt();
    const Ran ran = program.wait();
    EXPECT_EQ(ran.code, 130) << row.name << ran.err;
    EXPECT_EQ(ran.err, "") << row.name;
    EXPECT_FALSE(std::filesystem::exists(folder.path("run"))) << row.name;
  }
}

struct ChangeRow {
  const char* name;
  std::function<void(const std::string&)> change;
  const char* error;  // null: the run is not disturbed
};

const ChangeRow change_rows[]{
    {"grown", [](const std::string& path) { std::ofstream(path, std::ios::app) << "more\n"; },
     "a.src: has changed since it was opened"},
    {"truncated", [](const std::string& path) { std::filesystem::resize_file(path, 40); },
     "a.src: has changed since it was opened"},
    {"rewritten",
     [](const std::string& path) {
       const auto size = std::filesystem::file_size(path);
       std::ofstream(path) << std::string(size - 1, 'x') << "\n";
     },
     "a.src: has changed since it was opened"},
    {"emptied", [](const std::string& path) { std::ofstream(path, std::ios::trunc).close(); },
     "a.src: has changed since it was opened"},
    {"deleted", [](const std::string& path) { std::filesystem::remove(path); }, nullptr},
    {"replaced",
     [](const std::string& path) {
       std::ofstream(path + ".new") << "other\n";
       std::filesystem::rename(path + ".new", path);
     },
     nullptr},
    {"forbidden",
     [](const std::string& path) {
       std::filesystem::permissions(path, std::filesystem::perms::none);
     },
     nullptr},
};

TEST(Data, ARunWhoseDataChangeStopsAndCanBeResumed) {
  const TemporaryFolder folder;
  const Pair text = lines(60, 1);
  for (const ChangeRow& row : change_rows) {
    write(folder, "a", text);
    Program program(folder, train({"a.src", "a.tgt"},
                                  {"--steps", row.error ? "1000000" : "400", "--out", row.name}));
    for (int i = 0; i < 3000 && program.err().find("step 2/") == std::string::npos; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    row.change(folder.path("a.src"));
    const Ran ran = program.wait();
    EXPECT_EQ(ran.code, row.error ? 1 : 0) << row.name << ran.err;
    std::filesystem::remove(folder.path("a.src"));
    if (!row.error) continue;
    EXPECT_NE(lines_of(ran.err).back().find(row.error), std::string::npos)
        << row.name << lines_of(ran.err).back();
    write(folder, "a", text);  // as they were
    const Ran on =
        run(folder, {"train", "--resume", "--time", "0.1s", "--threads", "1", "--out", row.name});
    EXPECT_EQ(on.code, 0) << row.name << on.err;
    EXPECT_NE(on.err.find(", resumed"), std::string::npos) << row.name << on.err;
  }
}

}  // namespace
}  // namespace heed
