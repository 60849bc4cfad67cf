#include <algorithm>
#include <cmath>
#include <set>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace heed {
namespace {

/// Settings of a small model and a short run.
const Args tiny = {
    "--set", "model.d=16",           "--set", "model.layers=1",     "--set", "model.heads=2",
    "--set", "data.batch_tokens=64", "--set", "data.min_count=1",   "--set", "optim.warmup=2",
    "--set", "train.log_every=2",    "--set", "train.eval_every=4", "--set", "train.save_every=4"};

/// Writes 40 pairs. The target is the source in reverse.
void write_pairs(const TemporaryFolder& folder) {
  std::string source;
  std::string target;
  for (int i = 0; i < 40; ++i) {
    std::string a;
    std::string b;
    for (int j = 0; j < 2 + i % 5; ++j) {
      const char letter = static_cast<char>('a' + (i * 7 + j * 3) % 8);
      a += fmt::format("{}{}", j > 0 ? " " : "", letter);
      b = fmt::format("{}{}{}", letter, j > 0 ? " " : "", b);
    }
    source += a + "\n";
    target += b + "\n";
  }
  folder.write("train.src", source);
  folder.write("train.tgt", target);
}

const Args train_pairs =
    Args{"train", "--train", "train.src", "train.tgt", "--model", "transformer"} + tiny;

Ran train_run(const TemporaryFolder& folder, int steps = 8, const Args& more = {}) {
  write_pairs(folder);
  const Ran ran =
      run(folder, train_pairs + Args{"--steps", std::to_string(steps), "--out", "run"} + more);
  EXPECT_EQ(ran.code, 0) << ran.err;
  return ran;
}

/// Expects one line on standard error, `heed: error: ...`, with all of `parts` in it, and nothing
/// on standard output.
void expect_error(const Ran& ran, int code, const std::vector<std::string>& parts,
                  const std::string& what) {
  EXPECT_EQ(ran.code, code) << what << ": " << ran.err;
  EXPECT_EQ(ran.out, "") << what;
  EXPECT_TRUE(ran.err.starts_with("heed: error: ")) << what << ": " << ran.err;
  EXPECT_EQ(lines_of(ran.err).size(), 1u) << what << ": " << ran.err;
  EXPECT_TRUE(ran.err.ends_with("\n")) << what;
  for (const std::string& part : parts)
    EXPECT_NE(ran.err.find(part), std::string::npos)
        << what << ": expected '" << part << "' in " << ran.err;
}

struct Bad {
  Args args;
  int code;
  std::vector<std::string> parts;
};

void expect_all_bad(const TemporaryFolder& folder, const std::vector<Bad>& rows) {
  const auto before = contents(folder);
  for (const Bad& row : rows) {
    const std::string what = fmt::format("heed {}", fmt::join(row.args, " "));
    expect_error(run(folder, row.args), row.code, row.parts, what);
    const auto after = contents(folder);
    for (const auto& [name, bytes] : before)
      EXPECT_TRUE(after.contains(name) && after.at(name) == bytes) << what << " changed " << name;
    for (const auto& [name, bytes] : after) {
      if (before.contains(name)) continue;
      ADD_FAILURE() << what << " left " << name;
      std::filesystem::remove_all(folder.path(name));  // so that the next row does not find it
    }
  }
}

// Wrong usage and bad data

TEST(Command, RefusesWrongUsage) {
  const TemporaryFolder folder;
  expect_all_bad(
      folder,
      {
          {{}, 2, {"subcommand"}},
          {{"trian"}, 2, {"'trian' is no command", "did you mean train?", "heed --help"}},
          {{"frobnicate"}, 2, {"'frobnicate' is no command"}},
          {{"--frobnicate"}, 2, {"--frobnicate"}},
          {{"train", "--stpes", "4"}, 2, {"--stpes", "did you mean --steps?", "heed train --help"}},
          {{"train", "--steps"}, 2, {"--steps"}},
          {{"train", "--steps", "many"}, 2, {"--steps"}},
          {{"train", "--steps", "0"}, 2, {"--steps"}},
          {{"train", "--steps", "-5"}, 2, {"--steps"}},
          {{"train", "--threads", "-1"}, 2, {"--threads"}},
          {{"train", "--precision", "fp7"}, 2, {"--precision"}},
          {{"translate"}, 2, {"--run"}},
          {{"translate", "--run", "r", "--beam", "0"}, 2, {"--beam"}},
          {{"translate", "--run", "r", "--nbest", "0"}, 2, {"--nbest"}},
          {{"translate", "--run", "r", "extra"}, 2, {"extra"}},
          {{"summarize"}, 2, {"--run"}},
          {{"evaluate", "--run", "r", "--split", "dev"}, 2, {"--split"}},
          {{"inspect"}, 2, {"what"}},
          {{"generate", "toy:copy"}, 2, {"--out"}},
          {{"corpus", "toy:copy"}, 2, {"--out"}},
          {{"generate", "toy:copy", "--out", "x", "--lines", "0"}, 2, {"--lines"}},
          {{"generate", "toy:copy", "--out", "x", "--seed", "-1"}, 2, {"--seed"}},
      });
}

/// Writes good pairs, and files and folders with one fault each.
void write_bad_files(const TemporaryFolder& folder) {
  write_pairs(folder);
  folder.write("short.tgt", "a\nb\n");
  folder.write("empty.src", "");
  folder.write("blank.src", "\n\n");
  folder.write("blank.tgt", "\n \n");
  folder.write("latin.src", "a b\nc\n\xe9t\xe9\n");
  folder.write("latin.tgt", "a\nb\nc\n");
  folder.write("one.txt", "some text\n");
  folder.write("bad.tsv", "a\tb\nc\n");
  folder.write("bad.jsonl",
               "{\"source\": \"a\", \"target\": \"b\"}\n{\"source\": 3, \"target\": \"b\"}\n");
  folder.write("bad.toml", "[model]\nlayer = 3\n");
  folder.write("type.toml", "[model]\nd = \"wide\"\n");
  folder.write("broken.toml", "[model\n");
  folder.write("few.txt", "ab");
  folder.write("cut.tsv.gz", "\x1f\x8b\x08");
  folder.write("gap.tsv", "a\tb\n\nc\td\n");
  std::filesystem::create_directory(folder.path("folder"));
}

const Args good = {"train.src", "train.tgt"};

Args train_on(const Args& data, const Args& more = {}) {
  return Args{"train", "--train"} + data +
         Args{"--model", "transformer", "--out", "run", "--steps", "2"} + tiny + more;
}

TEST(Command, RefusesBadData) {
  const TemporaryFolder folder;
  write_bad_files(folder);
  expect_all_bad(
      folder,
      {
          {train_on({"nowhere.src", "train.tgt"}), 1, {"nowhere.src: no such file"}},
          {train_on({"train.src", "folder"}), 1, {"folder: is a folder"}},
          {train_on({"train.src", "short.tgt"}),
           1,
           {"train.src: has 40 lines and short.tgt has 2"}},
          {train_on({"empty.src", "train.tgt"}), 1, {"empty.src: is empty"}},
          {train_on({"blank.src", "blank.tgt"}), 1, {"no line has text on both sides"}},
          {train_on({"latin.src", "latin.tgt"}), 1, {"latin.src:3: malformed UTF-8"}},
          {train_on({"bad.tsv"}), 1, {"bad.tsv:2: expected 2 tab-separated columns, got 1"}},
          {train_on({"bad.jsonl"}), 1, {"bad.jsonl:2: \"source\" is of type number"}},
          {train_on({"cut.tsv.gz"}),
           1,
           {"cut.tsv.gz: ends in the middle of its gzip data, after 3 bytes"}},
          {train_on({"gap.tsv"}, {"--set", "data.blank=error"}),
           1,
           {"gap.tsv:2: the line is blank", "have such lines skipped"}},
          {train_on({"one.txt"}), 1, {"one.txt", "for a language model"}},
          {train_on({"toy:coppy"}), 1, {"unknown corpus 'toy:coppy'", "did you mean copy?"}},
          {train_on({"toy:copy"}, {"--epochs", "1"}), 1, {"no epochs"}},
      });
}

TEST(Command, RefusesBadSettings) {
  const TemporaryFolder folder;
  write_bad_files(folder);
  expect_all_bad(
      folder, {
                  {train_on(good, {"--valid", "nowhere.tsv"}), 1, {"nowhere.tsv: no such file"}},
                  {train_on(good, {"--set", "model.layer=2"}),
                   1,
                   {"unknown setting 'model.layer'", "did you mean 'model.layers'?"}},
                  {train_on(good, {"--set", "model.d=wide"}),
                   1,
                   {"model.d: expected an even number from 2 to 1048576; got 'wide'"}},
                  {train_on(good, {"--set", "model.d=18", "--set", "model.heads=4"}),
                   1,
                   {"model.heads: expected a divisor of d = 18; got 4"}},
                  {train_on(good, {"--set", "data.blank=drop"}),
                   1,
                   {"data.blank: expected one of skip, error; got 'drop'"}},
                  {train_on(good, {"--set", "data.long=ct"}),
                   1,
                   {"data.long: expected one of drop, cut; got 'ct'", "did you mean cut?"}},
                  {train_on(good, {"--set", "optim.name=adm"}),
                   1,
                   {"optim.name: expected one of adam, adamw, ", "got 'adm'; did you mean adam?"}},
                  {train_on(good, {"--set", "train.average=3", "--set", "train.save_every=0"}),
                   1,
                   {"average"}},
                  {train_on(good, {"--set", "data.max_length=1"}), 1, {"max_length"}},
                  {train_on(good, {"--set", "a\nb=1"}), 1, {"unknown setting"}},
                  {train_on(good, {"--config", "bad.toml"}),
                   1,
                   {"bad.toml:2: unknown setting 'model.layer'", "did you mean 'model.layers'?"}},
                  {train_on(good, {"--config", "type.toml"}),
                   1,
                   {"type.toml:2: model.d: expected an even number from 2 to 1048576; got 'wide'"}},
                  {train_on(good, {"--config", "broken.toml"}), 1, {"broken.toml:1: "}},
                  {train_on(good, {"--config", "nowhere.toml"}), 1, {"nowhere.toml: no such file"}},
                  {train_on(good, {"--config", "folder"}), 1, {"folder: is a folder"}},
                  {train_on(good, {"--time", "soon"}), 2, {"expected a time", "got 'soon'"}},
                  {train_on(good, {"--resume"}), 1, {"run: no run to resume here"}},
              });
}

TEST(Command, RefusesAnIncompleteRequest) {
  const TemporaryFolder folder;
  write_bad_files(folder);
  expect_all_bad(
      folder,
      {
          {{"train", "--train", "train.src", "train.tgt", "--model", "transfomer", "--out", "run"},
           2,
           {"got 'transfomer'", "did you mean transformer?"}},
          {{"train", "--train", "train.src", "train.tgt", "--out", "run"}, 1, {"which model?"}},
          {{"train", "--model", "transformer", "--out", "run"}, 1, {"nothing to train on"}},
          {{"train", "--model", "transformer", "--train", "train.src", "train.tgt"},
           1,
           {"--out says where"}},
          {train_pairs + Args{"--steps", "2", "--out", "one.txt"}, 1, {"one.txt: is a file"}},
          {train_pairs + Args{"--steps", "2", "--out", "one.txt/run"}, 1, {"one.txt/run"}},
          {train_pairs + Args{"--steps", "2", "--out", "."}, 1, {".: is not empty"}},
          {Args{"train", "--train", "train.src", "train.tgt", "--model", "lm", "--out", "run",
                "--steps", "2"} +
               tiny,
           1,
           {"a language model trains on one text file"}},
          {Args{"train", "--train", "few.txt", "--model", "lm", "--out", "run", "--steps", "2"} +
               tiny,
           1,
           {"model.context: expected below 2, the number of tokens to train on; got 64"}},
      });
}

TEST(Command, RefusesWhatIsNoRun) {
  const TemporaryFolder folder;
  write_bad_files(folder);
  expect_all_bad(folder, {
                             {{"translate", "--run", "nowhere"}, 1, {"nowhere: no such folder"}},
                             {{"translate", "--run", "folder"}, 1, {"folder: not a run"}},
                             {{"translate", "--run", "one.txt"}, 1, {"one.txt"}},
                             {{"evaluate", "--run", "folder", "--data", "train.src", "train.tgt"},
                              1,
                              {"folder: not a run"}},
                             {{"inspect", "nowhere"}, 1, {"nowhere"}},
                             {{"inspect", "folder"}, 1, {"folder: not a run"}},
                             {{"inspect", "train.src"}, 1, {"train.src: is not a Heed checkpoint"}},
                             {{"inspect", "empty.src"}, 1, {"empty.src"}},
                             {{"generate", "toy:cpoy", "--out", "x"}, 1, {"toy:cpoy", "toy:copy"}},
                             {{"generate", "toy:copy", "--out", "nowhere/x"},
                              1,
                              {"nowhere/x.src: cannot be written", "no such folder"}},
                         });
}

/// Trains "run", and copies it to folders that are damaged in one way each.
void make_damaged_runs(const TemporaryFolder& folder) {
  train_run(folder);
  namespace fs = std::filesystem;
  const auto copy = [&](const char* name) {
    fs::copy(folder.path("run"), folder.path(name),
             fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  };
  const auto replace = [&](const std::string& path, const std::string& bytes) {
    fs::remove(folder.path(path));  // it may be one file with another name
    folder.write(path, bytes);
  };
  const std::string last = read_file(folder.path("run/checkpoints/last.heed"));
  const std::string best = read_file(folder.path("run/checkpoints/best.heed"));
  for (const char* name : {"cut", "flipped", "other", "tokenizer", "config", "bare"})
    copy(name);
  std::string flipped_last = last;
  std::string flipped_best = best;
  flipped_last[last.size() / 2] ^= 1;
  flipped_best[best.size() / 2] ^= 1;
  replace("cut/checkpoints/last.heed", last.substr(0, last.size() / 2));
  replace("cut/checkpoints/best.heed", best.substr(0, best.size() / 2));
  replace("flipped/checkpoints/last.heed", flipped_last);
  replace("flipped/checkpoints/best.heed", flipped_best);
  std::string config = read_file(folder.path("run/config.toml"));
  const std::string as_trained = "\nd = 16 ";
  ASSERT_NE(config.find(as_trained), std::string::npos);
  replace("other/config.toml",
          config.replace(config.find(as_trained), as_trained.size(), "\nd = 32 "));
  replace("tokenizer/tokenizer.json", "{");
  replace("config/config.toml", "[model]\nwidth = 3\n");
  fs::remove_all(folder.path("bare/checkpoints"));
}

Args resume(const char* name) {
  return {"train", "--resume", "--steps", "12", "--threads", "1", "--out", name};
}

Args translate(const char* name) { return {"translate", "--run", name}; }

TEST(Command, RefusesADamagedRunAndLeavesItAsItWas) {
  const TemporaryFolder folder;
  make_damaged_runs(folder);
  expect_all_bad(
      folder,
      {
          {resume("cut"), 1, {"cut/checkpoints/last.heed: truncated"}},
          {translate("cut"), 1, {"cut/checkpoints/best.heed: truncated"}},
          {{"inspect", "cut"}, 1, {"cut/checkpoints/last.heed: truncated"}},
          {resume("flipped"), 1, {"flipped/checkpoints/last.heed: damaged"}},
          {{"evaluate", "--json", "--run", "flipped", "--data", "train.src", "train.tgt"},
           1,
           {"flipped/checkpoints/best.heed: damaged"}},
          {{"inspect", "flipped/checkpoints/best.heed"},
           1,
           {"flipped/checkpoints/best.heed: damaged"}},
          {resume("other"), 1, {"other/config.toml: is not", "model.d = 32 (was 16)"}},
          {translate("other"), 1, {"other/config.toml: is not", "model.d = 32 (was 16)"}},
          {resume("tokenizer"), 1, {"tokenizer/tokenizer.json"}},
          {translate("tokenizer"), 1, {"tokenizer/tokenizer.json"}},
          {resume("config"), 1, {"config/config.toml:2: unknown setting 'model.width'"}},
          {{"inspect", "config"}, 1, {"config/config.toml:2: unknown setting 'model.width'"}},
          {translate("bare"), 1, {"bare: no checkpoint yet"}},
          {{"inspect", "bare"}, 1, {"bare: no checkpoint yet"}},
      });
}

TEST(Command, RefusesOtherSettingsForARunThatIsThere) {
  const TemporaryFolder folder;
  train_run(folder);
  expect_all_bad(
      folder,
      {
          {train_pairs + Args{"--steps", "2", "--out", "run"},
           1,
           {"run: holds a run already", "--resume"}},
          {{"train", "--resume", "--out", "run", "--set", "model.d=32"},
           1,
           {"model.d cannot change"}},
          {{"train", "--resume", "--out", "run", "--seed", "7"}, 1, {"train.seed cannot change"}},
          {{"train", "--resume", "--out", "run", "--train", "toy:copy"},
           1,
           {"toy:copy: not the text of", "train.src"}},
          {{"train", "--resume", "--out", "run", "--model", "lm"}, 1, {"model.name cannot change"}},
          {{"evaluate", "--run", "run"}, 1, {"nothing to evaluate on"}},
          {{"evaluate", "--run", "run", "--data", "nowhere.tsv"}, 1, {"nowhere.tsv: no such file"}},
      });
  expect_error(run(folder, translate("run"), "\xff\n"), 1, {"standard input:1: malformed UTF-8"},
               "bad input");
}

// Commands that succeed

TEST(Command, TrainsOnABuiltInCorpus) {
  const TemporaryFolder folder;
  const Ran ran = run(folder, Args{"train", "--train", "toy:copy", "--model", "transformer",
                                   "--steps", "8", "--seed", "3", "--out", "runs/first"} +
                                  tiny + Args{"--set", "data.batch_tokens=400"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.err.find("step 8/8"), std::string::npos) << ran.err;
  const auto files = contents(folder);
  for (const char* name :
       {"config.toml", "tokenizer.json", "metrics.jsonl", "log.txt", "checkpoints/last.heed",
        "checkpoints/best.heed", "checkpoints/step-000004.heed", "checkpoints/step-000008.heed"})
    EXPECT_TRUE(files.contains(std::string("runs/first/") + name)) << name;
  for (const auto& [name, bytes] : files)
    EXPECT_EQ(name.find("partial"), std::string::npos) << name;
  const std::string& config = files.at("runs/first/config.toml");
  for (const char* line :
       {"train = ['toy:copy'] ", "name = 'transformer' ", "d = 16 ", "steps = 8 ", "seed = 3 "})
    EXPECT_NE(config.find(line), std::string::npos) << line;
  // The rows: training at steps 2, 4, 6 and 8, validation at 4 and 8.
  std::multiset<std::string> rows;
  for (const std::string& line : lines_of(files.at("runs/first/metrics.jsonl"))) {
    const nlohmann::json row = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(row.is_object()) << line;
    rows.insert(fmt::format("{} {}", row["split"].get<std::string>(), row["step"].get<int>()));
    EXPECT_TRUE(row["loss"].is_number() && std::isfinite(row["loss"].get<double>())) << line;
    EXPECT_NEAR(row["perplexity"].get<double>(), std::exp(row["loss"].get<double>()),
                1e-3 * row["perplexity"].get<double>())
        << line;
  }
  EXPECT_EQ(rows, (std::multiset<std::string>{"train 2", "train 4", "train 6", "train 8", "valid 4",
                                              "valid 8"}));
  // The log holds what was shown.
  EXPECT_EQ(files.at("runs/first/log.txt"), ran.err);
}

TEST(Command, RepeatsAndResumesToTheSameWeights) {
  const TemporaryFolder folder;
  train_run(folder, 10);
  const std::string whole = read_file(folder.path("run/checkpoints/last.heed"));
  // The table of names, shapes and norms.
  const auto weights = [&](const std::string& name) {
    const Ran ran = run(folder, {"inspect", name});
    EXPECT_EQ(ran.code, 0) << ran.err;
    std::string table;
    for (const std::string& line : lines_of(ran.out))
      if (line.find("coder") != std::string::npos || line.find("embedding") != std::string::npos)
        table += line + "\n";
    EXPECT_GT(table.size(), 500u) << ran.out;
    return table;
  };
  ASSERT_EQ(
      run(folder, train_pairs + Args{"--threads", "3", "--steps", "10", "--out", "again"}).code, 0);
  EXPECT_EQ(weights("run"), weights("again"));
  // Resuming from half-way. The schedule is constant, so that it does not depend on the end.
  ASSERT_EQ(run(folder, train_pairs + Args{"--set", "optim.schedule=constant", "--steps", "10",
                                           "--out", "constant"})
                .code,
            0);
  ASSERT_EQ(run(folder, train_pairs + Args{"--set", "optim.schedule=constant", "--steps", "5",
                                           "--out", "half"})
                .code,
            0);
  const Ran resumed =
      run(folder, {"train", "--resume", "--steps", "10", "--threads", "1", "--out", "half"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("resumed"), std::string::npos);
  EXPECT_NE(resumed.err.find("step 10/10"), std::string::npos);
  EXPECT_EQ(resumed.err.find("step 4/10"), std::string::npos) << "starts at step 5";
  EXPECT_EQ(weights("half"), weights("constant"));
  EXPECT_NE(weights("half"), weights("run"));
  EXPECT_NE(read_file(folder.path("half/config.toml")).find("\nsteps = 10 "), std::string::npos);
  EXPECT_TRUE(lines_of(read_file(folder.path("half/log.txt"))).size() >
              lines_of(resumed.err).size())
      << "the log is continued";
  // Resuming a finished run changes nothing.
  const Ran done = run(folder, {"train", "--resume", "--threads", "1", "--out", "half"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(weights("half"), weights("constant"));
}

TEST(Command, TranslatesLineByLine) {
  const TemporaryFolder folder;
  train_run(folder, 100, {"--set", "optim.lr=0.01"});
  const Args translate = {"translate", "--run", "run", "--threads", "1"};
  struct Row {
    const char* name;
    const char* input;
    std::vector<bool> blank;  // of each line that must come out
  };
  for (const Row& row :
       {Row{"nothing", "", {}}, Row{"one line", "a b c\n", {false}},
        Row{"no newline at the end", "a b\nc d e", {false, false}},
        Row{"blank lines", "\na b\n\n  \nc\n\n", {true, false, true, true, false, true}},
        Row{"DOS", "a b\r\n\r\nc\r\n", {false, true, false}},
        Row{"unknown words", "zebra \xf0\x9f\xa6\x93\n", {false}}}) {
    const Ran ran = run(folder, translate + Args{"--beam", "1", "--max-length", "5"}, row.input);
    ASSERT_EQ(ran.code, 0) << row.name << ": " << ran.err;
    EXPECT_EQ(ran.err, "") << row.name;
    const auto lines = lines_of(ran.out);
    ASSERT_EQ(lines.size(), row.blank.size()) << row.name << ": " << ran.out;
    EXPECT_TRUE(lines.empty() || ran.out.ends_with("\n")) << row.name;
    for (std::size_t i = 0; i < lines.size(); ++i)
      if (row.blank[i]) {
        EXPECT_EQ(lines[i], "") << row.name << ", line " << i;
      }
  }
  // Each line gives the output that it gives alone, in order, whatever the lengths. There are more
  // lines than in a batch and in a block of input.
  const std::vector<std::string> sources = {"a b c d e f", "a", "", "h g f", "b b", "c d a b"};
  std::vector<std::string> alone;
  for (const std::string& source : sources)
    alone.push_back(run(folder, translate, source + "\n").out);
  std::string input;
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    input += sources[static_cast<std::size_t>(i * 7 % 6)] + "\n";
    expected += alone[static_cast<std::size_t>(i * 7 % 6)];
  }
  const Ran many = run(folder, translate, input);
  EXPECT_EQ(many.code, 0) << many.err;
  EXPECT_EQ(many.out, expected);
  EXPECT_GT(std::set<std::string>(alone.begin(), alone.end()).size(), 1u)
      << "equal outputs would not show their order";
}

TEST(Command, ListsTheNBest) {
  const TemporaryFolder folder;
  train_run(folder, 100, {"--set", "optim.lr=0.01"});
  const Ran best = run(folder, {"translate", "--run", "run", "--beam", "4"}, "a b c\nd\n");
  const Ran ran =
      run(folder, {"translate", "--run", "run", "--beam", "4", "--nbest", "3"}, "a b c\n\nd\n");
  ASSERT_EQ(ran.code, 0) << ran.err;
  // Rank, score and text between tabs. A blank line follows the outputs of each source; of a blank
  // source there is only that line.
  constexpr int ranks[] = {1, 2, 3, 0, 0, 1, 2, 3, 0};  // 0: a blank line
  const auto lines = lines_of(ran.out);
  ASSERT_EQ(lines.size(), 9u) << ran.out;
  std::vector<std::string> firsts;
  double previous = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const int rank = ranks[i];
    if (rank == 0) {
      EXPECT_EQ(lines[i], "") << i;
      continue;
    }
    const auto first = lines[i].find('\t');
    const auto second = lines[i].find('\t', first + 1);
    ASSERT_NE(second, std::string::npos) << lines[i];
    EXPECT_EQ(lines[i].substr(0, first), std::to_string(rank));
    const double score = std::stod(lines[i].substr(first + 1, second));
    EXPECT_LE(score, 0);
    if (rank > 1) {
      EXPECT_LE(score, previous) << lines[i];
    }
    previous = score;
    if (rank == 1) firsts.push_back(lines[i].substr(second + 1));
  }
  EXPECT_EQ(firsts, lines_of(best.out)) << "the best of them is the translation";
}

TEST(Command, EvaluatesAndInspects) {
  const TemporaryFolder folder;
  train_run(folder, 8);
  const Ran json = run(folder, {"evaluate", "--run", "run", "--data", "train.src", "train.tgt",
                                "--beam", "1", "--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  EXPECT_EQ(json.err, "");
  EXPECT_EQ(lines_of(json.out).size(), 1u) << json.out;
  const nlohmann::json report = nlohmann::json::parse(json.out, nullptr, false);
  ASSERT_TRUE(report.is_object()) << json.out;
  EXPECT_EQ(report["lines"], 40);
  EXPECT_NEAR(report["perplexity"].get<double>(), std::exp(report["loss"].get<double>()), 1e-6);
  for (const auto& [key, most] : std::map<std::string, double>{{"bleu", 100},
                                                               {"chrf", 100},
                                                               {"rouge1", 1},
                                                               {"rouge2", 1},
                                                               {"rougeL", 1},
                                                               {"exact", 1}}) {
    EXPECT_GE(report[key].get<double>(), 0) << key;
    EXPECT_LE(report[key].get<double>(), most) << key;
  }
  EXPECT_TRUE(report["signature"].is_string());
  // A target of n letters has n + 1 tokens (with </s>) and 2 n characters (n letters, n - 1 spaces
  // and the end of the line). There are 40 targets of 2 to 6 letters, 4 on average.
  EXPECT_NEAR(std::log(report["perplexity_per_character"].get<double>()) * (40 * 2 * 4),
              report["loss"].get<double>() * (40 * (4 + 1)), 1e-6);
  const Ran plain = run(folder, {"evaluate", "--run", "run", "--data", "toy:copy", "--lines", "3",
                                 "--split", "valid", "--beam", "1"});
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_EQ(plain.out.substr(0, plain.out.find('\n')), "lines        3");

  for (const char* what :
       {"run", "run/checkpoints/best.heed", "run/checkpoints/step-000004.heed"}) {
    const Ran ran = run(folder, {"inspect", what});
    ASSERT_EQ(ran.code, 0) << ran.err;
    // Width 16, feed-forward 64, one layer each: 3 attentions of 4 (256 + 16) parameters, 2
    // feed-forward layers of 2,128, 7 norms of 32, and the embedding, with a row for each of the 8
    // letters and each special token.
    const std::size_t at = ran.out.find("embedding.weight");
    ASSERT_NE(at, std::string::npos) << what;
    const int words = std::stoi(ran.out.substr(ran.out.find('(', at) + 1));
    EXPECT_NEAR(words, 12, 2) << what;
    EXPECT_NE(ran.out.find(
                  fmt::format("{:<52} {}", "total", 3 * 4 * 272 + 2 * 2128 + 7 * 32 + 16 * words)),
              std::string::npos)
        << ran.out;
    EXPECT_NE(ran.out.find("decoder.0.cross.query.weight"), std::string::npos) << what;
    EXPECT_NE(ran.out.find("step"), std::string::npos) << what;
  }
}

TEST(Command, EvaluatesOnFilesOfAnotherKindThanItTrainedOn) {
  const TemporaryFolder folder;
  std::string table;
  std::string source;
  std::string target;
  for (int i = 0; i < 20; ++i) {
    table += "n\ta b c\tc b a\n";
    source += i == 3 ? "\n" : "a b c\n";
    target += "c b a\n";
  }
  folder.write("t.tsv", table);
  folder.write("t.src", source);
  folder.write("t.tgt", target);
  const Ran trained = run(folder, {"train", "--train", "t.tsv", "--fields", "2", "3", "--valid",
                                   "t.src", "t.tgt", "--model", "transformer", "--set", "model.d=8",
                                   "--set", "model.heads=2", "--steps", "2", "--out", "run"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Ran ran = run(folder, {"evaluate", "--run", "run", "--data", "t.src", "t.tgt", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("\"lines\":19,\"skipped\":1,"), std::string::npos) << ran.out;
}

TEST(Command, TrainsALanguageModel) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 60; ++i)
    text += "the cat sat on the mat; ";
  folder.write("text.txt", text + "\n");
  const Ran ran = run(
      folder, Args{"train", "--train", "text.txt", "--model", "lm", "--steps", "6", "--out", "lm"} +
                  tiny + Args{"--set", "model.context=16"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Ran json = run(folder, {"evaluate", "--run", "lm", "--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  const nlohmann::json report = nlohmann::json::parse(json.out, nullptr, false);
  ASSERT_TRUE(report.is_object()) << json.out;
  EXPECT_GT(report["tokens"].get<int>(), 100);
  EXPECT_NEAR(report["perplexity_per_character"].get<double>(), report["perplexity"].get<double>(),
              1e-6)
      << "its tokens are characters";
  EXPECT_NEAR(report["perplexity"].get<double>(), std::exp(report["loss"].get<double>()), 1e-6);
  const Ran given = run(folder, {"evaluate", "--run", "lm", "--data", "text.txt", "--json"});
  EXPECT_EQ(nlohmann::json::parse(given.out)["tokens"].get<std::size_t>(), text.size())
      << "every character but the first, and the newline";
  expect_error(run(folder, {"translate", "--run", "lm"}, "a\n"), 1,
               {"lm: a language model; it has nothing to translate"}, "translate");
  expect_error(run(folder, {"summarize", "--run", "lm"}, "a\n"), 1,
               {"lm: a language model; it has nothing to summarize"}, "summarize");
}

TEST(Command, TrainsOnMessyDataAndReportsWhatItLeavesOut) {
  const TemporaryFolder folder;
  std::string text = "\xEF\xBB\xBF";
  for (int i = 0; i < 60; ++i)
    text += fmt::format(" a{} b c \t d{} e\r\n{}", i % 7, i % 5, i % 20 == 3 ? "\r\n" : "");
  for (int i = 0; i < 2; ++i)
    text += "a b c d e f g h i j\tx\r\n";
  folder.write("messy.tsv", text);
  folder.write("valid.tsv", "a1 b\td1\na b c d e f g\td\n");
  const Args train = {"train",     "--train", "messy.tsv",        "--valid",
                      "valid.tsv", "--model", "transformer",      "--steps",
                      "2",         "--set",   "data.max_length=5"};
  const auto said = [&](const char* out, const Args& more, const std::string& expected) {
    const Ran ran = run(folder, train + Args{"--out", out} + tiny + more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.err.substr(0, ran.err.find('\n')), "data      messy.tsv: " + expected);
  };
  const std::string long_ones = " too long (data.max_length, data.batch_tokens) and dropped";
  said("drop", {},
       "62 pairs, 3 with a blank side skipped, 2" + long_ones + "; validation: 2 pairs, 1" +
           long_ones);
  said("cut", {"--set", "data.long=cut"},
       "62 pairs, 3 with a blank side skipped, 2 cut to data.max_length; validation: 2 pairs, 1 "
       "cut to data.max_length");
}

TEST(Command, GeneratesAlignedFiles) {
  const TemporaryFolder folder;
  const auto generate = [&](const std::string& corpus, const std::string& out, const Args& more) {
    const Ran ran = run(folder, Args{"corpus", corpus, "--lines", "50", "--out", out} + more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.out + ran.err, "");
    return read_file(folder.path(out + ".src")) + "|" + read_file(folder.path(out + ".tgt"));
  };
  const std::string a = generate("toy:copy", "a", {"--seed", "5"});
  EXPECT_EQ(a, generate("toy:copy", "b", {"--seed", "5"})) << "same seed, same bytes";
  EXPECT_EQ(a, generate("copy", "b", {"--seed", "5", "--force"})) << "replaces files with --force";
  EXPECT_NE(a, generate("toy:copy", "c", {"--seed", "6"}));
  EXPECT_NE(a, generate("toy:copy", "d", {"--seed", "5", "--split", "test"}));
  const auto sources = lines_of(read_file(folder.path("a.src")));
  const auto targets = lines_of(read_file(folder.path("a.tgt")));
  EXPECT_EQ(sources.size(), 50u);
  EXPECT_EQ(sources, targets) << "a copy";
  const Ran before =
      run(folder, {"generate", "toy:copy", "--lines", "50", "--seed", "5", "--out", "g"});
  EXPECT_EQ(before.code, 0) << before.err;
  EXPECT_EQ(before.err, "heed: note: built-in corpora are written by `heed corpus toy:copy` now\n");
  EXPECT_EQ(a, read_file(folder.path("g.src")) + "|" + read_file(folder.path("g.tgt")));
  generate("toy:reverse", "r", {});
  const auto words = lines_of(read_file(folder.path("r.src")));
  const auto reversed = lines_of(read_file(folder.path("r.tgt")));
  ASSERT_EQ(words.size(), reversed.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    EXPECT_EQ(std::string(words[i].rbegin(), words[i].rend()), reversed[i]);
}

// Interruptions, pipes and help

TEST(Command, SavesWhenInterruptedAndGoesOn) {
  const TemporaryFolder folder;
  write_pairs(folder);
  for (int signal : {SIGINT, SIGTERM}) {
    const std::string out = fmt::format("run{}", signal);
    Program program(folder, train_pairs + Args{"--steps", "1000000", "--set", "train.eval_every=0",
                                               "--set", "train.save_every=0", "--out", out});
    for (int i = 0; i < 3000 && program.err().find("step 2/") == std::string::npos; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    program.interrupt(signal);
    const Ran ran = program.wait();
    EXPECT_EQ(ran.code, 130) << ran.err;
    const auto lines = lines_of(ran.err);
    ASSERT_FALSE(lines.empty());
    EXPECT_TRUE(lines.back().starts_with("stopped at step ")) << ran.err;
    EXPECT_NE(lines.back().find("heed train --resume --out " + out), std::string::npos)
        << lines.back();
    const int step = std::stoi(lines.back().substr(std::string("stopped at step ").size()));
    const Ran on = run(folder, {"train", "--resume", "--threads", "1", "--steps",
                                std::to_string(step + 3), "--out", out});
    EXPECT_EQ(on.code, 0) << on.err;
    EXPECT_NE(on.err.find(fmt::format("done: {} steps", step + 3)), std::string::npos) << on.err;
  }
}

TEST(Command, IsSilentWithoutAReaderAndReportsAFullDisk) {
  const TemporaryFolder folder;
  train_run(folder, 4);
  // The reader of the pipe has ended before anything is written.
  folder.write("lines.txt", std::string(600, 'a') + "\n");
  const std::string program = HEED_PROGRAM;
  for (const std::string command :
       {"inspect run", "translate --run run --beam 1 --max-length 3 < lines.txt", "--help",
        "train --help-settings"}) {
    const std::string script = fmt::format("cd '{}' && {{ sleep 0.1; '{}' {} 2> .err; }} | true",
                                           folder.path(""), program, command);
    EXPECT_EQ(std::system(("sh -c \"" + script + "\"").c_str()), 0);
    EXPECT_EQ(read_file(folder.path(".err")), "") << command;
  }
  for (const Args& args :
       {Args{"inspect", "run"}, Args{"translate", "--run", "run", "--max-length", "3"},
        Args{"evaluate", "--run", "run", "--data", "train.src", "train.tgt", "--json"}})
    expect_error(run(folder, args, "a b\n", "/dev/full"), 1, {"standard output: cannot write"},
                 args[0] + " to a full disk");
}

/// The names of the subcommands that the help lists.
Args commands_in(const std::string& help) {
  Args names;
  bool listing = false;
  for (const std::string& line : lines_of(help)) {
    if (line.starts_with("Subcommands:")) listing = true;
    const bool is_name = line.starts_with("  ") && !line.starts_with("   ");
    if (listing && is_name) names.push_back(line.substr(2, line.find(' ', 2) - 2));
  }
  return names;
}

/// Whether the line of a help begins the entry of an option.
bool names_option(const std::string& line) {
  const bool is_example = line.find("heed ") != std::string::npos;
  return line.find("--") != std::string::npos && line.find_first_not_of(' ') <= 6 && !is_example;
}

/// The explanation of the option in line `i` of a help. It is in its own column, on the same line
/// or, where the option is long, on the next.
std::string explanation_of(const Args& lines, std::size_t i) {
  constexpr std::size_t column = 36;
  const bool on_same_line = lines[i].size() > column && lines[i][column - 1] == ' ';
  if (on_same_line) return lines[i].substr(column);
  const bool on_next_line = i + 1 < lines.size() && lines[i + 1].size() > column;
  return on_next_line ? lines[i + 1].substr(column) : "";
}

TEST(Command, ExplainsItself) {
  const TemporaryFolder folder;
  const Ran all = run(folder, {"--help"});
  EXPECT_EQ(all.code, 0);
  EXPECT_EQ(all.err, "");
  const Ran version = run(folder, {"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_TRUE(version.out.starts_with("heed ")) << version.out;
  const Args commands = commands_in(all.out);
  EXPECT_GE(commands.size(), 5u) << all.out;
  for (const std::string& name : commands) {
    const Ran ran = run(folder, {name, "--help"});
    EXPECT_EQ(ran.code, 0) << name;
    EXPECT_EQ(ran.err, "") << name;
    const Args lines = lines_of(ran.out);
    EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), names_option)) << name << ": " << ran.out;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (!names_option(lines[i])) continue;
      const std::string explanation = explanation_of(lines, i);
      EXPECT_GT(explanation.find_last_not_of(' ') + 1, 4u) << name << ": " << lines[i];
    }
  }
  const Ran settings = run(folder, {"train", "--help-settings"});
  EXPECT_EQ(settings.code, 0);
  for (const char* key :
       {"model.d", "optim.lr", "train.steps", "decode.beam", "optim.decay_share", "optim.rates",
        "train.ema", "optim.momentum", "optim.hidden", "all of them (optim.name = muon)",
        "muon, schedule_free", "cosine, linear, wsd"})
    EXPECT_NE(settings.out.find(key), std::string::npos) << key;
}

}  // namespace
}  // namespace heed
