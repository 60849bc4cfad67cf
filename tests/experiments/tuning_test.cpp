// Tuning: what is tried, how long, what is chosen, and what is kept of it.

#include "experiments/tuning.h"

#include <cmath>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "experiments/comparison/comparison.h"
#include "experiments/task_works.h"
#include "experiments/training.h"
#include "framework/checkpoint.h"
#include "framework/run_folder.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"
#include "tests/text_files.h"

namespace heed {
namespace {

using Texts = std::vector<std::string>;
using Json = nlohmann::json;

constexpr double infinity = std::numeric_limits<double>::infinity();

Settings tiny() {
  Settings s = default_settings("rnn", {"toy:dates"});
  s.data.train = {"toy:dates"};
  for (const auto& [key, value] : {std::pair{"model.d", "8"},
                                   {"data.batch_tokens", "128"},
                                   {"train.steps", "40"},
                                   {"optim.warmup", "4"},
                                   {"optim.lr", "0.01"},
                                   {"train.eval_every", "20"},
                                   {"train.save_every", "20"}})
    s.set(key, value);
  return s;
}

Tuning made_of(const std::vector<double>& losses) {
  Tuning tuning{.key = "optim.lr"};
  for (std::size_t i = 0; i < losses.size(); ++i)
    tuning.candidates.push_back(
        {.value = fmt::format("{}", i + 1), .steps = 4, .valid_loss = losses[i]});
  return tuning;
}

TEST(Tuning, ReadsARequest) {
  const struct {
    const char* text;
    const char* key;
    Texts values;
  } rows[] = {{"optim.lr", "optim.lr", {}},
              {"optim.clip=1", "optim.clip", {"1"}},
              {"optim.clip=0.5,1,2", "optim.clip", {"0.5", "1", "2"}}};
  for (const auto& row : rows) {
    EXPECT_EQ(parse_tuning(row.text).key, row.key);
    EXPECT_EQ(parse_tuning(row.text).values, row.values);
  }
  for (const char* wrong : {"", "=1", "optim.lr=", "optim.lr=1,", "optim.lr=1,,2"})
    EXPECT_EQ(message_of([&] { parse_tuning(wrong); }),
              fmt::format("expected a setting, KEY or KEY=a,b,c, to tune; got '{}'", wrong));
}

TEST(Tuning, TriesValuesInTheirOrder) {
  const struct {
    TuningRequest request;
    Texts values;
    const char* problem;
  } rows[] = {
      {{"optim.lr"}, {"0.0025", "0.005", "0.01", "0.02", "0.04"}, ""},
      {{"optim.lr", {"1e-2", "0.001"}}, {"0.001", "1e-2"}, ""},
      {{"model.d", {"16", "8"}}, {"8", "16"}, ""},
      {{"train.label_smoothing", {"0.1", "0"}}, {"0", "0.1"}, ""},
      {{"optim.clip"},
       {},
       "which values of optim.clip are to be tried? Name them, optim.clip=a,b,c; only optim.lr has "
       "usual ones"},
      {{"optim.lr", {"0.01"}}, {}, "optim.lr: give at least two values to try"},
      {{"optim.lr", {"0.01", "1e-2"}}, {}, "optim.lr: 1e-2 is to be tried twice"},
      {{"data.batch_tokens", {"1", "2"}},
       {},
       "cannot tune data.batch_tokens: choose a number of optim or model that does not change what "
       "is read, or train.label_smoothing"},
      {{"train.steps", {"1", "2"}},
       {},
       "cannot tune train.steps: choose a number of optim or model that does not change what is "
       "read, or train.label_smoothing"},
      {{"optim.name", {"adam", "sgd"}},
       {},
       "cannot tune optim.name: choose a number of optim or model that does not change what is "
       "read, or train.label_smoothing"},
  };
  for (const auto& row : rows) {
    Texts found;
    const std::string problem = message_of([&] { found = tuning_values(tiny(), row.request); });
    EXPECT_EQ(found, row.values) << row.request.key;
    EXPECT_EQ(problem, row.problem);
  }
  EXPECT_THROW(tuning_values(tiny(), {"optim.lr", {"0.1", "-1"}}), FieldError);
  EXPECT_THROW(tuning_values(tiny(), {"optim.lr", {"0.1", "x"}}), FieldError);
  EXPECT_THROW(tuning_values(tiny(), {"optim.lt", {"0.1", "1"}}), Error);
}

TEST(Tuning, TakesTheLowestLoss) {
  const struct {
    std::vector<double> losses;
    std::size_t chosen;
    bool edge;
  } rows[] = {
      {{3, 2, 4}, 1, false},
      {{3, 2, 2}, 1, false},  // equal: the smaller value
      {{3, 3, 3}, 0, true},
      {{3, std::nan(""), 2.5}, 2, true},  // not finite: loses
      {{std::nan(""), 3, infinity}, 1, false},
      {{infinity, 3, 2.9, 5}, 2, false},
  };
  for (const auto& row : rows) {
    Tuning tuning = made_of(row.losses);
    tuning.chosen = best_candidate(tuning);
    EXPECT_EQ(tuning.chosen, row.chosen);
    EXPECT_EQ(tuning.at_edge(), row.edge);
  }
  EXPECT_EQ(message_of([] {
              best_candidate(made_of({infinity, std::nan("")}));
            }),
            "no value of optim.lr gave a finite validation loss; try others");
  Tuning first = made_of({2, 3});
  first.seconds = 34;
  EXPECT_EQ(to_text(first),
            "tune      optim.lr = 1: the lowest validation loss of 2, 2.0000, in 34 s; it is the "
            "smallest that was tried, so a smaller one may be better");
  for (const char* zero : {"0", "0.0"}) {
    first.candidates[0].value = zero;  // no smaller one is taken
    EXPECT_EQ(to_text(first),
              fmt::format("tune      optim.lr = {}: the lowest validation loss of 2, 2.0000, in "
                          "34 s",
                          zero));
  }
}

TEST(Tuning, TellsTheCostByTheLimitThatComesFirst) {
  Settings settings = tiny();
  settings.set("train.steps", "20");
  settings.set("train.time", "100h");  // 25 h for each candidate
  Corpus corpus = open_corpus(settings, {});
  std::string first;
  tune(settings, corpus, {"optim.lr", {"0.01", "0.02"}}, {.on_line = [&](const std::string& line) {
         if (first.empty()) first = line;
       }});
  EXPECT_NE(first.find("2 candidates x 5 steps or 25 h"), std::string::npos) << first;
  EXPECT_EQ(first.substr(first.find("about ")).find('h'), std::string::npos) << first;
}

TEST(Tuning, WhatIsTunedIsNoDefault) {
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 40; ++i)
    lines += fmt::format("a{} b{} c\n", i % 3, i % 5);
  Settings settings = default_settings("rnn", {folder.write("a", lines), folder.write("b", lines)});
  settings.set("model.d", "8");
  settings.set("train.steps", "40");
  Training training(settings, folder.path("run"),
                    {.tune = TuningRequest{"model.dropout", {"0", "0.1"}}});
  const auto is_told = [&] {
    return std::ranges::any_of(training.chosen, [](const ChosenDefaults& together) {
      return to_text(together).find("model.dropout") != std::string::npos;
    });
  };
  EXPECT_TRUE(is_told());  // the data are read many times
  training.open();
  EXPECT_FALSE(is_told());
}

TEST(Tuning, ShortTrainingsCostHalfOfTheTrainingTogether) {
  const struct {
    Index steps;  // of the training
    std::size_t candidates;
    Index warmup;
    const char* time;
    bool exact;
    Index short_steps;  // as a limit
    Index short_warmup;
    const char* short_time;
  } rows[] = {
      {1600, 5, 50, "", true, 160, 50, ""},   // the warm-up ends
      {1600, 5, 80, "", true, 160, 80, ""},   // at half of it
      {1600, 5, 200, "", true, 160, 20, ""},  // in proportion
      {1000, 3, 100, "", true, 166, 16, ""},
      {12, 6, 8, "", true, 1, 1, ""},
      {2000, 5, 400, "10m", false, 0, 40, "60.000000s"},
      {800, 2, 100, "60s", true, 200, 100, "15.000000s"},
  };
  for (const auto& row : rows) {
    Settings s = tiny();
    s.optim.schedule.warmup = row.warmup;
    s.train.time = row.time;
    s.train.epochs = 3;
    const Settings brief = short_training(s, row.candidates, row.steps, row.exact);
    EXPECT_EQ(brief.train.steps, row.short_steps);
    EXPECT_EQ(brief.train.epochs, 0);
    EXPECT_EQ(brief.train.time, row.short_time);
    EXPECT_EQ(brief.optim.schedule.warmup, row.short_warmup);
    EXPECT_EQ(brief.optim.schedule.kind, s.optim.schedule.kind);
  }
  EXPECT_EQ(message_of([] { short_training(tiny(), 5, 9, true); }),
            "a training of 9 steps is too short to try 5 values: that takes at least 10 steps");
}

/// Each candidate is what a training of that length with that value gives.
TEST(Tuning, StartsEachCandidateAlike) {
  const Settings settings = tiny();
  Corpus corpus = open_corpus(settings, {});
  const auto position = corpus.train->position();
  Texts lines;
  TuningObservers observers;
  observers.on_line = [&](const std::string& line) { lines.push_back(line); };
  const Tuning tuning = tune(settings, corpus, {"optim.lr", {"0.03", "0.001"}}, observers);
  EXPECT_EQ(corpus.train->position(), position);
  ASSERT_EQ(tuning.candidates.size(), 2u);
  const TemporaryFolder folder;
  for (const TuningCandidate& c : tuning.candidates) {
    Settings alone = settings;
    alone.set("train.steps", "10");  // 40 / (2 * 2); the warm-up ends
    alone.set("optim.lr", c.value);
    const TrainResult result = Training(alone, folder.path(c.value)).run();
    EXPECT_EQ(c.steps, 10);
    EXPECT_EQ(c.valid_loss, result.best->loss) << c.value;
  }
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_TRUE(lines[0].starts_with("tune      optim.lr: 2 candidates x 10 steps, about "));
  EXPECT_TRUE(lines[1].starts_with("tune      optim.lr = 0.001: validation loss "));
}

TEST(Tuning, ACandidateThatIsNotFiniteLoses) {
  const Settings settings = tiny();
  Corpus corpus = open_corpus(settings, {});
  const Tuning tuning = tune(settings, corpus, {"optim.lr", {"0.01", "0.02", "1000"}});
  EXPECT_LT(tuning.chosen, 2u);
  EXPECT_TRUE(tuning.candidates[2].valid_loss == infinity ||
              tuning.candidates[2].valid_loss > tuning.candidates[0].valid_loss);
}

TEST(Tuning, TheTrainingTakesWhatWasBest) {
  const TemporaryFolder folder;
  const std::string tuned = folder.path("tuned");
  Settings settings = tiny();
  {
    Training training(settings, tuned, {.tune = TuningRequest{"optim.lr", {"0.02", "0.0001"}}});
    training.run();
  }
  const Tuning kept = read_tuning(std::filesystem::path(tuned) / "tuning.json");
  EXPECT_EQ(kept.key, "optim.lr");
  EXPECT_EQ(kept.value(), "0.02");
  EXPECT_EQ(read_run_settings(tuned).value_or("optim.lr", 0.0), 0.02);
  // The training itself is the one that was given this value from the beginning.
  settings.set("optim.lr", "0.02");
  Training(settings, folder.path("alone")).run();
  const auto weights = [&](const std::string& run) {
    return load(RunFolder(folder.path(run)).last()).tensors.front().tensor.to_vector();
  };
  EXPECT_EQ(weights("tuned"), weights("alone"));
  // Resumed, it is not tuned again.
  EXPECT_THROW(Training(read_run_settings(tuned), tuned,
                        {.resume = true, .tune = TuningRequest{"optim.lr"}}),
               Error);
  Settings longer = read_run_settings(tuned);
  longer.set("train.steps", "44");
  EXPECT_EQ(Training(longer, tuned, {.resume = true}).run().step, 44);
}

TEST(Tuning, AnInterruptedOneLeavesNoRun) {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  TrainingOptions options{.tune = TuningRequest{"optim.lr"}};
  int steps_left = 1000000;
  options.preparing.should_stop = [&] { return --steps_left < 0; };
  Training training(tiny(), run, options);
  steps_left = 5;
  EXPECT_THROW(training.open(), Interrupted);
  EXPECT_FALSE(std::filesystem::exists(run + "/config.toml"));
  EXPECT_NO_THROW(check_run_folder(run, false));
}

TEST(Tuning, IsReadBackFromItsFile) {
  const TemporaryFolder folder;
  Tuning tuning = made_of({3, 2.125, infinity});
  tuning.chosen = 1;
  tuning.seconds = 1.5;
  const Tuning read = read_tuning(folder.write("tuning.json", to_json(tuning)));
  EXPECT_EQ(to_json(read), to_json(tuning));
  EXPECT_EQ(read.candidates[2].valid_loss, infinity);
  EXPECT_THROW(read_tuning(folder.write("damaged.json", "{")), Error);
}

// In a comparison

ComparisonSettings two_models() {
  ComparisonSettings s;
  s.models = {"rnn", "conv"};
  s.data = {"toy:dates"};
  s.assignments = {"model.d=8", "data.batch_tokens=128", "optim.warmup=2"};
  s.match = "none";
  s.steps = 16;
  s.seeds = 1;
  s.lines = 20;
  s.tune = "optim.lr=0.0001,0.02";
  return s;
}

TEST(Tuning, EachModelOfAComparisonTunes) {
  const TemporaryFolder folder;
  const std::string where = folder.path("comparison");
  int asked = 0;
  ComparisonObservers until_rnn_is_tuned;
  until_rnn_is_tuned.should_stop = [&] {
    return std::filesystem::exists(where + "/tuning/rnn.json") && ++asked > 3;
  };
  EXPECT_THROW(compare(two_models(), where, {.observers = until_rnn_is_tuned}), Interrupted);
  ASSERT_TRUE(std::filesystem::exists(where + "/tuning/rnn.json"));
  const std::string kept = read_file(where + "/tuning/rnn.json");
  EXPECT_FALSE(std::filesystem::exists(where + "/tuning/conv.json"));

  const Comparison c =
      compare(read_comparison_settings(where), where, {.resume = true, .observers = {}});
  EXPECT_EQ(read_file(where + "/tuning/rnn.json"), kept);  // not tuned again
  ASSERT_EQ(c.tunings.size(), 2u);
  for (const ModelTuning& t : c.tunings) {
    EXPECT_EQ(t.tuning.candidates.size(), 2u);
    EXPECT_EQ(t.tuning.candidates[0].steps, 4);
    const auto config = read_run_settings(where + "/runs/" + t.model + "-seed1");
    EXPECT_EQ(setting_text(config, "optim.lr"), t.tuning.value());
    EXPECT_NE(to_text(c).find(t.tuning.value()), std::string::npos);
  }
  EXPECT_NE(to_text(c).find("chosen, at the edge"), std::string::npos);
  EXPECT_NE(to_text(c).find("Tuned before the runs, beside their budget: optim.lr, in "),
            std::string::npos);
  const Json json = Json::parse(read_file(where + "/comparison.json"));
  ASSERT_EQ(json["tuning"].size(), 2u);
  EXPECT_EQ(json["tuning"][1]["model"], "conv");
  EXPECT_EQ(json["tuning"][1]["candidates"].size(), 2u);
  EXPECT_NE(read_file(where + "/comparison.html").find("Tuned before the runs"), std::string::npos);
  ComparisonSettings other = two_models();
  other.tune = "optim.lr";
  EXPECT_EQ(message_of([&] { compare(other, where, {.resume = true, .observers = {}}); }),
            "tune cannot change: a comparison that is resumed goes on as it is; start a new one in "
            "another folder");
}

TEST(Tuning, AModelThatCopiesTunesBesideOneThatDoesNot) {
  const TemporaryFolder folder;
  ComparisonSettings s = two_models();
  s.models = {"rnn+additive", "conv"};
  s.data = {"toy:summarization"};
  // Few words are known: the others have ids of their own where a model copies.
  s.assignments = {"model.d=8", "data.batch_tokens=256", "data.tokenizer=words",
                   "data.vocab_size=60", "rnn+additive:model.copy=true"};
  s.steps = 4;
  s.lines = 2;
  const Comparison c = compare(s, folder.path("comparison"));
  ASSERT_EQ(c.tunings.size(), 2u);
  for (const ModelTuning& t : c.tunings) {  // the same by hand
    const std::string run = folder.path("comparison") + "/runs/" + t.model + "-seed1";
    const Settings settings = read_run_settings(run);
    Corpus corpus = open_corpus(settings, open_run(run).tokenizers);
    const Tuning alone = tune(settings, corpus, parse_tuning(s.tune));
    EXPECT_EQ(t.tuning.candidates[0].valid_loss, alone.candidates[0].valid_loss) << t.model;
  }
}

TEST(Tuning, AComparisonRefusesWhatItDecides) {
  const struct {
    const char* tune;
    Texts assignments;
    const char* problem;
  } rows[] = {
      {"model.d=8,16",
       {},
       "tune model.d=8,16: a comparison tunes a number of optim, model.dropout or "
       "train.label_smoothing"},
      {"optim.lr",
       {"rnn:optim.lr=0.1"},
       "tune optim.lr: set rnn:optim.lr=0.1 gives it too; leave out one of them"},
      {"=", {}, "tune: expected a setting, KEY or KEY=a,b,c, to tune; got '='"},
  };
  for (const auto& row : rows) {
    ComparisonSettings s = two_models();
    s.tune = row.tune;
    s.assignments = row.assignments;
    EXPECT_EQ(message_of([&] { check_comparison(s); }), row.problem);
  }
}

TEST(Tuning, AComparisonMakesNoFolderForValuesThatItCannotTry) {
  const struct {
    const char* tune;
    Index steps;
    const char* problem;
  } rows[] = {
      {"optim.lr=0.1", 16, "tune optim.lr=0.1: optim.lr: give at least two values to try"},
      {"optim.lr=0.1,x", 16,
       "tune optim.lr=0.1,x: optim.lr: expected a number from 0 to 1000; got 'x'"},
      {"optim.lrr=1,2", 16,
       "tune optim.lrr=1,2: unknown setting 'optim.lrr'; did you mean 'optim.lr'?"},
      {"optim.lr=1,2", 3,
       "tune optim.lr=1,2: a training of 3 steps is too short to try 2 values: that takes at least "
       "4 steps"},
  };
  for (const auto& row : rows) {
    const TemporaryFolder folder;
    ComparisonSettings s = two_models();
    s.tune = row.tune;
    s.steps = row.steps;
    EXPECT_EQ(message_of([&] { compare(s, folder.path("comparison")); }), row.problem);
    EXPECT_FALSE(std::filesystem::exists(folder.path("comparison"))) << row.tune;
  }
}

}  // namespace
}  // namespace heed
