// Runs that are stopped, killed and resumed in every way.

#include <csignal>

#include <nlohmann/json.hpp>

#include "experiments/inference/toml.h"
#include "experiments/training.h"
#include "framework/checkpoint.h"
#include "framework/random.h"
#include "framework/run_folder.h"
#include "tests/cli/program.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

/// Writes a corpus of about 14 batches with data.batch_tokens = 64.
void write_corpus(const TemporaryFolder& folder, int lines = 90) {
  Random random(11);
  std::string source;
  std::string target;
  for (int i = 0; i < lines; ++i) {
    std::string words;
    std::string answer;
    const std::uint64_t count = 1 + random.below(6);
    for (std::uint64_t j = 0; j < count; ++j) {
      const std::string word(1 + random.below(3), static_cast<char>('a' + random.below(8)));
      words += (j ? " " : "") + word;
      answer += (j ? " " : "") + word + "s";
    }
    source += words + "\n";
    target += answer + "\n";
  }
  folder.write("train.src", source);
  folder.write("train.tgt", target);
}

Settings settings_for(const TemporaryFolder& folder, const std::string& model,
                      const std::vector<std::string>& assignments = {}) {
  Settings s = default_settings(model);
  s.data.train = {folder.path("train.src"), folder.path("train.tgt")};
  s.data.batch_tokens = 64;
  s.data.min_count = 1;
  const std::pair<const char*, Index> sizes[] = {{"d", 8}, {"heads", 2}, {"layers", 1}, {"ff", 16}};
  for (const auto& [name, size] : sizes)
    if (s.has(std::string("model.") + name)) s.assign(std::string("model.") + name, size);
  if (model == "conv") s.assign("model.positions", Index{64});
  s.optim.accumulate = 3;
  s.optim.schedule.warmup = 5;
  s.train.steps = 40;
  s.train.eval_every = 9;
  s.train.save_every = 8;
  s.train.average = 2;
  s.train.log_every = 7;
  s.train.keep = 2;
  s.train.report = false;  // it says how long steps took
  for (const std::string& assignment : assignments) {
    const auto equals = assignment.find('=');
    s.set(assignment.substr(0, equals), assignment.substr(equals + 1));
  }
  s.check();
  return s;
}

void train(const Settings& settings, const std::string& folder, bool resume,
           const TrainingObservers& observers = {}) {
  const Settings begun = resume ? read_run_settings(folder) : settings;
  Training(begun, folder, {.resume = resume}).run(observers);
}

/// The files of a run without what the clock says: all but the log, and metrics.jsonl without
/// times.
std::map<std::string, std::string> timeless(const std::string& run) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(run)) {
    const std::string name = fs::relative(entry.path(), run).string();
    if (entry.is_regular_file() && name != "log.txt" && entry.path().extension() != ".aside")
      files[name] = read_file(entry.path());
  }
  std::string& rows = files["metrics.jsonl"];
  std::string kept;
  for (const std::string& line : lines_of(rows)) {
    nlohmann::json row = nlohmann::json::parse(line);
    row.erase("seconds");
    row.erase("tokens_per_s");
    kept += row.dump() + "\n";
  }
  rows = kept;
  return files;
}

/// The names of the files in which two runs differ.
std::vector<std::string> differing(const std::map<std::string, std::string>& a,
                                   const std::map<std::string, std::string>& b) {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : a)
    if (const auto at = b.find(name); at == b.end() || at->second != bytes) names.push_back(name);
  for (const auto& [name, bytes] : b)
    if (!a.contains(name)) names.push_back(name);
  return names;
}

TEST(Resume, IsExactAfterEveryStepInEveryFamily) {
  const struct {
    const char* model;
    std::vector<std::string> assignments;
  } rows[] = {
      {"transformer", {"data.tokenizer=bpe", "data.subword_sampling=0.1"}},
      {"rnn+additive",
       {"model.recurrent_dropout=0.1", "model.dropout=0.1", "optim.schedule=linear"}},
      {"conv", {"data.joint_vocabulary=false", "optim.name=adamw", "optim.weight_decay=0.1"}},
      {"transformer",
       {"optim.name=muon", "optim.schedule=wsd", "optim.rates=embedding*=0.5", "train.average=1",
        "train.ema=0.9"}},
      {"rnn+dot", {"optim.name=schedule_free", "train.average=1"}}};
  for (const auto& row : rows) {
    const TemporaryFolder folder;
    write_corpus(folder);
    const Settings settings = settings_for(folder, row.model, row.assignments);
    const std::string whole = folder.path("whole");
    train(settings, whole, false);
    const auto expected = timeless(whole);

    // The same, saved before each step. A copy is what a kill within the next step leaves.
    const std::string each = folder.path("each");
    Index killed = 0;
    TrainingObservers observers;
    observers.should_save = [] { return true; };
    observers.on_step = [&](const StepReport& report) {
      ASSERT_EQ(load(RunFolder(each).last()).number("step"), report.step - 1);
      fs::copy(each, folder.path(fmt::format("killed-{}", report.step)),
               fs::copy_options::recursive);
      ++killed;
    };
    train(settings, each, false, observers);
    EXPECT_EQ(killed, 40);
    EXPECT_EQ(differing(timeless(each), expected), std::vector<std::string>{})
        << row.model << ": saving changes nothing";
    for (Index step = 1; step <= 40; ++step) {
      const std::string run = folder.path(fmt::format("killed-{}", step));
      train(settings, run, true);
      EXPECT_EQ(differing(timeless(run), expected), std::vector<std::string>{})
          << row.model << ", killed in step " << step;
      fs::remove_all(run);
    }
  }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int wanted = 20;  // a run takes seconds there
#else
constexpr int wanted = 100;
#endif

TEST(Resume, IsExactAfterAHundredKills) {
  const TemporaryFolder folder;
  write_corpus(folder);
  Settings settings = settings_for(
      folder, "rnn+dot",
      {"train.steps=400", "train.save_every=20", "train.eval_every=30", "optim.accumulate=1"});
  folder.write("settings.toml", to_toml(settings.fields()));
  const auto start = [&](const std::string& out) {
    return Args{"train", "--config", "settings.toml", "--threads", "1", "--out", out};
  };
  const Ran undisturbed = run(folder, start("whole"));
  ASSERT_EQ(undisturbed.code, 0) << undisturbed.err;
  const auto expected = timeless(folder.path("whole"));

  Random random(1);
  int kills = 0;
  int finished = 0;
  int resumed = 0;
  for (int runs = 0; kills < wanted || resumed == 0; ++runs) {
    const std::string out = fmt::format("run{}", runs);
    // Each process may live longer than the one before, so that a slow machine saves at last too.
    for (std::uint64_t starts = 0;; ++starts) {
      const bool resume = fs::exists(folder.path(out + "/config.toml"));
      Program program(folder, start(out) + (resume ? Args{"--resume"} : Args{}));
      std::this_thread::sleep_for(
          std::chrono::microseconds(random.below(120'000 + 20'000 * starts)));
      program.interrupt(SIGKILL);
      const Ran ran = program.wait();
      resumed += ran.err.find(", resumed") != std::string::npos;
      ASSERT_TRUE(ran.code == 0 || ran.code == 256 + SIGKILL) << ran.code << ": " << ran.err;
      if (ran.code == 0) break;
      if (++kills >= wanted && resumed > 0) break;
    }
    const Ran last = run(
        folder,
        start(out) + (fs::exists(folder.path(out + "/config.toml")) ? Args{"--resume"} : Args{}));
    ASSERT_EQ(last.code, 0) << last.err;
    EXPECT_EQ(differing(timeless(folder.path(out)), expected), std::vector<std::string>{})
        << out << " after " << kills << " kills";
    ++finished;
  }
  RecordProperty("kills", kills);
  RecordProperty("runs", finished);
}

TEST(Resume, TakesUpARunOfTheFirstFormat) {
  const TemporaryFolder folder;
  fs::copy(fs::path(HEED_SOURCE_DIR) / "tests/data/format-1", folder.path("run"),
           fs::copy_options::recursive);
  EXPECT_EQ(run(folder, {"translate", "--run", "run"}, "a b c d\n").out, "a b c d\n");
  const Ran shown = run(folder, {"inspect", "run"});
  EXPECT_NE(shown.out.find("step                 508\n"), std::string::npos) << shown.out;
  const Ran on = run(folder, {"train", "--resume", "--out", "run"});
  ASSERT_EQ(on.code, 0) << on.err;
  // The version that wrote the run had a loss of 0.1186 at step 600.
  const std::string done = lines_of(on.err).back();
  ASSERT_TRUE(done.starts_with("done: 600 steps in ")) << done;
  EXPECT_NEAR(std::stod(done.substr(done.find("loss ") + 5)), 0.1186, 0.01) << done;
  EXPECT_EQ(load(folder.path("run/checkpoints/last.heed")).number("step"), 600);
}

TEST(Resume, RefusesTheSecondOfTwoAtOnceAndSavesWhenAsked) {
  const TemporaryFolder folder;
  write_corpus(folder);
  const Args args = {"train",
                     "--train",
                     folder.path("train.src"),
                     folder.path("train.tgt"),
                     "--model",
                     "rnn",
                     "--set",
                     "model.d=8",
                     "--set",
                     "train.eval_every=0",
                     "--set",
                     "train.save_every=0",
                     "--steps",
                     "100000000",
                     "--threads",
                     "1"};
  Program program(folder, args + Args{"--out", "run"});
  const auto wait_for = [](const std::function<bool()>& condition) {
    for (int i = 0; i < 6000 && !condition(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return condition();
  };
  ASSERT_TRUE(wait_for([&] { return program.err().find("step 50/") != std::string::npos; }))
      << program.err();
  {
    const TemporaryFolder other;  // run() keeps its output in the folder it is started in
    const std::string out = folder.path("run");
    const Ran second = run(other, {"train", "--resume", "--out", out});
    EXPECT_EQ(second.code, 1);
    EXPECT_EQ(second.err, fmt::format("heed: error: {}: another process is training here; wait "
                                      "until it has ended, or choose another folder\n",
                                      out));
  }
  const std::string last = folder.path("run/checkpoints/last.heed");
  EXPECT_FALSE(fs::exists(last));
  program.interrupt(SIGUSR1);
  ASSERT_TRUE(wait_for([&] { return fs::exists(last); }));
  const std::int64_t saved = load(last).number("step");
  EXPECT_GT(saved, 0);
  program.interrupt(SIGHUP);
  const Ran ran = program.wait();
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_GE(load(last).number("step"), saved);
}

/// Trains "run", which keeps all its checkpoints.
void train_and_keep(const TemporaryFolder& folder) {
  write_corpus(folder);
  Settings s = settings_for(folder, "transformer", {"train.keep=5"});
  folder.write("settings.toml", to_toml(s.fields()));
  ASSERT_EQ(run(folder, {"train", "--config", "settings.toml", "--out", "run"}).code, 0);
}

/// Flips a bit in the middle of a file.
void damage(const TemporaryFolder& folder, const std::string& name) {
  std::string bytes = read_file(folder.path(name));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  folder.write(name, bytes);
}

const std::string first_steps = "step-000008, step-000016, step-000024, step-000032";

TEST(Resume, NamesADamagedCheckpointAndTakesAnOlderOneWhenAsked) {
  const TemporaryFolder folder;
  train_and_keep(folder);
  const auto expected = timeless(folder.path("run"));
  damage(folder, "run/checkpoints/last.heed");  // another name of step-000040
  const Args resume = {"train", "--resume", "--out", "run"};
  const Ran refused = run(folder, resume);
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.err,
            "heed: error: run/checkpoints/last.heed: damaged: its checksum does not match; use "
            "another checkpoint; there is best, " +
                first_steps + "\n");
  const struct {
    const char* name;
    const char* message;
  } rows[] = {
      {"step-000040",
       "run/checkpoints/step-000040.heed: damaged: its checksum does not match; use another "
       "checkpoint"},
      {"best", "run/checkpoints/best.heed: holds weights alone; resume from last or from a step"},
      {"step-7", "run/checkpoints: no checkpoint 'step-7' here; there is last, best"}};
  for (const auto& row : rows) {
    const Ran ran = run(folder, resume + Args{"--checkpoint", row.name});
    EXPECT_EQ(ran.code, 1);
    EXPECT_TRUE(ran.err.starts_with(std::string("heed: error: ") + row.message)) << ran.err;
  }
  const Ran on = run(folder, resume + Args{"--checkpoint", "step-000016"});
  EXPECT_EQ(on.code, 0) << on.err;
  for (const char* name : {"step-000024", "step-000032", "step-000040", "best"})
    EXPECT_TRUE(fs::exists(folder.path(fmt::format("run/checkpoints/{}.heed.aside", name))))
        << name << ": nothing is lost";
  EXPECT_EQ(differing(timeless(folder.path("run")), expected), std::vector<std::string>{});
}

TEST(Resume, NamesTheOtherCheckpointsWhereTheBestIsDamaged) {
  const TemporaryFolder folder;
  train_and_keep(folder);
  damage(folder, "run/checkpoints/best.heed");
  const Ran translated = run(folder, {"translate", "--run", "run"}, "a b\n");
  EXPECT_EQ(translated.code, 1);
  EXPECT_EQ(translated.err,
            "heed: error: run/checkpoints/best.heed: damaged: its checksum does not match; use "
            "another checkpoint; there is last, " +
                first_steps + ", step-000040\n");
  for (const char* name : {"last", "step-000032"}) {
    EXPECT_EQ(run(folder, {"translate", "--run", "run", "--checkpoint", name}, "a b\n").code, 0)
        << name;
    EXPECT_EQ(run(folder, {"evaluate", "--run", "run", "--data", "train.src", "train.tgt",
                           "--checkpoint", name})
                  .code,
              0)
        << name;
  }
}

TEST(Resume, BeginsAgainWhereATrainingWasKilledBeforeItsRunWasMade) {
  const TemporaryFolder folder;
  write_corpus(folder);
  const Args args = {"train", "--train",   "train.src", "train.tgt", "--model", "rnn",
                     "--set", "model.d=8", "--steps",   "2",         "--out",   "run"};
  fs::create_directories(folder.path("run/checkpoints"));
  folder.write("run/tokenizer.json", "cut short");
  folder.write("run/config.toml.partial", "");
  EXPECT_EQ(run(folder, args).code, 0);
  fs::remove(folder.path("run/config.toml"));
  EXPECT_EQ(run(folder, args).err,
            "heed: error: run: is not empty; give a new folder (--out names another)\n")
      << "it holds checkpoints";
}

TEST(VerifyResume, PrintsWhatItCompared) {
  const TemporaryFolder folder;
  write_corpus(folder);
  const Args small = {"--set", "model.d=8",          "--set", "model.layers=1",
                      "--set", "train.save_every=5", "--set", "train.eval_every=4"};
  const Args data = {"--train", "train.src", "train.tgt"};
  for (const char* model : {"transformer", "rnn", "conv"}) {
    const Ran ran =
        run(folder, Args{"verify-resume"} + data + Args{"--model", model, "--steps", "12"} + small);
    ASSERT_EQ(ran.code, 0) << ran.err;
    const auto lines = lines_of(ran.out);
    ASSERT_EQ(lines.size(), 12u) << ran.out;
    EXPECT_EQ(lines[0], fmt::format("train    12 steps of {}, in one go", model));
    EXPECT_EQ(lines[1], "train    the same, saved at step 6, killed in step 8");
    EXPECT_EQ(lines[2], "resume   from step 6 to step 12");
    std::vector<std::string> names;
    for (std::size_t i = 3; i + 1 < lines.size(); ++i) {
      EXPECT_TRUE(lines[i].ends_with("bytes  the same")) << lines[i];
      names.push_back(lines[i].substr(9, lines[i].find_first_of(" ,", 9) - 9));
    }
    EXPECT_EQ(names,
              (std::vector<std::string>{
                  "checkpoints/best.heed", "checkpoints/last.heed", "checkpoints/step-000005.heed",
                  "checkpoints/step-000010.heed", "checkpoints/step-000012.heed", "config.toml",
                  "metrics.jsonl", "tokenizer.json"}));
    EXPECT_EQ(lines.back(), "the same: resuming is exact on these settings");
  }
  const struct {
    Args args;
    const char* message;
  } rows[] = {
      {{"--steps", "1"}, "--steps 1: a run of one step cannot be killed half-way; give 2 or more"},
      {{}, "how many steps? give --steps N"}};
  for (const auto& row : rows) {
    const Ran ran =
        run(folder, Args{"verify-resume"} + data + Args{"--model", "rnn"} + row.args + small);
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, fmt::format("heed: error: {}\n", row.message));
  }
}

}  // namespace
}  // namespace heed
