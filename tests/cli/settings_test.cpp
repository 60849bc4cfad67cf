#include "experiments/settings.h"

#include <cstdint>
#include <limits>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tests/datasets/temporary.h"

namespace heed::cli {
namespace {

// Values that are awkward to write: `n` makes each its own, `round` (0, 1 or 2) chooses among them.

void fill(Index& value, Index n, int round) {
  value = round == 2 ? std::numeric_limits<Index>::max() - n : n;
}

void fill(double& value, Index n, int round) {
  const auto x = static_cast<double>(n);
  const double values[] = {x, 1 / (3.0 + x), 1e300 / x};
  value = values[round];
}

void fill(bool& value, Index n, int round) { value = (n + round) % 2 == 0; }

void fill(std::string& value, Index n, int round) {
  const std::string values[] = {fmt::format("s{}", n), fmt::format("a \"b\" \\ '{}' = # é\t", n),
                                ""};
  value = values[round];
}

void fill(std::vector<std::string>& value, Index n, int round) {
  const std::vector<std::string> values[] = {
      {fmt::format("x{}", n)}, {"a b", "c, \"d\"", fmt::format("ü{}\\", n)}, {}};
  value = values[round];
}

void fill(Settings& s, int round) {
  Index n = 1000 * round;
  for (const Setting& setting : settings_of(s)) {
    ++n;
    std::visit([&](auto* value) { fill(*value, n, round); }, setting.value);
  }
}

TEST(Settings, AllComeBackFromTheirFile) {
  const TemporaryFolder folder;
  for (int round : {0, 1, 2}) {
    Settings written = default_settings("transformer");
    Settings read = default_settings("lm");
    fill(written, round);
    read_settings(folder.write("config.toml", to_toml(written)), read);
    const auto a = settings_of(written);
    const auto b = settings_of(read);
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(text_of(a[i]), text_of(b[i])) << a[i].key;
      std::visit([&](auto* x) { EXPECT_EQ(*x, *std::get<decltype(x)>(b[i].value)) << a[i].key; },
                 a[i].value);
    }
    EXPECT_EQ(to_toml(written), to_toml(read));
  }
}

TEST(Settings, AreListedOnceEachAndInSections) {
  Settings s = default_settings("transformer");
  std::set<std::string> keys;
  std::set<std::string> sections;
  std::set<const void*> fields;
  std::string section;
  std::map<std::uintptr_t, std::size_t> sizes;  // of fields, by address
  for (const Setting& setting : settings_of(s)) {
    const std::string key = setting.key;
    EXPECT_TRUE(keys.insert(key).second) << key;
    EXPECT_TRUE(std::visit([&](auto* x) { return fields.insert(x).second; }, setting.value)) << key;
    EXPECT_GT(std::string(setting.help).size(), 5u) << key;
    EXPECT_EQ(std::string(setting.help).find('\n'), std::string::npos)
        << key << ": a comment of one line";
    const std::string head = key.substr(0, key.find('.'));
    if (head != section) {
      EXPECT_TRUE(sections.insert(head).second) << key << ": a section is in two places";
    }
    section = head;
    std::visit([&](auto* x) { sizes[reinterpret_cast<std::uintptr_t>(x)] = sizeof *x; },
               setting.value);
  }
  auto end = reinterpret_cast<std::uintptr_t>(&s);
  sizes[end + sizeof s] = 0;
  for (const auto& [begin, size] : sizes) {
    EXPECT_GE(begin, end) << "a field listed twice";
    EXPECT_LT(begin - end, alignof(Settings)) << "a field that is not listed";  // less is alignment
    end = begin + size;
  }
}

TEST(Settings, AreSetByTheirKey) {
  Settings s = default_settings("transformer");
  for (const char* assignment :
       {"model.d=64", "optim.lr=1e-4", "optim.name=sgd", "data.train=a.src,b c.tgt",
        "train.time=", "data.fields=", "decode.beam=007"})
    set(s, assignment);
  EXPECT_EQ(s.model.d, 64);
  EXPECT_EQ(s.optim.lr, 1e-4);
  EXPECT_EQ(s.optim.name, "sgd");
  EXPECT_EQ(s.data.train, (std::vector<std::string>{"a.src", "b c.tgt"}));
  EXPECT_EQ(s.train.time, "");
  EXPECT_TRUE(s.data.fields.empty());
  EXPECT_EQ(s.decode.beam, 7);
}

TEST(Settings, SayWhatIsWrongWithAnAssignment) {
  const TemporaryFolder folder;
  struct Row {
    const char* assignment;
    const char* message;
  };
  for (const Row& row :
       {Row{"model.d", "--set takes key=value; got 'model.d'"},
        Row{"model.layer=3", "--set unknown setting 'model.layer'; did you mean 'model.layers'?"},
        Row{"optim.learning_rate=1",
            "--set unknown setting 'optim.learning_rate'; `heed train --help-settings` lists them"},
        Row{"=3", "--set unknown setting ''; `heed train --help-settings` lists them"},
        Row{"model.tied=yes", "--set model.tied takes true or false; got 'yes'"},
        Row{"model.d=wide", "--set model.d takes a whole number; got 'wide'"},
        Row{"model.d=3.5", "--set model.d takes a whole number; got '3.5'"},
        Row{"model.d=", "--set model.d takes a whole number; got ''"},
        Row{"model.d= 3", "--set model.d takes a whole number; got ' 3'"},
        Row{"model.d=99999999999999999999",
            "--set model.d takes a whole number; got '99999999999999999999'"},
        Row{"optim.lr=fast", "--set optim.lr takes a number; got 'fast'"},
        Row{"optim.lr=1e-3x", "--set optim.lr takes a number; got '1e-3x'"}}) {
    Settings s = default_settings("transformer");
    EXPECT_EQ(folder.message([&] { set(s, row.assignment); }), row.message) << row.assignment;
  }
}

TEST(Settings, SayWhichLineOfAFileIsWrong) {
  const TemporaryFolder folder;
  struct Row {
    const char* text;
    const char* message;
  };
  for (const Row& row :
       {Row{"[model]\nlayer = 3\n",
            "c.toml:2: unknown setting 'model.layer'; did you mean 'model.layers'?"},
        Row{"steps = 3\n",
            "c.toml:1: unknown setting 'steps'; `heed train --help-settings` lists them"},
        Row{"[model]\n\nd = \"wide\"\n", "c.toml:3: model.d takes a whole number; got 'wide'"},
        Row{"[model]\nd = \"16\"\n", "c.toml:2: model.d takes no quotes; write d = 16"},
        Row{"optim.lr = '1e-3'\n", "c.toml:1: optim.lr takes no quotes; write lr = 1e-3"},
        Row{"[model]\ntied = 'true'\n", "c.toml:2: model.tied takes no quotes; write tied = true"},
        Row{"[optim]\nname = '16'\n", "no error"},
        Row{"[model]\nd = 3.5\n", "c.toml:2: model.d takes a whole number; got '3.5'"},
        Row{"[model]\ntied = 1\n", "c.toml:2: model.tied takes true or false; got '1'"},
        Row{"[model]\ntied = true\n", "no error"},
        Row{"[model]\nd = true\n", "c.toml:2: model.d takes a whole number; got 'true'"},
        Row{"model.dropout = \"much\"\n", "c.toml:1: model.dropout takes a number; got 'much'"},
        Row{"model.norm = 3\n", "c.toml:1: model.norm takes a text in quotes; got '3'"},
        Row{"data.train = \"a.tsv\"\n", "c.toml:1: data.train takes a list of texts; got 'a.tsv'"},
        Row{"[data]\ntrain = [1]\n", "c.toml:2: data.train takes a list of texts; got '[ 1 ]'"},
        Row{"[model]\nd = 8\nd = 9\n", "c.toml:3: "},  // what follows is the parser's
        Row{"[model\nd = 8\n", "c.toml:1: "}, Row{"[model]\nd = \n", "c.toml:2: "},
        Row{"model.dropout = 1\noptim.lr = 1e-3", "no error"}}) {
    Settings s = default_settings("transformer");
    const std::string path = folder.write("c.toml", row.text);
    const std::string expected = row.message;
    const std::string message = folder.message([&] { read_settings(path, s); });
    EXPECT_EQ(message.substr(0, expected.ends_with(": ") ? expected.size() : std::string::npos),
              expected)
        << row.text;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  Settings s = default_settings("transformer");
  EXPECT_EQ(folder.message([&] { read_settings(folder.path("none.toml"), s); }),
            "none.toml: no such file; check the name");
  std::filesystem::create_directory(folder.path("folder"));
  EXPECT_EQ(folder.message([&] { read_settings(folder.path("folder"), s); }),
            "folder: is a folder; name a file of settings");
}

const char* const out_of_range[] = {"model.name=gpt",
                                    "model.norm=middle",
                                    "data.tokenizer=bytes",
                                    "optim.name=adams",
                                    "optim.schedule=flat",
                                    "model.d=0",
                                    "model.d=17",
                                    "model.layers=0",
                                    "model.heads=0",
                                    "model.heads=3",
                                    "model.ff=-1",
                                    "model.context=0",
                                    "model.kernel=0",
                                    "model.kernel=4",
                                    "model.positions=0",
                                    "model.dropout=1",
                                    "model.dropout=nan",
                                    "model.dropout=-0.1",
                                    "optim.lr=-1",
                                    "optim.lr=inf",
                                    "optim.clip=-1",
                                    "optim.warmup=-1",
                                    "optim.accumulate=0",
                                    "optim.momentum=1.5",
                                    "train.steps=-1",
                                    "train.keep=0",
                                    "train.log_every=0",
                                    "train.average=0",
                                    "train.seed=-1",
                                    "train.label_smoothing=1",
                                    "train.time=soon",
                                    "decode.beam=0",
                                    "decode.beam=1001",
                                    "decode.length_penalty=-1",
                                    "decode.max_length=-1",
                                    "data.batch_tokens=0",
                                    "data.min_count=0",
                                    "data.valid_fraction=0.6",
                                    "data.subword_sampling=-0.1",
                                    "data.subword_sampling=1.5",
                                    "data.subword_sampling=0.1",
                                    "data.max_length=-1",
                                    "train.steps=0"};

TEST(Settings, HaveRanges) {
  const TemporaryFolder folder;
  for (const char* bad : out_of_range) {
    Settings s = default_settings("transformer");
    set(s, bad);
    const std::string message = folder.message([&] { check_settings(s); });
    const std::string key = std::string(bad).substr(0, std::string(bad).find('='));
    EXPECT_NE(message, "no error") << bad;
    if (key != "train.time" && std::string(bad) != "train.steps=0") {
      EXPECT_NE(message.find(key), std::string::npos) << bad << ": " << message;
    }
  }
}

TEST(Settings, DefaultsOfEveryModelAreWithinTheRanges) {
  const TemporaryFolder folder;
  for (const std::string& model : model_names()) {
    Settings s = default_settings(model);
    EXPECT_EQ(folder.message([&] { check_settings(s); }), "no error") << model;
    EXPECT_EQ(s.model.name, model);
  }
  EXPECT_EQ(folder.message([] { default_settings("transfomer"); }).substr(0, 10), "--model is");
  EXPECT_NE(
      folder.message([] { default_settings("transfomer"); }).find("did you mean transformer?"),
      std::string::npos);
}

TEST(Settings, AllowCopyingInModelsThatCanCopy) {
  const TemporaryFolder folder;
  struct Row {
    const char* model;
    std::vector<std::string> set;
    const char* message;
  };
  for (const Row& row :
       {Row{"transformer", {"model.copy=true"}, "no error"},
        Row{"rnn+additive", {"model.copy=true", "model.coverage=1"}, "no error"},
        Row{"rnn+additive", {"model.coverage=0.5"}, "no error"},
        Row{"rnn",
            {"model.copy=true"},
            "model.copy needs transformer, rnn+additive, rnn+dot, rnn+general or rnn+concat; got "
            "rnn"},
        Row{"conv",
            {"model.copy=true"},
            "model.copy needs transformer, rnn+additive, rnn+dot, rnn+general or rnn+concat; got "
            "conv"},
        Row{"rnn+dot", {"model.coverage=1"}, "model.coverage needs rnn+additive; got rnn+dot"},
        Row{"transformer",
            {"model.copy=true", "data.joint_vocabulary=false"},
            "model.copy needs data.joint_vocabulary = true: a word that is copied has one id on "
            "both sides"}}) {
    Settings s = default_settings(row.model);
    for (const std::string& assignment : row.set)
      set(s, assignment);
    EXPECT_EQ(folder.message([&] { check_settings(s); }), row.message);
  }
  EXPECT_TRUE(default_settings("transformer", {"toy:summarization"}).model.copy);
  EXPECT_FALSE(default_settings("conv", {"toy:summarization"}).model.copy) << "it cannot";
  EXPECT_FALSE(default_settings("transformer", {"toy:translation"}).model.copy);
  EXPECT_EQ(default_settings("transformer", {"toy:dates"}).model.dropout, 0);
  EXPECT_GT(default_settings("transformer", {"a.src", "a.tgt"}).model.dropout, 0);
}

TEST(Settings, ReadDurations) {
  const TemporaryFolder folder;
  struct Row {
    const char* text;
    double seconds;  // 0: an error
  };
  for (const Row& row :
       {Row{"90", 90},    Row{"90s", 90},    Row{"10m", 600}, Row{"1.5h", 5400}, Row{".5m", 30},
        Row{"1e2s", 100}, Row{"0.01", 0.01}, Row{"", 0},      Row{"0", 0},       Row{"-3m", 0},
        Row{"m", 0},      Row{"10 m", 0},    Row{"10min", 0}, Row{"1h30m", 0},   Row{"inf", 0},
        Row{"nan", 0},    Row{"+5", 0},      Row{"5d", 0},    Row{" 5", 0},      Row{"1e999", 0},
        Row{"1e308h", 0}}) {
    double seconds = 0;
    const std::string message = folder.message([&] { seconds = parse_duration(row.text); });
    EXPECT_EQ(message,
              row.seconds > 0
                  ? "no error"
                  : fmt::format("expected a time such as 90s, 10m or 1.5h; got '{}'", row.text));
    EXPECT_NEAR(seconds, row.seconds, 1e-9) << row.text;
  }
}

}  // namespace
}  // namespace heed::cli
