#include "experiments/comparison/comparison.h"

#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "datasets/metrics/metrics.h"
#include "experiments/comparison/internal/result_json.h"
#include "experiments/comparison/internal/settings_file.h"
#include "experiments/task_works.h"
#include "framework/build_info.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"

namespace heed {
namespace {

using Json = nlohmann::ordered_json;

// What it computes

TEST(Comparison, SpreadOverSeeds) {
  struct Row {
    std::vector<double> values;
    double mean;
    double deviation;  // below 0: none
    const char* text;
  };
  for (const Row& row :
       std::vector<Row>{{{}, 0, -1, "0.0"},
                        {{3}, 3, -1, "3.0"},
                        {{1, 3}, 2, std::sqrt(2.0), "2.0 ± 1.4"},
                        {{2, 4, 9}, 5, std::sqrt((9.0 + 1 + 16) / 2), "5.0 ± 3.6"}}) {
    EXPECT_DOUBLE_EQ(spread_of(row.values).mean, row.mean);
    EXPECT_DOUBLE_EQ(spread_of(row.values).deviation.value_or(-1), row.deviation);
    EXPECT_EQ(to_text(spread_of(row.values), 1), row.text);
  }
}

/// Two models, two seeds, four lines. `a` makes no mistake; `b` gets two of the four lines right.
TEST(Comparison, SummarisesTheRuns) {
  const std::vector<ComparedFigure>& figures = task_works().at("translate").compared;
  const TestSet test{"four",
                     {"1 2 3 4", "1 2 3 4", "1 2 3 4 5 6", "1 2 3 4 5 6"},
                     {"a b c d", "a b c e", "a b c d e f", "f e d c b a"}};
  const std::vector<std::string> poor{"a b c d", "x x x x", "a b c d e f", "x x x x x x"};
  ComparisonSettings comparison;
  comparison.models = {"b", "a"};
  comparison.seeds = 2;
  std::vector<RunResult> results;
  for (Index seed : {1, 2})
    for (const char* model : {"b", "a"})
      results.push_back({.model = model,
                         .seed = seed,
                         .d = 8,
                         .parameters = 100,
                         .steps = 10 * seed,
                         .best_step = 5,
                         .seconds = 2,
                         .tokens_per_s = 50,
                         .peak_mb = 7,
                         .valid_loss = std::log(2.0 * static_cast<double>(seed)),
                         .hypotheses = *model == 'a' ? test.references : poor});
  const Comparison c = summarise(comparison, test, {by_length(test.sources)}, figures, results);
  ASSERT_EQ(c.models.size(), 2u);
  EXPECT_EQ(c.models[0].model, "b");
  EXPECT_DOUBLE_EQ(c.models[0].steps.mean, 15);
  EXPECT_NEAR(c.models[0].perplexity.mean, 3, 1e-12);
  EXPECT_NEAR(*c.models[0].perplexity.deviation, std::sqrt(2.0), 1e-12);
  EXPECT_DOUBLE_EQ(c.models[0].scores[1].mean, 0.5);
  EXPECT_NEAR(c.models[1].scores[0].mean, 100, 1e-9);
  EXPECT_EQ(*c.models[1].scores[0].deviation, 0);
  // b: 10 of 20 words, 8 of 16 pairs, 6 of 12, 4 of 8.
  EXPECT_NEAR(c.models[0].scores[0].mean, 50, 1e-9);
  ASSERT_EQ(c.models[0].grouped[0].size(), 2u);
  EXPECT_NEAR(c.models[0].grouped[0][0].mean, 50, 1e-9);
  ASSERT_EQ(c.pairs.size(), 1u);
  EXPECT_EQ(c.pairs[0].better, "a");
  EXPECT_EQ(c.pairs[0].worse, "b");
  EXPECT_GT(c.pairs[0].difference.mean, 0);
  const Json json = to_json(c);
  EXPECT_EQ(json["models"][1]["test_bleu"]["mean"].get<double>(), c.models[1].scores[0].mean);
  EXPECT_FALSE(json["differences"][0]["significant"].get<bool>()) << "four lines are too few";
  EXPECT_NE(to_text(c).find("too few lines"), std::string::npos);
  EXPECT_THROW(summarise(comparison, test, {}, figures, {results[0]}), Error);
}

TEST(Comparison, AFewLinesDecideNothing) {
  for (const Index lines : {1, 19, 20}) {
    TestSet test{"alike", {}, {}};
    ComparisonSettings comparison;
    comparison.models = {"right", "wrong"};
    comparison.seeds = 1;
    std::vector<RunResult> runs(2);
    runs[0].model = "right";
    runs[1].model = "wrong";
    for (Index i = 0; i < lines; ++i) {
      test.sources.emplace_back("1");
      test.references.emplace_back("a");
      runs[0].hypotheses.emplace_back("a");
      runs[1].hypotheses.emplace_back("b");
    }
    const Comparison c =
        summarise(comparison, test, {}, task_works().at("translate").compared, runs);
    EXPECT_TRUE(c.pairs[0].difference.significant());
    const bool decides = lines == 20;
    EXPECT_EQ(to_json(c)["differences"][0]["significant"].get<bool>(), decides) << lines;
    EXPECT_EQ(to_text(c).find("too few lines") == std::string::npos, decides) << lines;
  }
}

/// Those of earlier versions have none.
TEST(Comparison, CostsAreThoseOfTheRunsThatHaveThem) {
  const TestSet test{"one", {"1"}, {"a"}};
  ComparisonSettings comparison;
  comparison.models = {"rnn"};
  comparison.seeds = 3;
  std::vector<RunResult> runs(3);
  for (Index i = 0; i < 3; ++i) {
    runs[i].model = "rnn";
    runs[i].hypotheses = test.references;
    if (i > 0) runs[i].flops = 100 * i;
    runs[i].decoding = {.tokens_per_s = static_cast<double>(10 * i), .state_kib = 2};
  }
  const ModelSummary rnn =
      summarise(comparison, test, {}, task_works().at("translate").compared, runs).models[0];
  EXPECT_EQ(rnn.flops, 100) << "of the first seed";
  EXPECT_DOUBLE_EQ(rnn.decoded_tokens_per_s.mean, 15);
  EXPECT_DOUBLE_EQ(rnn.state_kib, 2);
}

TEST(Comparison, ShortLinesAreScoredByTheOrdersThatExist) {
  const std::vector<ComparedFigure>& figures = task_works().at("translate").compared;
  const TestSet test{"short", {"1", "2", "3 4"}, {"a", "b", "c d"}};
  ComparisonSettings comparison;
  comparison.models = {"rnn"};
  comparison.seeds = 1;
  RunResult right;
  right.model = "rnn";
  right.hypotheses = test.references;
  const Comparison c = summarise(comparison, test, {by_length(test.sources)}, figures, {right});
  EXPECT_NEAR(c.models[0].scores[0].mean, 100, 1e-9);
  for (const Spread& s : c.models[0].grouped[0])
    EXPECT_NEAR(s.mean, 100, 1e-9);
}

TEST(Comparison, ResultsAreReadBackFromTheirFile) {
  const RunResult r{.model = "rnn",
                    .seed = 3,
                    .d = 12,
                    .parameters = 99,
                    .outside_vocabulary = 66,
                    .flops = 1'000'000'000'000,
                    .steps = 7,
                    .best_step = 5,
                    .seconds = 1.5,
                    .tokens_per_s = 2.5,
                    .peak_mb = 3.25,
                    .decoding = {.tokens_per_s = 900.5, .state_kib = 1.25},
                    .valid_loss = 0.125,
                    .hypotheses = {}};
  EXPECT_EQ(to_json(result_from_json(to_json(r))), to_json(r));
}

TEST(Comparison, ARowOfCsvHasEveryFigureOfARun) {
  Comparison comparison;
  comparison.figures = task_works().at("translate").compared;
  comparison.runs = {
      {.model = "rnn",
       .seed = 2,
       .d = 8,
       .parameters = 100,
       .outside_vocabulary = 60,
       .flops = 5,
       .steps = 20,
       .best_step = 10,
       .seconds = 1.5,
       .tokens_per_s = 0.1,
       .peak_mb = 7,
       .decoding = {.tokens_per_s = 0.5, .state_kib = 2},
       .valid_loss = 0,
       .hypotheses = {},
       .scores = {12.5, 0.25},
       .folder = "runs/rnn-seed2"},
      {.model = "a,\"b\"", .hypotheses = {}, .scores = {0, 0}, .folder = "two\nlines"}};
  EXPECT_EQ(to_csv(comparison),
            "model,seed,d,parameters,steps,best_step,seconds,tokens_per_s,peak_mb,valid_loss,"
            "valid_perplexity,test_bleu,test_exact,outside_vocabulary,flops,decoded_tokens_per_s,"
            "state_kib,folder\n"
            "rnn,2,8,100,20,10,1.5,0.1,7,0,1,12.5,0.25,60,5,0.5,2,runs/rnn-seed2\n"
            "\"a,\"\"b\"\"\",0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,\"two\nlines\"\n");
}

// In a program

std::string read_text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// Two small models, of which the first learns a little in a second.
ComparisonSettings small() {
  return {.models = {"rnn", "conv"},
          .data = {"toy:copy"},
          .assignments = {"model.d=16", "model.layers=1", "model.kernel=3", "data.batch_tokens=256",
                          "optim.warmup=2", "train.log_every=2", "decode.max_length=8"},
          .match = "none",
          .steps = 12,
          .seeds = 2,
          .lines = 40};
}

TEST(Comparison, IsAFewLinesOfAProgram) {
  const TemporaryFolder folder;
  const std::filesystem::path out = folder.path("comparison");
  std::vector<std::string> plan;
  std::vector<std::string> results;
  ComparisonOptions options;
  options.observers.on_plan = [&](const std::string& line) {
    EXPECT_FALSE(holds_comparison(out)) << "nothing is written yet";
    plan.push_back(line);
  };
  options.observers.on_trial_begin = [&](const ComparisonTrial& trial) {
    EXPECT_FALSE(
        std::filesystem::exists(out / fmt::format("runs/{}-seed{}", trial.model, trial.seed)));
  };
  options.observers.on_result = [&](const std::string& line) { results.push_back(line); };
  const Comparison comparison = compare(small(), out, options);

  ASSERT_EQ(comparison.models.size(), 2u);
  ASSERT_EQ(comparison.runs.size(), 4u);
  EXPECT_EQ(comparison.pairs.size(), 1u);
  EXPECT_EQ(comparison.runs[1].model, "conv");
  EXPECT_EQ(comparison.runs[1].steps, 12);
  EXPECT_EQ(comparison.runs[2].folder, "runs/rnn-seed2");
  EXPECT_EQ(plan.size(), 3u);
  ASSERT_EQ(results.size(), 4u);
  EXPECT_TRUE(results[3].starts_with("[4/4] conv seed 2: 12 steps in ")) << results[3];

  EXPECT_EQ(read_text_of(out / "comparison.txt"), to_text(comparison));
  EXPECT_EQ(read_text_of(out / "comparison.csv"), to_csv(comparison));
  EXPECT_TRUE(std::filesystem::exists(out / "comparison.html"));
  const Json json = Json::parse(read_text_of(out / "comparison.json"));
  ComparisonSettings settled = small();
  settled.task = "translate";  // what the data ask for
  EXPECT_EQ(json["duel"], to_json(settled));
  EXPECT_EQ(json["runs"][2]["folder"], "runs/rnn-seed2");
  const BuildInfo built = build_info();
  EXPECT_EQ(json["made_with"], (Json{{"version", built.version},
                                     {"compiler", built.compiler},
                                     {"processor", built.processor},
                                     {"blas", built.blas}}));
}

TEST(Comparison, RanksByTheMetricThatIsAskedFor) {
  const TemporaryFolder folder;
  ComparisonSettings settings = small();
  settings.models = {"rnn"};
  std::erase(settings.assignments, "model.kernel=3");
  settings.seeds = 1;
  settings.metric = "rouge";
  const Comparison comparison = compare(settings, folder.path("rouge"));
  ASSERT_EQ(comparison.figures.size(), 3u);
  EXPECT_EQ(comparison.figures[0].title, "ROUGE-1");
  EXPECT_EQ(comparison.figures[1].metric, "bleu");
  const RunResult& run = comparison.runs[0];
  const auto pairs = open_evaluation_pairs({"toy:copy"}, {}, settings.lines, Split::test);
  const double rouge =
      score("rouge", run.hypotheses, {read_test_set(*pairs).references}).at("rouge1.fmeasure");
  EXPECT_DOUBLE_EQ(run.scores[0], rouge);
  EXPECT_NE(to_text(comparison).find("ROUGE-1 by source words"), std::string::npos);
  settings.metric = "bleuu";
  EXPECT_EQ(message_of([&] { compare(settings, folder.path("none")); }),
            "metric: expected one of bleu, exact, rouge, chrf for the task translate; got 'bleuu'; "
            "did you mean bleu?");
}

TEST(Comparison, SetsAModelAgainstItsOwnVariant) {
  const TemporaryFolder folder;
  ComparisonSettings settings = small();
  settings.models = {"rnn", "wide=rnn"};
  std::erase(settings.assignments, "model.kernel=3");
  settings.assignments.emplace_back("wide:model.d=24");
  settings.seeds = 1;
  settings.tune = "optim.lr=0.001,0.01";
  const std::filesystem::path out = folder.path("comparison");
  const Comparison comparison = compare(settings, out);
  ASSERT_EQ(comparison.models.size(), 2u);
  EXPECT_EQ(comparison.models[1].model, "wide");
  EXPECT_EQ(comparison.models[0].d, 16);
  EXPECT_EQ(comparison.models[1].d, 24);
  EXPECT_EQ(comparison.runs[1].model, "wide");
  EXPECT_EQ(comparison.runs[1].family, "rnn");
  EXPECT_EQ(comparison.runs[1].folder, "runs/wide-seed1");
  EXPECT_EQ(comparison.tunings[1].model, "wide");
  EXPECT_TRUE(std::filesystem::exists(out / "tuning/wide.json"));
  EXPECT_NE(to_text(comparison).find("\nwide "), std::string::npos);
  const Comparison again = compare(read_comparison_settings(out), out, {.resume = true});
  EXPECT_EQ(to_csv(again), to_csv(comparison));
}

TEST(Comparison, IsResumedAfterItShouldStop) {
  const TemporaryFolder folder;
  const Comparison whole = compare(small(), folder.path("whole"));

  // It stops in the second run, and again between two runs.
  const std::filesystem::path out = folder.path("stopped");
  ComparisonOptions options;
  Index steps = 0;
  options.observers.on_step = [&](const ComparisonTrial&, const StepReport&, double left) {
    EXPECT_GE(left, 0);
    ++steps;
  };
  options.observers.should_stop = [&] { return steps == 17; };
  EXPECT_THROW(compare(small(), out, options), Interrupted);
  EXPECT_TRUE(std::filesystem::exists(out / "runs/rnn-seed1/result.json"));
  EXPECT_FALSE(std::filesystem::exists(out / "runs/conv-seed1/result.json"));
  EXPECT_THROW(compare(small(), out), Error) << "there is one already";

  options.resume = true;
  std::vector<std::string> results;
  steps = 0;
  options.observers.on_result = [&](const std::string& line) { results.push_back(line); };
  options.observers.should_stop = [&] { return results.size() == 2; };
  EXPECT_THROW(compare(small(), out, options), Interrupted);
  EXPECT_EQ(steps, 7);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_TRUE(results[0].ends_with(" (done before)")) << results[0];

  ComparisonSettings kept = read_comparison_settings(out);
  kept.seeds = 3;
  try {
    compare(kept, out, {.resume = true});
    ADD_FAILURE() << "seeds";
  } catch (const ComparisonError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("seeds cannot change: ")) << error.what();
  }

  const Comparison resumed = compare(read_comparison_settings(out), out, {.resume = true});
  ASSERT_EQ(resumed.runs.size(), whole.runs.size());
  for (std::size_t i = 0; i < whole.runs.size(); ++i) {
    EXPECT_EQ(resumed.runs[i].model, whole.runs[i].model);
    EXPECT_EQ(resumed.runs[i].valid_loss, whole.runs[i].valid_loss);
    EXPECT_EQ(resumed.runs[i].hypotheses, whole.runs[i].hypotheses);
  }
}

TEST(Comparison, RunsOfAModelKeepOneWidth) {
  const TemporaryFolder folder;
  ComparisonSettings settings = small();
  settings.match = "20000";
  settings.steps = 1;
  const Comparison first = compare(settings, folder.path("d"));
  // As if an earlier version, which chose other widths, had begun the comparison.
  settings.match = "none";
  const std::string path = folder.path("d/duel.json");
  const std::string wanted = "\"match\": \"20000\"";
  std::string text = read_text_of(path);
  ASSERT_NE(text.find(wanted), std::string::npos) << text;
  text.replace(text.find(wanted), wanted.size(), "\"match\": \"none\"");
  std::ofstream(path) << text;
  std::filesystem::remove_all(folder.path("d/runs/rnn-seed2"));
  const Comparison resumed = compare(settings, folder.path("d"), {.resume = true});
  EXPECT_NE(resumed.runs[2].d, 16);
  EXPECT_EQ(resumed.runs[2].d, first.runs[0].d);
}

TEST(Comparison, RefusesFoldersThatHoldSomethingElse) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path("full"));
  folder.write("full/file", "x");
  struct Row {
    std::string name;
    bool resume;
    std::string message;
  };
  for (const Row& row : std::vector<Row>{
           {"full", false, ": is not empty; give a new folder"},
           {"full/file", false, ": is a file; expected a folder to keep the comparison in"},
           {"none", true, ": no comparison to resume here; start a new one"}}) {
    const std::string path = folder.path(row.name);
    try {
      compare(small(), path, {.resume = row.resume});
      ADD_FAILURE() << row.name;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), path + row.message);
    }
  }
}

}  // namespace
}  // namespace heed
