// Comparisons of language models.

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "experiments/comparison/comparison.h"
#include "experiments/evaluation.h"
#include "experiments/inference/run.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"

namespace heed {
namespace {

std::string clock_text(int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i)
    text += fmt::format("It is {} minutes past {}, and all is well.\n", i % 60, i / 60);
  return text;
}

double figure(const std::vector<EvaluationFigure>& figures, const std::string& name) {
  for (const EvaluationFigure& f : figures)
    if (f.name == name) return std::get<double>(f.value);
  ADD_FAILURE() << name;
  return 0;
}

ComparisonSettings of_text(const std::string& path) {
  return {.models = {"lm", "long=lm"},
          .data = {path},
          .assignments = {"model.d=16", "model.layers=1", "model.context=16", "optim.warmup=2",
                          "data.batch_tokens=256", "long:model.context=48"},
          .match = "none",
          .steps = 12,
          .seeds = 1};
}

TEST(LmComparison, JudgesByBitsACharacterAsEvaluationDoes) {
  const TemporaryFolder folder;
  const std::string test = folder.write("test.txt", clock_text(40));
  for (const bool has_test : {false, true}) {
    ComparisonSettings settings = of_text(folder.write("clock.txt", clock_text(400)));
    if (has_test) settings.test = {test};
    const std::filesystem::path out = folder.path(has_test ? "tested" : "validated");
    std::vector<std::string> warnings;
    ComparisonOptions options;
    options.observers.on_warning = [&](const std::string& line) { warnings.push_back(line); };
    const Comparison comparison = compare(settings, out, options);
    EXPECT_EQ(std::ranges::count(warnings,
                                 "model.context is not the same for all: a step of each reads "
                                 "other windows of the text"),
              1);
    EXPECT_EQ(comparison.figures[0].metric, "bits_per_character");
    EXPECT_TRUE(comparison.groupings.empty());
    EXPECT_EQ(to_text(comparison).find("by source words"), std::string::npos);
    ASSERT_EQ(comparison.runs.size(), 2u);
    for (const RunResult& result : comparison.runs) {
      EvaluationData on;
      if (has_test) on.data = {test};
      const auto figures = evaluate(open_run((out / result.folder).string()), on);
      EXPECT_NEAR(result.scores[0], std::log2(figure(figures, "perplexity_per_character")), 1e-5)
          << result.model;
    }
    ASSERT_EQ(comparison.pairs.size(), 1u);
    const ModelPair& pair = comparison.pairs[0];
    const auto bits = [&](const std::string& model) {
      return comparison.runs[model == "lm" ? 0 : 1].scores[0];
    };
    EXPECT_LT(bits(pair.better), bits(pair.worse)) << "fewer bits are better";
  }
}

TEST(LmComparison, IsResumedWithTheSameFigures) {
  const TemporaryFolder folder;
  const ComparisonSettings settings = of_text(folder.write("clock.txt", clock_text(400)));
  const Comparison first = compare(settings, folder.path("comparison"));
  const Comparison again = compare(settings, folder.path("comparison"), {.resume = true});
  EXPECT_EQ(to_csv(again), to_csv(first));
}

TEST(LmComparison, SaysWhatIsWrongWithATest) {
  const TemporaryFolder folder;
  const std::string text = folder.write("clock.txt", clock_text(400));
  struct Row {
    std::vector<std::string> test;
    std::string message;
  };
  for (const Row& row : std::vector<Row>{
           {{text, text}, "a language model is tested on one text file"},
           {{folder.write("one.txt", "x")},
            folder.path("one.txt") + ": nothing to test on: the text has fewer than two tokens"}}) {
    ComparisonSettings settings = of_text(text);
    settings.test = row.test;
    EXPECT_EQ(message_of([&] { compare(settings, folder.path("comparison")); }), row.message);
  }
}

}  // namespace
}  // namespace heed
