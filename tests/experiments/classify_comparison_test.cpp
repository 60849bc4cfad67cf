// Models that give labels, compared.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "experiments/comparison/comparison.h"
#include "experiments/evaluation.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"
#include "tests/text_files.h"

namespace heed {
namespace {

double accuracy(const std::vector<EvaluationFigure>& figures) {
  for (const EvaluationFigure& found : figures)
    if (found.name == "accuracy") return std::get<double>(found.value);
  fail("no accuracy");
}

ComparisonSettings comparison(const std::string& data) {
  return {.models = {"rnn", "conv"},
          .data = {data},
          .task = "classify",
          .assignments = {"model.d=8", "model.layers=1", "model.kernel=3", "data.batch_tokens=256",
                          "optim.warmup=2"},
          .match = "none",
          .steps = 4,
          .seeds = 2,
          .lines = 40};
}

TEST(Classify, ModelsAreComparedByAccuracy) {
  const TemporaryFolder folder;
  const std::filesystem::path out = folder.path("comparison");
  ComparisonOptions options;
  std::vector<std::string> results;
  options.observers.on_result = [&](const std::string& line) { results.push_back(line); };
  const Comparison found = compare(comparison("toy:reviews"), out, options);
  ASSERT_EQ(found.runs.size(), 4u);
  ASSERT_EQ(found.figures.size(), 2u);
  EXPECT_EQ(found.figures[0].metric, "accuracy");
  EXPECT_TRUE(results.at(0).ends_with(found.figures[0].text(found.runs[0].scores[0])));
  EXPECT_EQ(found.figures[0].text(0.875), "accuracy 87.50 %");
  EXPECT_TRUE(to_csv(found).starts_with(
      "model,seed,d,parameters,steps,best_step,seconds,tokens_per_s,peak_mb,valid_loss,"
      "valid_perplexity,test_accuracy,test_macro_f1,outside_vocabulary,flops,"
      "decoded_tokens_per_s,state_kib,folder\n"));
  for (const RunResult& result : found.runs) {
    ASSERT_EQ(result.hypotheses.size(), 40u);
    EXPECT_TRUE(result.scores[0] >= 0 && result.scores[0] <= 1);
    const auto figures =
        evaluate(open_run((out / result.folder).string()), {.data = {"toy:reviews"}, .lines = 40});
    EXPECT_DOUBLE_EQ(accuracy(figures), result.scores[0]);
  }
  const auto json = nlohmann::ordered_json::parse(read_file(out / "comparison.json"));
  std::vector<std::string> keys;
  for (const auto& [key, value] : json["models"][0].items())
    keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"model", "d", "parameters", "outside_vocabulary",
                                            "flops", "steps", "tokens_per_s", "seconds", "peak_mb",
                                            "decoded_tokens_per_s", "state_kib", "valid_perplexity",
                                            "test_accuracy", "test_macro_f1", "accuracy_by_length",
                                            "accuracy_by_percentile", "accuracy_by_rarity"}));
  EXPECT_TRUE(json.contains("accuracy_signature"));
  EXPECT_TRUE(json["differences"][0].contains("accuracy"));
  EXPECT_EQ(json["duel"]["task"], "classify");
  EXPECT_NE(to_text(found).find("test accuracy %"), std::string::npos) << to_text(found);
}

/// Whether data name labels decides once: a comparison keeps its task.
TEST(Classify, AResumedComparisonKeepsItsTask) {
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 40; ++i)
    lines += i % 2 == 0 ? fmt::format("good {}\tyes\n", i) : fmt::format("bad {}\tno\n", i);
  ComparisonSettings settings = comparison(folder.write("r.tsv", "text\tlabel\n" + lines));
  settings.task = "";
  const std::string out = folder.path("comparison");
  EXPECT_EQ(compare(settings, out).figures[0].metric, "accuracy");
  folder.write("r.tsv", lines);
  EXPECT_EQ(read_comparison_settings(out).task, "classify");
  for (const ComparisonSettings& again : {settings, read_comparison_settings(out)})
    EXPECT_EQ(compare(again, out, {.resume = true}).figures[0].metric, "accuracy");
}

TEST(Classify, AComparisonRefusesOtherTasks) {
  ComparisonSettings with_lm = comparison("toy:reviews");
  with_lm.models = {"rnn", "lm"};
  const TemporaryFolder folder;
  EXPECT_EQ(
      message_of([&] { compare(with_lm, folder.path("comparison")); }),
      "model.name = lm is not for task.name = classify; choose one of transformer, conv, rnn, "
      "rnn+additive, rnn+dot, rnn+general, rnn+concat, rnn+multi_head, rnn+multi_query, "
      "rnn+grouped_query, rnn+linear");
  with_lm.task = "chat";
  EXPECT_EQ(message_of([&] { check_comparison(with_lm); }),
            "task: expected one of translate, classify, lm; got 'chat'");
}

}  // namespace
}  // namespace heed
