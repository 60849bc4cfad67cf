#include <gtest/gtest.h>

#include "experiments/comparison/comparison.h"
#include "experiments/defaults/chosen_defaults.h"
#include "experiments/inference/toml.h"
#include "experiments/training.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

TEST(Defaults, FunctionsHaveKnownPoints) {
  struct Row {
    const char* what;
    double value;
    double expected;
  };
  const Row rows[] = {
      {"vocabulary of 725,000 words", static_cast<double>(vocabulary_size(725e3)), 8000},
      {"vocabulary of a quarter", static_cast<double>(vocabulary_size(725e3 / 4)), 4000},
      {"vocabulary of a small text", static_cast<double>(vocabulary_size(100)), 1000},
      {"vocabulary of a large text", static_cast<double>(vocabulary_size(1e9)), 16000},
      {"batch of translations", static_cast<double>(batch_tokens(15, 15)), 2048},
      // 1000 (98 + 14) / 14 = 8000, and 8192 is the nearest multiple of 1024
      {"batch of summaries", static_cast<double>(batch_tokens(98, 14)), 8192},
      {"batch of headlines", static_cast<double>(batch_tokens(500, 5)), 16384},
      // 30 million tokens at 2048 a step: 14,648
      {"steps of a large text", static_cast<double>(training_steps(1e9, 2048)), 14600},
      // 60 passes over 100,000 tokens: 6 million, 2,930 steps
      {"steps of a small text", static_cast<double>(training_steps(1e5, 2048)), 2900},
      {"steps of a tiny text", static_cast<double>(training_steps(100, 2048)), 200},
      {"dropout of one pass", dropout(1), 0.1},
      {"dropout of two passes", dropout(2), 0.1},
      {"dropout of sixteen", dropout(16), 0.3},
      {"dropout of a thousand", dropout(1000), 0.3},
      {"dropout of fewer parameters than tokens", dropout(1000, 0.8), 0.1},
      {"dropout of twice as many", dropout(1000, 2), 0.2},
      {"dropout of many in two passes", dropout(2, 10), 0.1},
      {"a batch of a million characters", static_cast<double>(running_batch_tokens(1e6)), 4096},
      {"a batch of a page", static_cast<double>(running_batch_tokens(3000)), 768},
      {"a batch of a chapter", static_cast<double>(running_batch_tokens(5e5)), 2048},
      {"the rate as it stands", learning_rate(2e-3, 128, 1000), 2e-3},
      {"the rate of four times the width", learning_rate(2e-3, 512, 1000), 1e-3},
      {"the rate of a quarter to predict", learning_rate(2e-3, 128, 250), 1e-3},
      {"the rate of hardly any to predict", learning_rate(2e-3, 128, 1), 5e-4},
      {"the rate of very many to predict", learning_rate(2e-3, 128, 1e9), 4e-3},
      {"the rate of a narrow model", learning_rate(2e-3, 16, 1000), 2e-3},
      {"a rate has two digits", learning_rate(2e-3, 128, 500), 1.4e-3}};
  for (const Row& row : rows)
    EXPECT_DOUBLE_EQ(row.value, row.expected) << row.what;
}

TEST(Defaults, FunctionsAreMonotone) {
  for (double x = 1; x < 1e10; x *= 1.3) {
    const double more = 1.3 * x;
    EXPECT_LE(vocabulary_size(x), vocabulary_size(more)) << x;
    EXPECT_LE(batch_tokens(x, 10), batch_tokens(more, 10)) << x;
    EXPECT_GE(batch_tokens(100, x), batch_tokens(100, more)) << x;
    EXPECT_LE(training_steps(x, 2048), training_steps(more, 2048)) << x;
    EXPECT_LE(dropout(x), dropout(more)) << x;
    EXPECT_LE(dropout(1000, x), dropout(1000, more)) << x;
    EXPECT_LE(running_batch_tokens(x), running_batch_tokens(more)) << x;
    EXPECT_LE(learning_rate(2e-3, 128, x), learning_rate(2e-3, 128, more)) << x;
  }
  for (Index d = 128; d < 5000; d *= 2)
    EXPECT_GT(learning_rate(2e-3, d, 1000), learning_rate(2e-3, 2 * d, 1000)) << d;
}

/// So many pairs, each with so many words a side.
DataFacts facts(Index items, double source_words, double target_words) {
  return {.known = true,
          .items = items,
          .source_words = source_words,
          .target_words = target_words,
          .source_characters = 6 * source_words,
          .target_characters = 6 * target_words};
}

/// The settings of a model on files, with what is chosen for such data.
Settings chosen(const std::string& model, const DataFacts& of, const Assignments& given = {}) {
  Settings settings = default_settings(model, {"a.txt", "b.txt"});
  for (const auto& [key, value] : given)
    settings.assign(key, value);
  choose_defaults(settings, of);
  settings.check();
  return settings;
}

TEST(Defaults, TranslationGetsSubwordsOnceThereIsEnough) {
  EXPECT_EQ(chosen("transformer", facts(2999, 12, 12)).data.tokenizer, "words");
  const Settings s = chosen("transformer", facts(29000, 12.5, 12.5));
  EXPECT_EQ(s.data.tokenizer, "bpe");
  EXPECT_EQ(s.data.vocab_size, 8000);  // of 725,000 words
  EXPECT_EQ(s.data.batch_tokens, 2048);
  EXPECT_FALSE(s.value_or("model.copy", true));
}

TEST(Defaults, SummariesGetACopyingModelSubwordsAndLargerBatches) {
  for (const char* model : {"transformer", "rnn+additive"}) {
    const Settings s = chosen(model, facts(1000, 200, 20));
    EXPECT_EQ(s.data.tokenizer, "bpe") << model;
    EXPECT_TRUE(s.value_or("model.copy", false)) << model;
    // 251 + 26 tokens with </s>, 26 of them predicted: 10,654 read for a thousand, 10 x 1024
    EXPECT_EQ(s.data.batch_tokens, 10240) << model;
    EXPECT_EQ(s.data.long_pairs, "cut") << model;
  }
  const Settings plain = chosen("rnn", facts(1000, 200, 20));
  EXPECT_FALSE(plain.has("model.copy"));  // it attends to nothing that it could copy from
}

TEST(Defaults, RunningTextGetsABatchARateAndDropoutByItsLength) {
  struct Row {
    double characters;
    Assignments given;
    Index batch;
    double rate;
    double dropout;
  };
  const Row rows[] = {
      // 786,432 parameters in the layers; 1e-3 x 2 x sqrt(4.096), at most 2
      {1e6, {}, 4096, 4e-3, 0.1},
      // 12,582,912 parameters: more than 4 for each token
      {1e6, {{"model.d", Index{512}}}, 4096, 2e-3, 0.3},
      // 1e-3 x 2 x sqrt(0.768); 60 passes, 26 parameters for each token
      {3e4, {}, 768, 1.8e-3, 0.3},
      {1e6, {{"data.batch_tokens", Index{1000}}, {"model.dropout", 0.2}}, 1000, 2e-3, 0.2},
      // 1e-3 x 2 x 2.5 x sqrt(0.768)
      {1e6,
       {{"data.batch_tokens", Index{768}}, {"model.recipe", std::string("modern")}},
       768,
       4.4e-3,
       0.1}};
  for (const Row& row : rows) {
    const DataFacts text{.known = true, .items = 1, .source_characters = row.characters};
    const Settings s = chosen("lm", text, row.given);
    EXPECT_EQ(s.data.batch_tokens, row.batch) << row.characters;
    EXPECT_DOUBLE_EQ(s.value_or("optim.lr", 0.0), row.rate) << row.characters;
    EXPECT_NEAR(s.value_or("model.dropout", 0.0), row.dropout, 1e-6) << row.characters;
  }
}

TEST(Defaults, ATranslationIsNoSummary) {
  struct Row {
    const char* what;
    double source_words, source_characters, target_words, target_characters;
    bool expected;
  };
  const Row rows[] = {{"a summary", 200, 1200, 20, 120, true},
                      {"a third", 60, 360, 20, 120, true},
                      {"half", 40, 240, 20, 120, false},
                      {"long words", 60, 360, 20, 200, false},
                      {"no targets", 60, 360, 0, 0, false}};
  for (const Row& row : rows) {
    const DataFacts facts{.known = true,
                          .items = 10,
                          .source_words = row.source_words,
                          .target_words = row.target_words,
                          .source_characters = row.source_characters,
                          .target_characters = row.target_characters};
    EXPECT_EQ(facts.summaries(), row.expected) << row.what;
  }
  // A line without blanks is not one word: 24 characters are 12 words.
  const TemporaryFolder folder;
  const std::string source =
      folder.write("en", "She gave him the book that he had asked her for.\n");
  const std::string target =
      folder.write("zh", "她把他向她要的那本书给了他然后就离开了那个地方吧\n");
  const DataFacts chinese = survey(default_settings("transformer", {source, target}));
  EXPECT_DOUBLE_EQ(chinese.target_words, 12);
  EXPECT_FALSE(chinese.summaries());
  EXPECT_FALSE(chinese.blanks);
  EXPECT_EQ(chosen("transformer", chinese).data.tokenizer, "bpe");  // of one pair
}

TEST(Defaults, FollowWhatIsGiven) {
  const DataFacts summaries = facts(15000, 75, 4);
  const Settings usual = chosen("rnn+additive", summaries);
  const Settings small = chosen("rnn+additive", summaries, {{"data.batch_tokens", Index{2048}}});
  EXPECT_EQ(small.data.batch_tokens, 2048);
  EXPECT_LT(std::get<double>(small.value("optim.lr")), std::get<double>(usual.value("optim.lr")));
  const Settings words =
      chosen("rnn+additive", summaries, {{"data.tokenizer", std::string("words")}});
  EXPECT_EQ(words.data.tokenizer, "words");
  EXPECT_EQ(words.data.vocab_size, 0);
  const Settings rare = chosen("rnn+additive", summaries, {{"data.min_count", Index{5}}});
  EXPECT_EQ(rare.data.tokenizer, "words");  // subwords would leave it without effect
  const Settings rate = chosen("rnn+additive", summaries, {{"optim.lr", 5e-3}});
  EXPECT_EQ(rate.value("optim.lr"), FieldValue(5e-3));
  const Settings brief = chosen("transformer", facts(29000, 12, 12), {{"train.steps", Index{50}}});
  EXPECT_EQ(brief.train.steps, 50);
  EXPECT_EQ(brief.value("model.dropout"), FieldValue(0.1));  // less than one pass
  EXPECT_EQ(brief.train.eval_every, default_settings("transformer").train.eval_every);
  EXPECT_EQ(brief.train.patience, 0);  // ten validations never come
  const Settings timed =
      chosen("transformer", facts(29000, 12, 12), {{"train.time", std::string("5m")}});
  EXPECT_EQ(timed.train.steps, 0);
  EXPECT_EQ(timed.train.patience, 0);  // nobody knows how many validations there will be
  const Settings often =
      chosen("transformer", facts(29000, 12, 12), {{"train.eval_every", Index{20}}});
  EXPECT_EQ(often.train.patience, 0);  // it would end after 200 steps
}

TEST(Defaults, DoNotContradictWhatIsGiven) {
  const Assignments rows[] = {{{"train.r_drop", 1.0}},
                              {{"data.joint_vocabulary", false}},
                              {{"train.init", std::string("weights.safetensors")}}};
  for (const Assignments& given : rows)
    for (const char* model : {"transformer", "rnn+additive"}) {
      const Settings s = chosen(model, facts(1000, 200, 20), given);  // checks them
      EXPECT_FALSE(s.value_or("model.copy", true)) << given[0].first;
      EXPECT_EQ(s.data.long_pairs, "cut") << given[0].first;
    }
}

TEST(Defaults, FitTheRunWhoseWeightsATrainingBeginsWith) {
  const struct {
    Assignments run;  // settings that the run has
    DataFacts of;     // the new data
    const char* tokenizer;
    bool copy;
  } rows[] = {
      {{{"data.tokenizer", std::string("bpe")}}, facts(100, 12, 12), "bpe", false},
      {{{"data.tokenizer", std::string("words")}}, facts(29000, 12, 12), "words", false},
      {{{"model.copy", true}}, facts(29000, 12, 12), "words", true},
      {{}, facts(1000, 200, 20), "words", false},
  };
  for (const auto& row : rows) {
    const TemporaryFolder folder;
    Settings run = default_settings("transformer", {"old.txt", "new.txt"});
    for (const auto& [key, value] : row.run)
      run.assign(key, value);
    folder.write("config.toml", to_toml(run.fields()));
    const Settings s = chosen("transformer", row.of, {{"train.init", folder.path("")}});
    EXPECT_EQ(s.data.tokenizer, row.tokenizer);
    EXPECT_EQ(s.value_or("model.copy", false), row.copy);
  }
}

TEST(Defaults, SayWhatOnlyATimeDecides) {
  Settings settings = default_settings("transformer", {"a.txt", "b.txt"});
  settings.set("train.time", "5m");
  const std::vector<ChosenDefaults> all = chosen_defaults(settings, facts(1000, 12, 12));
  ASSERT_FALSE(all.empty());
  EXPECT_NE(all.back().why.find("times, unless train.time ends it before"), std::string::npos);
}

TEST(Defaults, AValueWrittenByAProgramStays) {
  Settings settings = default_settings("transformer", {"a.txt", "b.txt"});
  settings.data.batch_tokens = 512;
  settings.train.steps = 7;
  choose_defaults(settings, facts(29000, 12, 12));
  EXPECT_EQ(settings.data.batch_tokens, 512);
  EXPECT_EQ(settings.train.steps, 7);
}

TEST(Defaults, AreThoseOfBeforeWhereNothingIsKnown) {
  Settings settings = default_settings("transformer", {"toy:translation"});
  const Settings before = settings;
  EXPECT_FALSE(survey(settings).known);
  EXPECT_TRUE(choose_defaults(settings, survey(settings)).empty());
  for (const Field& field : before.fields())
    EXPECT_EQ(settings.value(field.key()), field.value()) << field.key();
}

TEST(Defaults, SurveyCountsWordsAndCharacters) {
  const TemporaryFolder folder;
  const std::string a = folder.write("a.txt", "one two  three\nfour\n");
  const std::string b = folder.write("b.txt", "é\nzwei drei\n");
  const Settings pairs = default_settings("transformer", {a, b});
  const DataFacts found = survey(pairs);
  EXPECT_TRUE(found.known);
  EXPECT_EQ(found.items, 2);
  EXPECT_DOUBLE_EQ(found.source_words, 2);       // 3 and 1
  EXPECT_DOUBLE_EQ(found.target_words, 1.5);     // 1 and 2
  EXPECT_DOUBLE_EQ(found.source_characters, 9);  // 14 and 4
  EXPECT_DOUBLE_EQ(found.target_characters, 5);  // 1 and 9
  const DataFacts text = survey(default_settings("lm", {a}));
  EXPECT_DOUBLE_EQ(text.source_characters, 20);  // line ends are characters
  EXPECT_FALSE(survey(default_settings("transformer", {folder.path("no.tsv")})).known);
}

TEST(Defaults, AreToldInTheLinesOfATraining) {
  const ChosenDefaults together{
      .values = {{"data.tokenizer", std::string("bpe")}, {"data.vocab_size", Index{8000}}},
      .why = "725000 words of text"};
  EXPECT_EQ(to_text(together),
            "defaults  data.tokenizer = bpe, data.vocab_size = 8000: 725000 words of text");
}

TEST(Defaults, AComparisonFromBeforeThemKeepsItsOwn) {
  const TemporaryFolder folder;
  std::string pairs;
  for (int i = 0; i < 40; ++i)
    pairs += fmt::format("a b c {0}\td e f {0}\n", i);
  ComparisonSettings settings;
  settings.models = {"conv"};
  settings.data = {folder.write("pairs.tsv", pairs)};
  settings.assignments = {"model.d=8"};
  settings.match = "none";
  settings.steps = 16;  // of 2048 tokens, 360 of which are one pass
  settings.seeds = 1;
  for (const bool by_data : {false, true}) {
    settings.defaults_by_data = by_data;
    const std::string where = folder.path(by_data ? "by-data" : "before");
    compare(settings, where);
    const Settings run = read_run_settings(where + "/runs/conv-seed1");
    EXPECT_NEAR(run.value_or("model.dropout", 0.0), by_data ? 0.3 : 0.1, 1e-6);
  }
}

}  // namespace
}  // namespace heed
