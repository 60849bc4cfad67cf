// The limits of a training, how epochs are counted, and warnings about settings without effect.

#include "experiments/limits.h"
#include "experiments/requested_settings.h"
#include "experiments/setting_warnings.h"
#include "framework/checkpoint.h"
#include "tests/cli/program.h"

namespace heed {
namespace {

const Args tiny = {"--threads", "1"};
const Args sizes = {"model.d=16",           "model.layers=1", "model.heads=2",
                    "data.min_count=1",     "optim.warmup=1", "data.batch_tokens=100000",
                    "data.valid_fraction=0"};

Args set_all(const Args& assignments) {
  Args args;
  for (const std::string& assignment : assignments)
    args.insert(args.end(), {"--set", assignment});
  return args;
}

/// Writes sixty pairs of three words: one batch, or five batches of 100 tokens.
void write_pairs(const TemporaryFolder& folder) {
  std::string source;
  std::string target;
  for (int i = 0; i < 60; ++i) {
    source += fmt::format("w{} w{} w{}\n", i % 7, i % 5, i % 3);
    target += fmt::format("v{} v{} v{}\n", i % 7, i % 5, i % 3);
  }
  folder.write("s", source);
  folder.write("t", target);
}

Args train(const Args& more, const Args& settings = {}, const std::string& model = "transformer") {
  return Args{"train", "--train", "s", "t", "--model", model} + tiny + set_all(sizes + settings) +
         more;
}

std::string line_of(const std::string& text, const std::string& begin) {
  for (const std::string& line : lines_of(text))
    if (line.starts_with(begin)) return line;
  return "";
}

std::vector<std::string> warnings_in(const std::string& text) {
  std::vector<std::string> warnings;
  for (const std::string& line : lines_of(text))
    if (line.starts_with("warning: ")) warnings.push_back(line.substr(9));
  return warnings;
}

std::vector<std::int64_t> position(const TemporaryFolder& folder, const std::string& run) {
  return load(folder.path(run + "/checkpoints/last.heed")).list("data");
}

TEST(Limits, AreNamedInThePlan) {
  struct Row {
    Limits limits;
    Index done;
    Index last_step;
    const char* text;
  };
  for (const Row& row :
       std::vector<Row>{{{.steps = 200}, 0, 200, "200 steps"},
                        {{.steps = 1}, 0, 1, "1 step"},
                        {{.steps = 200}, 50, 200, "150 of 200 steps"},
                        {{.steps = 200}, 200, 200, "200 steps"},
                        {{.seconds = 600}, 0, 0, "10 min 00 s"},
                        {{.epochs = 2, .epoch_steps = 44}, 0, 44, "2 epochs (44 steps)"},
                        {{.epochs = 1, .epoch_steps = 9, .epochs_are_alike = false},
                         0,
                         9,
                         "1 epoch (about 9 steps)"},
                        {{.epochs = 2, .epoch_steps = 44}, 4, 44, "2 epochs (40 of 44 steps)"},
                        {{.steps = 5, .epochs = 40, .epoch_steps = 40},
                         0,
                         5,
                         "5 steps or 40 epochs (40 steps), whichever comes first"},
                        {{.steps = 50, .epochs = 40, .epoch_steps = 40},
                         0,
                         40,
                         "40 epochs (40 steps) or 50 steps, whichever comes first"},
                        {{.steps = 5, .epochs = 40, .seconds = 9, .epoch_steps = 40},
                         0,
                         5,
                         "5 steps, 40 epochs (40 steps) or 9 s, whichever comes first"},
                        {{.epochs = 1, .seconds = 9, .epoch_steps = 3},
                         0,
                         3,
                         "1 epoch (3 steps) or 9 s, whichever comes first"}}) {
    EXPECT_EQ(row.limits.text(row.done), row.text);
    EXPECT_EQ(row.limits.last_step(), row.last_step) << row.text;
  }
}

TEST(Limits, FollowFromWhatIsCounted) {
  struct Row {
    Index steps;
    Index epochs;
    Index accumulate;
    Index batches;  // of all epochs
    bool exact;
    Index last_step;
  };
  for (const Row& row :
       std::vector<Row>{{0, 10, 1, 10, true, 10},
                        {0, 10, 8, 10, true, 2},
                        {0, 10, 4, 50, true, 13},
                        {0, 1, 7, 7, true, 1},
                        {0, 1, 7, 8, true, 2},
                        {5, 10, 4, 50, true, 5},
                        {99, 10, 4, 50, true, 13},
                        {99, 0, 4, 0, true, 99},
                        {0, 10, 8, 10, false, 10},  // as runs were counted that go on
                        {0, 10, 4, 50, false, 20},
                        {5, 10, 4, 50, false, 20},
                        {99, 0, 4, 0, false, 99}}) {
    Settings s = default_settings("transformer");
    s.train.steps = row.steps;
    s.train.epochs = row.epochs;
    s.train.exact_epochs = row.exact;
    s.optim.accumulate = row.accumulate;
    Corpus corpus;
    corpus.epoch_batches = row.batches;
    EXPECT_EQ(limits_of(s, corpus).last_step(), row.last_step)
        << row.epochs << " epochs, " << row.accumulate;
  }
}

TEST(Limits, AnEpochIsWhatIsRead) {
  const TemporaryFolder folder;
  write_pairs(folder);
  struct Row {
    Args settings;
    const char* plan;
    std::vector<std::int64_t> position;
  };
  int number = 0;
  for (const Row& row :
       std::vector<Row>{{{}, "plan      10 epochs (10 steps)", {10, 0, 0}},
                        {{"optim.accumulate=8"}, "plan      10 epochs (2 steps)", {16, 0, 0}},
                        {{"optim.accumulate=4", "data.batch_tokens=100"},
                         "plan      10 epochs (13 steps)",
                         {10, 0, 2}},
                        {{"optim.accumulate=3", "data.batch_tokens=100"},
                         "plan      10 epochs (17 steps)",
                         {10, 0, 1}}}) {
    const std::string out = fmt::format("run{}", number++);
    const Ran ran = run(folder, train({"--epochs", "10", "--out", out}, row.settings));
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(line_of(ran.err, "plan ").starts_with(row.plan + std::string("; about")))
        << ran.err;
    EXPECT_EQ(position(folder, out), row.position) << row.plan;
  }
}

TEST(Limits, SampledSubwordsAreCountedAsTheyAreRead) {
  const TemporaryFolder folder;
  write_pairs(folder);
  const Ran ran =
      run(folder,
          train({"--epochs", "4", "--out", "run"},
                {"data.tokenizer=unigram", "data.subword_sampling=0.1", "data.batch_tokens=60"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("4 epochs (about "), std::string::npos) << ran.err;
  EXPECT_EQ(position(folder, "run"), (std::vector<std::int64_t>{4, 0, 0}));
}

TEST(Limits, AnEpochOfTextIsWhatItsWindowsHold) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 1000; ++i)
    text += static_cast<char>('a' + i * 7 % 11);
  folder.write("lm.txt", text);
  struct Row {
    int context;
    Index steps;  // of two epochs, of 768 tokens a step or one window
  };
  for (const Row& row : std::vector<Row>{{64, 3}, {500, 4}, {900, 3}}) {
    const std::string out = fmt::format("run{}", row.context);
    const Ran ran = run(folder, Args{"train", "--train", "lm.txt", "--valid", "lm.txt", "--model",
                                     "lm", "--epochs", "2", "--out", out} +
                                    tiny +
                                    set_all({"model.d=8", "model.layers=1", "model.heads=1",
                                             fmt::format("model.context={}", row.context)}));
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_NE(ran.err.find(fmt::format("2 epochs ({} steps)", row.steps)), std::string::npos)
        << ran.err;
    EXPECT_EQ(position(folder, out), std::vector<std::int64_t>{row.steps});
  }
}

struct LimitRow {
  Args more;
  Args settings;
  const char* plan;
  const char* done;
};

const std::vector<LimitRow> limit_rows = {
    {{"--steps", "5", "--epochs", "40"},
     {},
     "5 steps or 40 epochs (40 steps), whichever comes first",
     "5 steps"},
    {{"--steps", "5", "--epochs", "3"},
     {},
     "3 epochs (3 steps) or 5 steps, whichever comes first",
     "3 steps"},
    {{"--config", "both.toml"},
     {},
     "5 steps or 40 epochs (40 steps), whichever comes first",
     "5 steps"},
    {{"--config", "epochs.toml"}, {}, "3 epochs (3 steps)", "3 steps"},
    {{"--config", "both.toml", "--steps", "2"},
     {},
     "2 steps or 40 epochs (40 steps), whichever comes first",
     "2 steps"},
    {{"--steps", "4"},
     {"train.epochs=2"},
     "2 epochs (2 steps) or 4 steps, whichever comes first",
     "2 steps"},
    {{"--epochs", "2"}, {"train.steps=0"}, "2 epochs (2 steps)", "2 steps"},
    {{"--steps", "3"},
     {"train.time=1h"},
     "3 steps or 1 h 00 min, whichever comes first",
     "3 steps"}};

TEST(Limits, AllThatAreGivenHold) {
  const TemporaryFolder folder;
  write_pairs(folder);
  folder.write("both.toml", "[train]\nsteps = 5\nepochs = 40\n");
  folder.write("epochs.toml", "train.epochs = 3\n");
  int number = 0;
  for (const LimitRow& row : limit_rows) {
    const Ran ran =
        run(folder, train(row.more + Args{"--out", fmt::format("run{}", number++)}, row.settings));
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(line_of(ran.err, "plan ").starts_with(fmt::format("plan      {}; about", row.plan)))
        << ran.err;
    EXPECT_TRUE(line_of(ran.err, "done").starts_with(fmt::format("done: {} in ", row.done)))
        << ran.err;
  }
}

TEST(Limits, ThatContradictEachOtherAreRefused) {
  const TemporaryFolder folder;
  write_pairs(folder);
  const struct {
    Args more;
    Args settings;
    const char* message;
  } bad[] = {
      {{"--steps", "3"},
       {"train.time=soon"},
       "train.time: expected a time such as 90s, 10m or 1.5h; got 'soon'"},
      {{"--steps", "3"},
       {"train.steps=4"},
       "train.steps is given twice, as 3 and as 4; give one of them"},
      {{"--steps", "3"},
       {"model.name=rnn"},
       "model.name is given twice, as 'transformer' and as 'rnn'; give one of them"},
      {{"--seed", "3"},
       {"train.seed=4"},
       "train.seed is given twice, as 3 and as 4; give one of them"},
      {{}, {"train.steps=0"}, "nothing ends the training; give --steps, --epochs or --time"}};
  for (const auto& row : bad) {
    const Ran ran = run(folder, train(row.more + Args{"--out", "bad"}, row.settings));
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, fmt::format("heed: error: {}\n", row.message));
  }
}

TEST(Limits, TheModelMayBeASettingAlone) {
  const TemporaryFolder folder;
  write_pairs(folder);
  const Args args = Args{"train", "--train", "s", "t", "--steps", "1", "--out", "run"} + tiny +
                    set_all(sizes + Args{"model.name=rnn"});
  const Ran ran = run(folder, args);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(line_of(ran.err, "model ").starts_with("model     rnn, ")) << ran.err;
}

TEST(Limits, OnResumeALimitReplacesTheOneOfItsKind) {
  const TemporaryFolder folder;
  write_pairs(folder);
  struct Row {
    Args begun;
    Args resumed;
    const char* plan;
    const char* done;
  };
  int number = 0;
  for (const Row& row : std::vector<Row>{
           {{"--epochs", "2"}, {"--epochs", "4"}, "4 epochs (2 of 4 steps)", "4 steps"},
           {{"--epochs", "2"},
            {"--epochs", "9", "--steps", "5"},
            "3 of 5 steps or 9 epochs (7 of 9 steps), whichever comes first",
            "5 steps"},
           {{"--epochs", "2"},
            {"--set", "train.epochs=0", "--set", "train.steps=6"},
            "4 of 6 steps",
            "6 steps"},
           {{"--steps", "2", "--epochs", "5"},
            {"--steps", "9"},
            "5 epochs (3 of 5 steps) or 7 of 9 steps, whichever comes first",
            "5 steps"},
           {{"--steps", "2", "--time", "1h"},
            {"--steps", "3"},
            "1 of 3 steps or 1 h 00 min, whichever comes first",
            "3 steps"}}) {
    const std::string out = fmt::format("run{}", number++);
    ASSERT_EQ(run(folder, train(row.begun + Args{"--out", out})).code, 0);
    const Ran ran = run(folder, Args{"train", "--resume", "--out", out} + tiny + row.resumed);
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(line_of(ran.err, "plan ").starts_with(fmt::format("plan      {}; about", row.plan)))
        << ran.err;
    EXPECT_TRUE(line_of(ran.err, "done").starts_with(fmt::format("done: {} in ", row.done)))
        << ran.err;
  }
}

TEST(Limits, AFinishedRunSaysWhyAndWhatToGive) {
  const TemporaryFolder folder;
  write_pairs(folder);
  ASSERT_EQ(run(folder, train({"--epochs", "2", "--out", "run"})).code, 0);
  const Args resume = Args{"train", "--resume", "--out", "run"} + tiny;
  const std::string over =
      "its 2 epochs are read; give more epochs (train.epochs = N, or 0 for no limit of epochs)";
  const auto before = contents(folder);
  const Ran refused = run(folder, resume + Args{"--set", "train.steps=30"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.err,
            fmt::format("heed: error: run: done, with nothing left to train: {}\n", over));
  EXPECT_EQ(contents(folder), before);
  const Ran fewer = run(folder, resume + Args{"--epochs", "1"});
  EXPECT_EQ(fewer.err,
            "heed: error: run: done, with nothing left to train: its one epoch is read; give more "
            "epochs (train.epochs = N, or 0 for no limit of epochs)\n");
  const Ran again = run(folder, resume);  // nothing was asked for that cannot be had
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_NE(again.err.find("done: 2 steps in "), std::string::npos) << again.err;
  EXPECT_NE(again.err.find("; nothing was left to train: " + over + "\n"), std::string::npos)
      << again.err;
}

TEST(Limits, AnotherLimitOfAResumedRunLeavesTheOthers) {
  const TemporaryFolder folder;
  write_pairs(folder);
  ASSERT_EQ(run(folder, train({"--steps", "4", "--out", "run"})).code, 0);
  const std::string before = read_file(folder.path("run/config.toml"));
  for (const Args& more : {Args{"--time", "1h"}, Args{"--epochs", "900"}}) {
    const Ran ran = run(folder, Args{"train", "--resume", "--out", "run"} + more + tiny);
    EXPECT_EQ(ran.code, 1);
    EXPECT_NE(ran.err.find("nothing left to train: step 4 is reached"), std::string::npos)
        << ran.err;
    EXPECT_EQ(read_file(folder.path("run/config.toml")), before);
  }
}

TEST(Limits, ARunOfAnEarlierVersionKeepsItsCountOfEpochs) {
  const TemporaryFolder folder;
  write_pairs(folder);
  const Args settings = {"optim.accumulate=4", "train.save_every=2", "data.batch_tokens=100"};
  ASSERT_EQ(run(folder, train({"--epochs", "2", "--out", "run"}, settings)).code,
            0);  // 5 batches an epoch: 3 steps
  const auto forget = [&](const std::string& steps) {
    std::string kept;
    for (const std::string& line : lines_of(read_file(folder.path("run/config.toml"))))
      if (line.starts_with("steps = "))
        kept += fmt::format("steps = {}\n", steps);
      else if (!line.starts_with("exact_epochs"))
        kept += line + "\n";
    folder.write("run/config.toml", kept);
  };
  forget("1");  // a default that did not count
  const Ran ran = run(folder, Args{"train", "--resume", "--out", "run"} + tiny);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("plan      1 of 4 steps; about"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("done: 4 steps"), std::string::npos) << ran.err;
  const Ran longer = run(folder, Args{"train", "--resume", "--epochs", "5", "--out", "run"} + tiny);
  ASSERT_EQ(longer.code, 0) << longer.err;
  EXPECT_NE(longer.err.find("plan      5 epochs (3 of 7 steps); about"), std::string::npos)
      << longer.err;
}

// Pairs that the model cannot place

/// Pairs with sources of nine and ten tokens: after those of write_pairs() ("long"), and alone
/// ("only").
void write_long_pairs(const TemporaryFolder& folder) {
  write_pairs(folder);
  const std::string nine = "w1 w1 w1 w1 w1 w1 w1 w1 w1";
  const std::string ten = nine + " w1";
  const std::string s = read_file(folder.path("s"));
  const std::string t = read_file(folder.path("t"));
  folder.write("long.s", s + nine + "\n" + ten + "\n");
  folder.write("long.t", t + "v1\nv1\n");
  folder.write("only.s", ten + "\n");
  folder.write("only.t", "v1\n");
}

const std::string beyond =
    " longer than model.positions = 10 allows, </s> among them (line 62 is the first), and ";

struct PlacedRow {
  std::string model;
  std::string train;
  std::string valid;
  Args settings;
  std::string data;
};

const std::vector<PlacedRow> placed_rows = {
    {"conv",
     "long",
     "long",
     {},
     "62 pairs, 1" + beyond + "dropped; validation: 62 pairs, 1" + beyond + "dropped"},
    {"conv",
     "long",
     "long",
     {"data.long=cut"},
     "62 pairs, 1" + beyond + "cut; validation: 62 pairs, 1" + beyond + "cut"},
    {"conv",
     "long",
     "long",
     {"data.max_length=0"},
     "62 pairs, 1" + beyond + "dropped; validation: 62 pairs, 1" + beyond + "dropped"},
    {"conv",
     "long",
     "",
     {"data.max_length=10"},
     "62 pairs, 1" + beyond + "dropped; validation: 60 pairs"},
    {"conv",
     "",
     "long",
     {"data.max_length=10"},
     "60 pairs; validation: 62 pairs, 1" + beyond + "dropped"},
    {"conv",
     "long",
     "",
     {"data.max_length=9"},
     "62 pairs, 1 too long (data.max_length, data.batch_tokens) and dropped; validation: 60 "
     "pairs"},
    {"transformer", "long", "long", {}, "62 pairs; validation: 62 pairs"}};

Args files_of(const std::string& name) {
  return name.empty() ? Args{"s", "t"} : Args{name + ".s", name + ".t"};
}

TEST(Limits, SidesThatAModelCannotPlaceAreKnownBefore) {
  const TemporaryFolder folder;
  write_long_pairs(folder);
  int number = 0;
  for (const PlacedRow& row : placed_rows) {
    const std::string out = fmt::format("run{}", number++);
    const Args args = Args{"train", "--train"} + files_of(row.train) + Args{"--valid"} +
                      files_of(row.valid) +
                      Args{"--model", row.model, "--steps", "2", "--out", out} + tiny +
                      set_all(Args{"model.d=8", "model.layers=1", "model.heads=1",
                                   "data.min_count=1", "model.positions=10", "optim.warmup=1"} +
                              row.settings);
    const Ran ran = run(folder, args);
    ASSERT_EQ(ran.code, 0) << ran.err;
    const std::string data = line_of(ran.err, "data ");
    EXPECT_EQ(data.substr(data.find(": ") + 2), row.data);
    const Ran on = run(folder, Args{"train", "--resume", "--steps", "3", "--out", out} + tiny);
    EXPECT_EQ(on.code, 0) << on.err;
  }
}

TEST(Limits, WithoutAPairThatAModelCanPlaceThereIsAnError) {
  const TemporaryFolder folder;
  write_long_pairs(folder);
  const Ran none =
      run(folder, train({"--valid", "only.s", "only.t", "--steps", "2", "--out", "none"},
                        {"model.positions=10"}, "conv"));
  EXPECT_EQ(none.code, 1);
  EXPECT_EQ(
      none.err,
      "heed: error: only.s only.t: every pair is longer than max_length = 9 or batch_tokens = "
      "100000 allow; raise model.positions "
      "or data.batch_tokens\n");
}

// Settings that can have no effect

struct UnusedRow {
  const char* model;
  std::vector<std::string> set;
  const char* warning;  // "": none
};

const std::vector<UnusedRow> unused_rows = {
    {"transformer",
     {"model.kernel=5"},
     "model.kernel = 5 has no effect with model.name = 'transformer'"},
    {"transformer", {"model.heads=2"}, ""},
    {"transformer", {"model.encoder_layers=2", "model.decoder_layers=1"}, ""},
    {"conv", {"task.name=classify", "model.encoder_layers=2"}, ""},
    {"conv",
     {"task.name=classify", "model.decoder_layers=2"},
     "model.decoder_layers = 2 has no effect with task.name = 'classify'"},
    {"lm",
     {"model.encoder_layers=2"},
     "model.encoder_layers = 2 has no effect with model.name = 'lm'"},
    {"conv", {"model.heads=2"}, "model.heads = 2 has no effect with model.name = 'conv'"},
    {"rnn+dot", {"model.heads=2"}, "model.heads = 2 has no effect with model.name = 'rnn+dot'"},
    {"rnn+multi_head", {"model.heads=2"}, ""},
    {"rnn", {"model.ff=20"}, "model.ff = 20 has no effect with model.name = 'rnn'"},
    {"conv", {"model.norm=post"}, "model.norm = 'post' has no effect with model.name = 'conv'"},
    {"transformer",
     {"model.cell=lstm"},
     "model.cell = 'lstm' has no effect with model.name = 'transformer'"},
    {"transformer",
     {"model.tied=true"},
     "model.tied = true has no effect with model.name = 'transformer'"},
    {"transformer",
     {"model.window=9"},
     "model.window = 9 has no effect with model.attention = 'multi_head'"},
    {"transformer", {"model.attention=local", "model.window=9"}, ""},
    {"lm", {"model.base=9"}, "model.base = 9 has no effect with model.positions = 'learned'"},
    {"transformer",
     {"model.context=9"},
     "model.context = 9 has no effect with model.name = 'transformer'"},
    {"lm", {"decode.beam=2"}, "decode.beam = 2 has no effect with model.name = 'lm'"},
    {"lm", {"data.max_length=9"}, "data.max_length = 9 has no effect with model.name = 'lm'"},
    {"transformer",
     {"optim.momentum=0.5"},
     "optim.momentum = 0.5 has no effect with optim.name = 'adam'"},
    {"transformer", {"optim.name=sgd", "optim.momentum=0.5"}, ""},
    {"transformer",
     {"optim.name=sgd", "optim.beta1=0.5"},
     "optim.beta1 = 0.5 has no effect with optim.name = 'sgd'"},
    {"transformer",
     {"optim.schedule=constant", "optim.final_lr=0.5"},
     "optim.final_lr = 0.5 has no effect with optim.schedule = 'constant'"},
    {"transformer",
     {"data.tokenizer=bpe", "data.min_count=3"},
     "data.min_count = 3 has no effect with data.tokenizer = 'bpe'"},
    {"transformer",
     {"data.long=cut", "data.max_length=0"},
     "data.long = 'cut' has no effect with data.max_length = 0"},
    {"conv", {"data.long=cut", "data.max_length=0"}, ""},
    {"lm", {"model.recipe=modern"}, ""},
    {"lm", {"model.recipe=modern", "optim.name=adamw", "model.positions=learned"}, ""},
    {"lm",
     {"model.recipe=modern", "optim.name=adamw", "model.positions=learned", "model.qk_norm=false",
      "model.zero_init=false"},
     "model.recipe = modern has no effect: all that it sets was given"},
    {"transformer",
     {"data.valid=a", "data.valid_fraction=0.1"},
     "data.valid_fraction = 0.1 has no effect with data.valid = ['a']"}};

/// Sets "key=value" as the command does.
void assign(Settings& settings, const std::string& assignment) {
  const RequestedSettings requested{.config = {}, .assignments = {assignment}, .values = {}};
  apply(requested, settings);
}

TEST(SettingWarnings, NameWhatHasNoEffect) {
  for (const UnusedRow& row : unused_rows) {
    Settings s = default_settings(row.model);
    for (const std::string& assignment : row.set)
      assign(s, assignment);
    const std::vector<std::string> expected =
        *row.warning == 0 ? std::vector<std::string>{} : std::vector<std::string>{row.warning};
    EXPECT_EQ(unused_settings(s), expected) << row.model << " " << row.set.back();
  }
}

struct UnreachedRow {
  std::vector<std::string> set;
  TrainingLength length;
  bool validates;
  std::vector<std::string> warnings;
};

const std::vector<UnreachedRow> unreached_rows = {
    {{}, {.steps = 1600}, true, {}},
    {{},
     {.steps = 100},
     true,
     {"optim.warmup = 200 is longer than the training (100 steps): the peak learning rate "
      "is never reached"}},
    {{},
     {.steps = 100, .about = true},
     true,
     {"optim.warmup = 200 is longer than the training (about 100 steps): the peak learning "
      "rate is never reached"}},
    {{},
     {.steps = 200},
     true,
     {"optim.warmup = 200 is as long as the training: optim.schedule = cosine never "
      "begins"}},
    {{"optim.schedule=constant"}, {.steps = 200}, true, {}},
    {{"train.patience=1"},
     {.steps = 1600},
     false,
     {"train.patience = 1 never stops a training without validation; give data.valid"}},
    {{"train.patience=1"}, {.steps = 1600}, true, {}},
    {{"train.patience=1", "train.eval_every=0"},
     {.steps = 1600},
     true,
     {"train.patience = 1 never stops this training: it is validated at its end alone; set "
      "train.eval_every"}},
    {{"train.patience=4"},
     {.steps = 1600},
     true,
     {"train.patience = 4 never stops this training: it is validated 3 times before its end "
      "(train.eval_every = 400, 1600 steps)"}},
    {{"train.average=3", "train.save_every=1600"},
     {.steps = 1600},
     true,
     {"train.average = 3 has nothing to average: no weights are saved before the end "
      "(train.save_every = 1600, 1600 steps)"}},
    {{"train.average_at_end=4"}, {.steps = 1600}, true, {}},
    {{"train.average_at_end=5"},
     {.steps = 1600},
     true,
     {"train.average_at_end = 5 averages 4 weights at most: no more are saved (train.save_every = "
      "400, 1600 steps)"}},
    {{"train.average_at_end=2", "train.save_every=1600"},
     {.steps = 1600},
     true,
     {"train.average_at_end = 2 has nothing to average: no weights are saved before the end "
      "(train.save_every = 1600, 1600 steps)"}},
    {{"train.average_at_end=2"},
     {.steps = 1600},
     false,
     {"train.average_at_end = 2 chooses nothing without validation; give data.valid"}},
    {{"train.r_drop=1"}, {.steps = 1600}, true, {}},
    {{"train.r_drop=1", "model.dropout=0"},
     {.steps = 1600},
     true,
     {"train.r_drop = 1 has no effect, and a step costs two: without dropout both passes are the "
      "same; give model.dropout"}}};

TEST(SettingWarnings, NameWhatTheLengthOfTheTrainingLeavesOut) {
  for (const UnreachedRow& row : unreached_rows) {
    Settings s = default_settings("transformer");
    for (const std::string& assignment : row.set)
      assign(s, assignment);
    EXPECT_EQ(unreached_settings(s, row.length, row.validates), row.warnings);
  }
}

TEST(SettingWarnings, AreShown) {
  const TemporaryFolder folder;
  write_pairs(folder);
  const Ran ran = run(folder, train({"--steps", "3", "--out", "run"},
                                    {"train.patience=2", "optim.warmup=9", "model.kernel=5"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(warnings_in(ran.err),
            (std::vector<std::string>{
                "model.kernel = 5 has no effect with model.name = 'transformer'",
                "train.patience = 2 never stops a training without validation; give --valid",
                "optim.warmup = 9 is longer than the training (3 steps): the peak learning rate is "
                "never reached"}));
  // A run's config.toml names every setting. Those with default values were not chosen, and give no
  // warning.
  const Ran same = run(
      folder, {"train", "--config", "run/config.toml", "--set", "optim.warmup=1", "--set",
               "train.patience=0", "--set", "model.kernel=3", "--out", "again", "--threads", "1"});
  ASSERT_EQ(same.code, 0) << same.err;
  EXPECT_EQ(
      warnings_in(same.err),
      std::vector<std::string>{"model.kernel = 3 has no effect with model.name = 'transformer'"});
}

TEST(SettingWarnings, ARateThatJumpsWhereAFinishedScheduleIsProlonged) {
  const TemporaryFolder folder;
  write_pairs(folder);
  struct Row {
    const char* schedule;
    bool jumps;
  };
  for (const Row& row : std::vector<Row>{
           {"cosine", true}, {"linear", true}, {"constant", false}, {"inverse_sqrt", false}}) {
    const std::string out = fmt::format("run-{}", row.schedule);
    ASSERT_EQ(run(folder, train({"--steps", "20", "--out", out},
                                {fmt::format("optim.schedule={}", row.schedule), "optim.lr=0.002"}))
                  .code,
              0);
    const Ran ran = run(folder, Args{"train", "--resume", "--steps", "80", "--out", out} + tiny);
    ASSERT_EQ(ran.code, 0) << ran.err;
    const auto warnings = warnings_in(ran.err);
    ASSERT_EQ(warnings.size(), row.jumps ? 1u : 0u) << ran.err;
    if (!row.jumps) continue;
    EXPECT_TRUE(warnings[0].starts_with("the learning rate jumps from 4e-05 to 0.0"))
        << warnings[0];
    EXPECT_TRUE(warnings[0].ends_with(
        fmt::format(" at step 21: optim.schedule = {} now leads to the new end of the training",
                    row.schedule)));
  }
}

TEST(SettingWarnings, EvaluateNamesOptionsWithoutEffect) {
  const TemporaryFolder folder;
  write_pairs(folder);
  folder.write("lm.txt", std::string(300, 'a') + std::string(300, 'b'));
  ASSERT_EQ(run(folder, train({"--steps", "1", "--out", "run"})).code, 0);
  const Args text = {"train", "--train", "lm.txt", "--model", "lm", "--steps", "1", "--out", "lm"};
  ASSERT_EQ(run(folder, text + tiny + set_all({"model.d=8", "model.layers=1"})).code, 0);
  struct Row {
    Args args;
    std::string said;
  };
  for (const Row& row : std::vector<Row>{
           {{"run", "--data", "s", "t", "--beam", "2"}, ""},
           {{"run", "--data", "s", "t", "--lines", "2"},
            "heed: warning: --lines has no effect on files: it is for built-in corpora\n"},
           {{"run", "--data", "toy:copy", "--lines", "2"}, ""},
           {{"lm", "--data", "lm.txt", "--beam", "2"},
            "heed: warning: --beam has no effect on a language model\n"},
           {{"lm", "--lines", "2"},
            "heed: warning: --lines has no effect on a language model\n"}}) {
    const Ran ran = run(folder, Args{"evaluate", "--run"} + row.args);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.err, row.said);
  }
}

// Errors of the library, named by settings

TEST(Settings, AreNamedInErrorsOfTheLibrary) {
  struct Row {
    const char* section;
    const char* argument;
    const char* message;
  };
  const Settings settings = default_settings("conv");
  for (const Row& row :
       std::vector<Row>{{"optim", "beta1", "optim.beta1: expected above 3; got 2"},
                        {"data", "max_length", "data.max_length: expected above 3; got 2"},
                        {"decode", "max_length", "decode.max_length: expected above 3; got 2"},
                        {"train", "average", "train.average: expected above 3; got 2"},
                        {"model", "positions", "model.positions: expected above 3; got 2"},
                        {"model", "heads", "[part] expected heads above 3; got 2"},
                        {"train", "max_norm", "[part] expected max_norm above 3; got 2"}}) {
    try {
      check_argument(false, "part", row.argument, 2, "above {}", 3);
    } catch (const ArgumentError& error) {
      EXPECT_STREQ(named_by_setting(settings, row.section, error).what(), row.message);
    }
  }
}

TEST(Settings, AreNamedInErrorsOfARun) {
  const TemporaryFolder folder;
  write_pairs(folder);
  struct Row {
    const char* model;
    Args settings;
    const char* message;
  };
  for (const Row& row : std::vector<Row>{
           {"transformer", {"optim.beta1=1"}, "optim.beta1: expected within [0, 1); got 1"},
           {"transformer", {"optim.beta2=1"}, "optim.beta2: expected within [0, 1); got 1"},
           {"transformer",
            {"data.vocab_size=2"},
            "data.vocab_size: expected 0 (no limit) or at least 4, the marks that it counts; got "
            "2"},
           {"rnn+multi_head",
            {"model.heads=4", "model.hidden=6"},
            "model.heads: expected a number that shares a width of 6 evenly; got 4"},
           {"conv",
            {"model.positions=1"},
            "model.positions: expected a whole number from 2 to 1048576; got 1"}}) {
    const Ran ran = run(folder, train({"--steps", "1", "--out", "run"}, row.settings, row.model));
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, fmt::format("heed: error: {}\n", row.message));
  }
}

}  // namespace
}  // namespace heed
