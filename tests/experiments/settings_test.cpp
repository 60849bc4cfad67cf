#include "experiments/settings.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "experiments/inference/toml.h"
#include "experiments/requested_settings.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"

namespace heed {
namespace {

// Values that are awkward to write: `n` makes each its own, `round` (0, 1 or 2) chooses among them.

struct Awkward {
  Index n;
  int round;

  FieldValue operator()(Index) const {
    return round == 2 ? std::numeric_limits<Index>::max() - n : n;
  }
  FieldValue operator()(double) const {
    const auto x = static_cast<double>(n);
    const double values[] = {x, 1 / (3.0 + x), 1e300 / x};
    return values[round];
  }
  FieldValue operator()(bool) const { return (n + round) % 2 == 0; }
  FieldValue operator()(const std::string&) const {
    const std::string values[] = {fmt::format("s{}", n), fmt::format("a \"b\" \\ '{}' = # é\t", n),
                                  ""};
    return values[round];
  }
  FieldValue operator()(const std::vector<std::string>&) const {
    const std::vector<std::string> values[] = {
        {fmt::format("x{}", n)}, {"a b", "c, \"d\"", fmt::format("ü{}\\", n)}, {}};
    return values[round];
  }
};

TEST(Settings, EveryTypeOfValueComesBackFromItsText) {
  for (const int round : {0, 1, 2}) {
    for (const FieldValue& like :
         {FieldValue(Index{0}), FieldValue(0.0), FieldValue(false), FieldValue(std::string()),
          FieldValue(std::vector<std::string>())}) {
      const FieldValue written = std::visit(Awkward{1000 * round + 1, round}, like);
      const auto read = read_toml("[all]\nx = " + toml_text(written) + " # help\n", "c.toml");
      ASSERT_EQ(read.size(), 1u);
      EXPECT_EQ(read[0].key, "all.x");
      EXPECT_EQ(read[0].line, 2);
      EXPECT_TRUE(read[0].value == written) << to_text(written);
    }
  }
}

TEST(Settings, AllComeBackFromTheirFile) {
  const TemporaryFolder folder;
  for (const std::string& model : model_families().names()) {
    Settings written = default_settings(model, {"a.src", "b \"c\".tgt"});
    for (const Field& field : written.fields())
      if (const Index* number = std::get_if<Index>(&field.initial()))
        if (field.range().holds(*number + 2)) field.set(*number + 2);
    Settings read;
    read.read_run(to_toml(written.fields()), "config.toml");
    EXPECT_EQ(to_toml(written.fields()), to_toml(read.fields())) << model;
  }
}

TEST(Settings, AreListedOnceEachAndInSections) {
  for (const std::string& model : model_families().names()) {
    const Settings s = default_settings(model);
    std::set<std::string> keys;
    std::set<std::string> sections;
    std::string section;
    for (const Field& field : s.fields()) {
      const std::string& key = field.key();
      EXPECT_TRUE(keys.insert(key).second) << key;
      EXPECT_GT(field.help().size(), 4u) << key;
      EXPECT_EQ(field.help().find('\n'), std::string::npos) << key << ": a comment of one line";
      EXPECT_TRUE(field.range().holds(field.value())) << key;
      const std::string head = key.substr(0, key.find('.'));
      if (head != section) {
        EXPECT_TRUE(sections.insert(head).second) << key << ": a section is in two places";
      }
      section = head;
    }
  }
}

const std::vector<std::string> fields_of_a_transformer = {"data.train",
                                                          "data.valid",
                                                          "data.fields",
                                                          "data.tokenizer",
                                                          "data.min_count",
                                                          "data.vocab_size",
                                                          "data.joint_vocabulary",
                                                          "data.subword_sampling",
                                                          "data.case",
                                                          "data.batch_tokens",
                                                          "data.max_length",
                                                          "data.long",
                                                          "data.blank",
                                                          "data.valid_fraction",
                                                          "model.name",
                                                          "model.d",
                                                          "model.layers",
                                                          "model.encoder_layers",
                                                          "model.decoder_layers",
                                                          "model.heads",
                                                          "model.ff",
                                                          "model.dropout",
                                                          "model.norm",
                                                          "model.recipe",
                                                          "model.attention",
                                                          "model.positions",
                                                          "model.norm_kind",
                                                          "model.activation",
                                                          "model.qk_norm",
                                                          "model.zero_init",
                                                          "model.tied_layers",
                                                          "model.tied_output",
                                                          "model.softcap",
                                                          "model.recompute",
                                                          "model.copy",
                                                          "model.decoder",
                                                          "task.name",
                                                          "source.name",
                                                          "decode.beam",
                                                          "decode.length_penalty",
                                                          "decode.min_length",
                                                          "decode.max_length",
                                                          "decode.no_repeat_ngram",
                                                          "decode.coverage_penalty",
                                                          "decode.forbid_unk",
                                                          "optim.name",
                                                          "optim.lr",
                                                          "optim.weight_decay",
                                                          "optim.beta1",
                                                          "optim.beta2",
                                                          "optim.epsilon",
                                                          "optim.schedule",
                                                          "optim.warmup",
                                                          "optim.final_lr",
                                                          "optim.decay_share",
                                                          "optim.rates",
                                                          "optim.clip",
                                                          "optim.accumulate",
                                                          "train.steps",
                                                          "train.epochs",
                                                          "train.time",
                                                          "train.exact_epochs",
                                                          "train.eval_every",
                                                          "train.save_every",
                                                          "train.keep",
                                                          "train.patience",
                                                          "train.average",
                                                          "train.average_at_end",
                                                          "train.ema",
                                                          "train.log_every",
                                                          "train.report",
                                                          "train.seed",
                                                          "train.label_smoothing",
                                                          "train.r_drop",
                                                          "train.init",
                                                          "train.init_only",
                                                          "train.freeze",
                                                          "train.on_nan",
                                                          "train.precision"};

/// A field that no list names would be lost in a run's folder. Counting by hand is the only other
/// way to know them.
TEST(Settings, NamesEveryFieldOfATransformer) {
  const Settings settings = default_settings("transformer");
  EXPECT_EQ(settings.fields().keys(), fields_of_a_transformer);
}

/// Sets "key=value".
void assign(Settings& settings, const std::string& assignment) {
  const auto equals = assignment.find('=');
  settings.set(assignment.substr(0, equals), assignment.substr(equals + 1));
}

TEST(Settings, AreSetByTheirKey) {
  Settings s = default_settings("transformer");
  for (const char* assignment :
       {"model.d=64", "optim.lr=1e-4", "optim.name=sgd", "data.train=a.src,b c.tgt",
        "train.time=", "data.fields=", "decode.beam=007"})
    assign(s, assignment);
  EXPECT_EQ(s.value_or("model.d", Index{0}), 64);
  EXPECT_EQ(s.value_or("optim.lr", 0.0), 1e-4);
  EXPECT_EQ(s.optim.name, "sgd");
  EXPECT_EQ(s.data.train, (std::vector<std::string>{"a.src", "b c.tgt"}));
  EXPECT_EQ(s.train.time, "");
  EXPECT_TRUE(s.data.fields.empty());
  EXPECT_EQ(s.decode.beam, 7);
}

TEST(Settings, ThatNeedSubwordsChooseThem) {
  struct Row {
    std::vector<std::pair<std::string, std::string>> given;
    std::string tokenizer;
    std::string message;  // of check()
  };
  for (const Row& row : std::vector<Row>{
           {{{"data.case", "mark"}}, "bpe", ""},
           {{{"data.case", "keep"}}, "words", ""},
           {{{"data.subword_sampling", "0.1"}}, "bpe", ""},
           {{{"data.subword_sampling", "0"}}, "words", ""},
           {{{"data.case", "mark"}, {"data.tokenizer", "unigram"}}, "unigram", ""},
           {{{"data.tokenizer", "unigram"}, {"data.case", "mark"}}, "unigram", ""},
           {{{"data.tokenizer", "words"}, {"data.case", "mark"}},
            "words",
            "data.case = mark needs data.tokenizer = unigram or bpe; got words, which keeps the "
            "case"}}) {
    Settings s = default_settings("transformer");
    for (const auto& [key, value] : row.given)
      s.set(key, value);
    EXPECT_EQ(s.data.tokenizer, row.tokenizer) << row.given.back().first;
    EXPECT_EQ(message_of([&] { s.check(); }), row.message) << row.given.back().first;
  }
}

TEST(Settings, SayWhatIsWrongWithAnAssignment) {
  const TemporaryFolder folder;
  struct Row {
    const char* assignment;
    const char* message;
  };
  for (const Row& row :
       {Row{"model.layer=3", "unknown setting 'model.layer'; did you mean 'model.layers'?"},
        Row{"optim.learning_rate=1", "unknown setting 'optim.learning_rate'"},
        Row{"=3", "unknown setting ''"},
        Row{"model.copy=yes", "model.copy: expected true or false; got 'yes'"},
        Row{"model.d=wide", "model.d: expected an even number from 2 to 1048576; got 'wide'"},
        Row{"model.d=3.5", "model.d: expected an even number from 2 to 1048576; got 3.5"},
        Row{"model.d=", "model.d: expected an even number from 2 to 1048576; got ''"},
        Row{"model.d= 3", "model.d: expected an even number from 2 to 1048576; got ' 3'"},
        Row{"model.d=99999999999999999999",
            "model.d: expected an even number from 2 to 1048576; got 99999999999999999999"},
        Row{"optim.lr=fast", "optim.lr: expected a number from 0 to 1000; got 'fast'"},
        Row{"optim.lr=1e-3x", "optim.lr: expected a number from 0 to 1000; got '1e-3x'"}}) {
    Settings s = default_settings("transformer");
    EXPECT_EQ(folder.message([&] { assign(s, row.assignment); }), row.message) << row.assignment;
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
        Row{"steps = 3\n", "c.toml:1: unknown setting 'steps'"},
        Row{"[model]\n\nd = \"wide\"\n",
            "c.toml:3: model.d: expected an even number from 2 to 1048576; got 'wide'"},
        Row{"[model]\nd = \"16\"\n", "c.toml:2: model.d takes no quotes; write d = 16"},
        Row{"optim.lr = '1e-3'\n", "c.toml:1: optim.lr takes no quotes; write lr = 1e-3"},
        Row{"[model]\ncopy = 'true'\n", "c.toml:2: model.copy takes no quotes; write copy = true"},
        Row{"[data]\ntrain = ['16']\n", "no error"},
        Row{"[model]\nd = 3.5\n",
            "c.toml:2: model.d: expected an even number from 2 to 1048576; got 3.5"},
        Row{"[model]\ncopy = 1\n", "c.toml:2: model.copy: expected true or false; got 1"},
        Row{"[model]\ncopy = true\n", "no error"},
        Row{"[model]\nd = true\n",
            "c.toml:2: model.d: expected an even number from 2 to 1048576; got 'true'"},
        Row{"model.dropout = \"much\"\n",
            "c.toml:1: model.dropout: expected a number from 0 to 0.99; got 'much'"},
        Row{"model.norm = 3\n", "c.toml:1: model.norm: expected one of pre, post; got 3"},
        Row{"data.train = \"a.tsv\"\n",
            "c.toml:1: data.train: expected a list of texts; got 'a.tsv'"},
        Row{"[data]\ntrain = [1]\n",
            "c.toml:2: data.train is neither a number, a text in quotes, true or false, nor a list "
            "of texts"},
        Row{"[model]\nd = 8\nd = 9\n", "c.toml:3: "},  // what follows is the parser's
        Row{"[model\nd = 8\n", "c.toml:1: "}, Row{"[model]\nd = \n", "c.toml:2: "},
        Row{"model.dropout = 0\noptim.lr = 1e-3", "no error"}}) {
    Settings s = default_settings("transformer");
    const std::string path = folder.write("c.toml", row.text);
    const std::string expected = row.message;
    const std::string message = folder.message([&] { s.read(path); });
    EXPECT_EQ(message.substr(0, expected.ends_with(": ") ? expected.size() : std::string::npos),
              expected)
        << row.text;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  Settings s = default_settings("transformer");
  EXPECT_EQ(folder.message([&] { s.read(folder.path("none.toml")); }),
            "none.toml: no such file; check the name");
  std::filesystem::create_directory(folder.path("folder"));
  EXPECT_EQ(folder.message([&] { s.read(folder.path("folder")); }),
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
                                    "model.encoder_layers=-1",
                                    "model.decoder_layers=1001",
                                    "model.heads=0",
                                    "model.heads=3",
                                    "model.ff=-1",
                                    "model.dropout=1",
                                    "model.dropout=nan",
                                    "model.dropout=-0.1",
                                    "optim.lr=-1",
                                    "optim.lr=inf",
                                    "optim.clip=-1",
                                    "optim.warmup=-1",
                                    "optim.accumulate=0",
                                    "optim.beta1=1.5",
                                    "optim.decay_share=1.1",
                                    "optim.rates=embedding*",
                                    "optim.rates=*=2,*.bias=-1",
                                    "train.ema=1",
                                    "train.ema=-0.1",
                                    "train.steps=-1",
                                    "train.keep=0",
                                    "train.log_every=0",
                                    "train.average=0",
                                    "train.average_at_end=1",
                                    "train.average_at_end=101",
                                    "train.r_drop=-1",
                                    "train.r_drop=101",
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
                                    "data.max_length=-1",
                                    "train.steps=0"};

/// An old configuration lacks what came later: it means what was done before.
TEST(Settings, ThatAConfigurationLacksAreThoseFromBefore) {
  const std::map<std::string, FieldValue> later = {{"model.encoder_layers", Index{0}},
                                                   {"model.decoder_layers", Index{0}},
                                                   {"optim.decay_share", 0.2},
                                                   {"optim.rates", std::vector<std::string>{}},
                                                   {"train.average_at_end", Index{0}},
                                                   {"train.ema", 0.0},
                                                   {"train.r_drop", 0.0}};
  for (const char* model : {"transformer", "conv", "rnn+additive"}) {
    Settings read;
    read.read_run(fmt::format("[model]\nname = '{}'\nlayers = 2\n", model), "config.toml");
    for (const auto& [key, value] : later)
      EXPECT_TRUE(read.value(key) == value) << model << " " << key;
  }
}

TEST(Settings, OfBlocksThatAConfigurationLacksAreThoseFromBefore) {
  for (const std::string model : {"transformer", "lm"}) {
    const bool lm = model == "lm";
    const std::map<std::string, FieldValue> before = {
        {"model.attention", std::string("multi_head")},
        {"model.positions", std::string(lm ? "learned" : "sinusoidal")},
        {"model.norm_kind", std::string("layer")},
        {"model.activation", std::string(lm ? "gelu" : "relu")},
        {"model.qk_norm", false},
        {"model.zero_init", false},
        {"model.tied_layers", false},
        {"model.tied_output", true},
        {"model.softcap", 0.0},
        {"model.recompute", false}};
    // Whatever the defaults are by then, and whatever the file holds of other families.
    Settings read = default_settings(model);
    read.assign_default("model.attention", std::string("local"));
    read.assign_default("model.positions", std::string("rotary"));
    read.assign_default("model.norm_kind", std::string("rms"));
    read.assign_default("model.tied_output", false);
    read.read_run(
        fmt::format("[model]\nname = '{}'\nlayers = 2\npositions = 1024\ntied = false\n", model),
        "config.toml");
    for (const auto& [key, value] : before)
      EXPECT_TRUE(read.value(key) == value) << model << " " << key;
    EXPECT_FALSE(read.has("model.window"));
    EXPECT_FALSE(read.has("model.base"));
    const Settings now = default_settings(model);
    for (const auto& [key, value] : before)
      EXPECT_TRUE(now.value(key) == value) << model << " " << key;
  }
}

TEST(Settings, ThatAResumedRunMayChangeAreThoseThatChangeNoBit) {
  for (const std::string model : {"transformer", "lm"}) {
    const Settings then = default_settings(model);
    Settings now = default_settings(model);
    assign(now, "model.recompute=true");
    EXPECT_EQ(fixed_differences(now, then), std::vector<std::string>{}) << model;
    assign(now, "model.softcap=3");
    EXPECT_EQ(fixed_differences(now, then).size(), 1u) << model;
  }
}

TEST(Settings, OfConvolutionsThatAConfigurationLacksAreThoseFromBefore) {
  Settings read = default_settings("conv");
  read.assign_default("model.convolution", std::string("lightweight"));
  EXPECT_TRUE(read.has("model.conv_heads"));
  read.read_run("[model]\nname = 'conv'\nlayers = 2\nkernel = 5\n", "config.toml");
  EXPECT_TRUE(read.value("model.convolution") == FieldValue(std::string("full")));
  EXPECT_FALSE(read.has("model.conv_heads"));
  Settings now = default_settings("conv");
  EXPECT_TRUE(now.value("model.convolution") == FieldValue(std::string("full")));
  EXPECT_NE(settings_help({"conv"}).find("\nmodel.conv_heads "), std::string::npos);
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([&] { assign(now, "model.conv_heads=4"); }),
            "full has no setting model.conv_heads: it is for lightweight");
  assign(now, "model.convolution=lightweight");
  assign(now, "model.conv_heads=3");
  EXPECT_EQ(folder.message([&] { now.check(); }),
            "model.conv_heads: expected 0 or a divisor of d = 128; got 3");
  EXPECT_EQ(folder.message([&] { assign(now, "model.convolution=lightwight"); }),
            "model.convolution: expected one of full, lightweight; got 'lightwight'; did you mean "
            "lightweight?");
}

TEST(Settings, OfADecoderThatAConfigurationLacksAreThoseFromBefore) {
  Settings read = default_settings("transformer");
  read.assign_default("model.decoder", std::string("rnn"));
  EXPECT_TRUE(read.has("model.decoder_attention"));
  // Configurations of old runs hold the settings of all families.
  read.read_run("[model]\nname = 'transformer'\nlayers = 2\ncell = 'gru'\n", "config.toml");
  EXPECT_TRUE(read.value("model.decoder") == FieldValue(std::string("transformer")));
  EXPECT_FALSE(read.has("model.decoder_attention"));
  EXPECT_FALSE(read.has("model.cell"));
  Settings now = default_settings("transformer");
  EXPECT_TRUE(now.value("model.decoder") == FieldValue(std::string("transformer")));
  EXPECT_NE(settings_help({"transformer"}).find("\nmodel.decoder_attention "), std::string::npos);
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([&] { assign(now, "model.decoder_attention=dot"); }),
            "transformer has no setting model.decoder_attention: it is for rnn");
  assign(now, "model.decoder=rnn");
  assign(now, "model.decoder_attention=dot");
  EXPECT_EQ(folder.message([&] { now.check(); }), "no error");
  assign(now, "model.copy=true");
  EXPECT_EQ(folder.message([&] { now.check(); }),
            "model.copy: expected false beside decoder = rnn, which copies in the family rnn "
            "alone; got 'true'");
}

TEST(Settings, OfAnAttentionAreThereForItAlone) {
  Settings s = default_settings("transformer");
  const struct {
    const char* choice;
    std::vector<std::string> keys;
  } rows[] = {
      {"model.attention=multi_head", {}},
      {"model.attention=multi_query", {}},
      {"model.attention=linear", {}},
      {"model.attention=grouped_query", {"kv_heads"}},
      {"model.attention=local", {"window", "kv_heads"}},
      {"model.attention=adaptive_span", {"longest", "ramp", "span_penalty"}},
      {"model.positions=sinusoidal", {}},
      {"model.positions=learned", {"max_positions"}},
      {"model.positions=rotary", {"base"}},
      {"model.positions=alibi", {}},
      {"model.positions=relative", {"reach"}},
      {"model.positions=none", {}},
  };
  const std::string help = settings_help({"transformer", "lm"});
  for (const auto& row : rows) {
    assign(s, "model.attention=multi_head");
    assign(s, "model.positions=sinusoidal");
    const std::size_t without = s.fields().keys().size();
    assign(s, row.choice);
    EXPECT_EQ(s.fields().keys().size(), without + row.keys.size()) << row.choice;
    for (const std::string& key : row.keys) {
      EXPECT_TRUE(s.has("model." + key)) << row.choice;
      EXPECT_NE(help.find("\nmodel." + key + " "), std::string::npos) << key;
    }
  }
  assign(s, "model.attention=multi_head");
  try {
    assign(s, "model.window=9");
    FAIL() << "multi_head has no window";
  } catch (const NotOfThisChoice& error) {
    EXPECT_EQ(std::string(error.what()), "multi_head has no setting model.window: it is for local");
    EXPECT_EQ(error.chooser, "model.attention");
  }
  Settings lm = default_settings("lm");
  assign(lm, "model.positions=learned");
  EXPECT_FALSE(lm.has("model.max_positions"));  // it has model.context
}

/// As the command gives them: the name of the model is among the values, and what selects other
/// settings among the assignments, in any order.
TEST(Settings, ThatSelectOthersStayWhereTheModelIsNamedToo) {
  const struct {
    const char* model;
    std::vector<std::string> assignments;
  } rows[] = {
      {"transformer", {"model.attention=local"}},
      {"transformer", {"model.attention=local", "model.window=9", "model.positions=rotary"}},
      {"transformer", {"model.window=9", "model.attention=local"}},
      {"lm", {"model.base=500", "model.positions=rotary", "model.attention=multi_query"}},
      {"lm",
       {"data.tokenizer=bpe", "optim.name=muon", "model.attention=linear", "model.positions=none"}},
  };
  for (const auto& row : rows) {
    const RequestedSettings requested = {
        .config = {},
        .assignments = row.assignments,
        .values = {{"model.name", FieldValue(std::string(row.model))}}};
    std::string warning;
    Settings settings = new_settings(requested, warning);
    for (const bool again : {false, true}) {
      for (const std::string& assignment : row.assignments) {
        const std::size_t equals = assignment.find('=');
        const std::string key = assignment.substr(0, equals);
        ASSERT_TRUE(settings.has(key)) << row.model << " " << assignment;
        EXPECT_EQ(to_text(settings.value(key)), assignment.substr(equals + 1)) << row.model;
      }
      EXPECT_TRUE(settings.left_out().empty()) << row.model;
      if (!again) settings.assign("model.name", std::string(row.model));
    }
  }
}

TEST(Settings, OfAnotherFamilyWithTheirNameAreSaidToBeOfIt) {
  const TemporaryFolder folder;
  Settings transformer = default_settings("transformer");
  EXPECT_THROW(assign(transformer, "model.positions=12"), NotOfThisChoice);
  EXPECT_EQ(folder.message([&] { assign(transformer, "model.positions=12"); }),
            "transformer has no setting model.positions: it is for conv");
  Settings conv = default_settings("conv");
  EXPECT_THROW(assign(conv, "model.positions=rotary"), NotOfThisChoice);
  EXPECT_TRUE(conv.value("model.positions") == FieldValue(Index{1024}));
  transformer.read_text("[model]\npositions = 12\n", "f");
  EXPECT_EQ(transformer.left_out().size(), 1u);
}

TEST(Settings, OfAnAttentionComeBackInAnyOrder) {
  Settings s = default_settings("lm");
  s.read_text("[model]\nwindow = 9\nbase = 500\npositions = 'rotary'\nattention = 'local'\n", "f");
  EXPECT_TRUE(s.value("model.window") == FieldValue(Index{9}));
  EXPECT_TRUE(s.value("model.base") == FieldValue(500.0));
  Settings read;
  read.read_run(to_toml(s.fields()), "config.toml");
  EXPECT_EQ(to_toml(s.fields()), to_toml(read.fields()));
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([&] { assign(s, "model.positions=rotery"); }),
            "model.positions: expected one of sinusoidal, learned, rotary, alibi, relative, none; "
            "got 'rotery'; did you mean rotary?");
  assign(s, "model.attention=linear");
  EXPECT_EQ(folder.message([&] { s.check(); }),
            "model.positions: expected sinusoidal, learned, none beside attention = linear, which "
            "has no score of a query and a key that a distance could change; got 'rotary'");
}

/// The command gives model.name once more, after what --set gives.
TEST(Settings, OfAChoiceStayWhereTheChoicesBeforeItAreGivenAgain) {
  struct Row {
    std::vector<std::string> given;  // in every order of two
    std::map<std::string, std::string> expected;
  };
  const std::vector<Row> rows{
      {{"model.attention=local", "model.name=lm"},
       {{"model.attention", "'local'"}, {"model.window", "0"}}},
      {{"model.attention=grouped_query", "model.positions=alibi", "model.kv_heads=1",
        "model.name=transformer"},
       {{"model.attention", "'grouped_query'"},
        {"model.positions", "'alibi'"},
        {"model.kv_heads", "1"}}},
      {{"model.recipe=modern", "model.name=lm"},
       {{"model.positions", "'rotary'"},
        {"model.qk_norm", "true"},
        {"optim.name", "'muon'"},
        {"optim.weight_decay", "0.1"}}},
      {{"model.recipe=modern", "optim.name=adam", "model.name=transformer"},
       {{"model.positions", "'rotary'"}, {"optim.name", "'adam'"}}},
      {{"model.recipe=modern", "model.positions=alibi", "model.qk_norm=false", "model.name=lm"},
       {{"model.positions", "'alibi'"}, {"model.qk_norm", "false"}, {"model.zero_init", "true"}}},
      {{"optim.name=muon", "optim.lr=0.5", "model.name=lm"},
       {{"optim.name", "'muon'"}, {"optim.lr", "0.5"}}},
  };
  for (const Row& row : rows)
    for (std::size_t last = 0; last < row.given.size(); ++last) {
      Settings settings = default_settings("lm");
      std::vector<std::string> order = row.given;
      std::rotate(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(last), order.end());
      // What a choice brings can be given only after it.
      std::stable_partition(order.begin(), order.end(), [](const std::string& text) {
        return text.find("kv_heads") == std::string::npos;
      });
      order.push_back(row.given.back());
      for (const std::string& text : order) {
        const auto equals = text.find('=');
        settings.set(text.substr(0, equals), text.substr(equals + 1));
      }
      for (const auto& [key, value] : row.expected)
        EXPECT_EQ(setting_text(settings, key), value) << key << " with " << order[0] << " first";
    }
}

TEST(Settings, OfTheModernRecipeGoWithIt) {
  for (const std::string model : {"transformer", "lm"}) {
    Settings settings = default_settings(model);
    const std::string before = to_toml(settings.fields());
    settings.set("model.recipe", "modern");
    EXPECT_NE(to_toml(settings.fields()), before);
    settings.set("model.recipe", "classic");
    EXPECT_EQ(to_toml(settings.fields()), before) << model;
  }
}

TEST(Settings, HaveRanges) {
  const TemporaryFolder folder;
  for (const char* bad : out_of_range) {
    Settings s = default_settings("transformer");
    const std::string message = folder.message([&] {
      assign(s, bad);
      s.check();
    });
    const std::string key = std::string(bad).substr(0, std::string(bad).find('='));
    EXPECT_NE(message, "no error") << bad;
    if (std::string(bad) != "train.steps=0") {
      EXPECT_NE(message.find(key), std::string::npos) << bad << ": " << message;
    }
  }
}

TEST(Settings, SayWhichOfThemContradictEachOther) {
  const TemporaryFolder folder;
  struct Row {
    const char* model;
    std::vector<std::string> set;
    const char* message;
  };
  for (const Row& row :
       {Row{"transformer",
            {"train.average=3", "train.average_at_end=4"},
            "train.average = 3 validates means all along, and train.average_at_end = 4 at the end "
            "alone; give one of them"},
        Row{"transformer",
            {"train.average=3", "train.ema=0.99"},
            "train.ema = 0.99 and train.average = 3 are two averages of the weights to validate; "
            "give one of them"},
        Row{"transformer",
            {"train.average_at_end=3", "train.ema=0.99"},
            "train.ema = 0.99 and train.average_at_end = 3 are two averages of the weights to "
            "validate; give one of them"},
        Row{"transformer",
            {"optim.name=schedule_free", "train.ema=0.99"},
            "optim.name = schedule_free validates its own average of the weights; leave out "
            "train.ema = 0.99"},
        Row{"transformer",
            {"optim.name=schedule_free", "train.average=3"},
            "optim.name = schedule_free validates its own average of the weights; leave out "
            "train.average = 3"},
        Row{"transformer", {"optim.name=muon", "train.ema=0.99"}, "no error"},
        Row{"transformer",
            {"train.r_drop=1", "model.copy=true"},
            "train.r_drop = 1 compares the logits of two passes, and a model that copies has "
            "others for each source; give model.copy = false or train.r_drop = 0"},
        Row{"rnn+additive",
            {"train.r_drop=2", "model.coverage=1"},
            "train.r_drop = 2 knows no loss of coverage; give model.coverage = 0 or train.r_drop = "
            "0"},
        Row{"transformer", {"train.r_drop=1", "train.average_at_end=4"}, "no error"},
        Row{"rnn+additive",
            {"train.r_drop=2", "task.name=classify", "model.coverage=1"},
            "no error"}}) {
    Settings s = default_settings(row.model);
    for (const std::string& assignment : row.set)
      assign(s, assignment);
    EXPECT_EQ(folder.message([&] { s.check(); }), row.message);
  }
}

/// An optimizer brings the schedule that suits it, unless one is given, before or after.
TEST(Settings, AnOptimizerBringsItsSchedule) {
  const struct {
    std::vector<std::string> set;
    const char* schedule;
  } rows[] = {{{"optim.name=muon"}, "cosine"},
              {{"optim.name=schedule_free"}, "constant"},
              {{"optim.name=schedule_free", "optim.schedule=linear"}, "linear"},
              {{"optim.schedule=cosine", "optim.name=schedule_free"}, "cosine"},
              {{"optim.name=schedule_free", "optim.name=adam"}, "cosine"}};
  for (const auto& row : rows) {
    Settings s = default_settings("lm");
    for (const std::string& assignment : row.set)
      assign(s, assignment);
    EXPECT_EQ(s.optim.schedule.kind, row.schedule) << row.set.back();
  }
}

TEST(Settings, DefaultsOfEveryModelAreWithinTheRanges) {
  const TemporaryFolder folder;
  for (const std::string& model : model_families().names()) {
    Settings s = default_settings(model);
    EXPECT_EQ(folder.message([&] { s.check(); }), "no error") << model;
    EXPECT_EQ(s.model.name, model);
  }
  EXPECT_EQ(folder.message([] { default_settings("transfomer"); }).substr(0, 29),
            "model.name: expected one of t");
  EXPECT_NE(
      folder.message([] { default_settings("transfomer"); }).find("did you mean transformer?"),
      std::string::npos);
}

bool copies(const Settings& s) { return s.value_or("model.copy", false); }
double dropout_of(const Settings& s) { return s.value_or("model.dropout", -1.0); }

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
            "rnn has no setting model.copy: it is for transformer, rnn+additive, rnn+dot, "
            "rnn+general, rnn+concat"},
        Row{"conv",
            {"model.copy=true"},
            "conv has no setting model.copy: it is for transformer, rnn+additive, rnn+dot, "
            "rnn+general, rnn+concat"},
        Row{"rnn+dot",
            {"model.coverage=1"},
            "rnn+dot has no setting model.coverage: it is for rnn+additive"},
        Row{"transformer",
            {"model.copy=true", "data.joint_vocabulary=false"},
            "model.copy needs data.joint_vocabulary = true: a word that is copied has one id on "
            "both sides"}}) {
    Settings s = default_settings(row.model);
    const std::string message = folder.message([&] {
      for (const std::string& assignment : row.set)
        assign(s, assignment);
      s.check();
    });
    EXPECT_EQ(message, row.message);
  }
  EXPECT_TRUE(copies(default_settings("transformer", {"toy:summarization"})));
  EXPECT_FALSE(copies(default_settings("conv", {"toy:summarization"}))) << "it cannot";
  EXPECT_FALSE(copies(default_settings("transformer", {"toy:translation"})));
  EXPECT_EQ(dropout_of(default_settings("transformer", {"toy:dates"})), 0);
  EXPECT_GT(dropout_of(default_settings("transformer", {"a.src", "a.tgt"})), 0);
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
}  // namespace heed
