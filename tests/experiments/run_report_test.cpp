// The page on a run, and what it is made from.

#include "experiments/run_report/run_report.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "experiments/comparison/comparison.h"
#include "experiments/evaluation.h"
#include "experiments/inference/confidence.h"
#include "experiments/line_choice.h"
#include "experiments/run_metrics.h"
#include "experiments/run_report/internal/head_figures.h"
#include "experiments/training.h"
#include "models/decode/decode.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"
#include "tests/text_files.h"

namespace heed {
namespace {

std::string kept(const std::string& name) { return HEED_SOURCE_DIR "/tests/data/kept/" + name; }

TEST(RunMetrics, AreReadLineByLine) {
  const TemporaryFolder folder;
  EXPECT_TRUE(read_metrics(folder.path("none")).train.empty());
  folder.write("metrics.jsonl",
               "{\"step\":10,\"split\":\"train\",\"loss\":2.5,\"seconds\":1.5}\n"
               "{\"step\":20,\"split\":\"train\",\"loss\":null}\n"
               "{\"step\":20,\"split\":\"valid\",\"loss\":2.0}\n"
               "{\"step\":\"30\",\"split\":\"train\"}\n"
               "[1]\n\n"
               "{\"step\":30,\"split\":\"tra");
  const RunMetrics metrics = read_metrics(folder.path(""));
  ASSERT_EQ(metrics.train.size(), 2u);
  ASSERT_EQ(metrics.valid.size(), 1u);
  EXPECT_EQ(metrics.train[0].at("seconds"), 1.5);
  EXPECT_TRUE(std::isnan(metrics.train[1].at("loss")));
  EXPECT_TRUE(std::isnan(metrics.train[1].at("seconds")));
  EXPECT_EQ(column_of(metrics.train, "step"), (std::vector<double>{10, 20}));
}

TEST(RunMetrics, EventsAreThoseOfTheLog) {
  using Kind = RunEvent::Kind;
  const TemporaryFolder folder;
  EXPECT_TRUE(read_events(folder.path("none")).empty());
  folder.write("log.txt",
               "run       runs/a\n"
               "warning: the rate is high\n"
               "step 50/400  loss 2.1\n"
               "warning: clipped\n"
               "    step by step, stopped at step 9\n"
               "stopped at step 72 and saved\n"
               "run       runs/a, resumed at step 60\n"
               "step 100  validation loss 1.5  (best)\n"
               "done: 100 steps in 3 s\n");
  struct Row {
    Kind kind;
    Index step;
    std::string text;
  };
  const std::vector<Row> rows = {{Kind::warned, 0, "the rate is high"},
                                 {Kind::warned, 50, "clipped"},
                                 {Kind::stopped, 72, ""},
                                 {Kind::resumed, 60, ""},
                                 {Kind::ended, 100, "100 steps in 3 s"}};
  const std::vector<RunEvent> events = read_events(folder.path(""));
  ASSERT_EQ(events.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(events[i].kind, rows[i].kind) << i;
    EXPECT_EQ(events[i].step, rows[i].step) << i;
    EXPECT_EQ(events[i].text, rows[i].text) << i;
  }
}

TEST(LineChoice, TakesTheEndsAndSomeBetween) {
  struct Row {
    const char* what;
    std::vector<double> scores;
    std::size_t each;
    std::vector<std::size_t> worst;
    std::vector<std::size_t> best;
    std::size_t random;
  };
  const std::vector<Row> rows = {
      {"none", {}, 2, {}, {}, 0},
      {"one", {5}, 2, {0}, {}, 0},
      {"fewer than are wanted", {5, 1, 3}, 2, {1, 2}, {0}, 0},
      {"the ends", {4, 9, 1, 7, 2, 8}, 1, {2}, {1}, 1},
      // Line i has i + 1 letters: of equal scores the longer line comes first.
      {"equal ones", {3, 3, 3, 3, 3}, 2, {4, 3}, {2, 1}, 1},
  };
  using Why = ChosenLine::Why;
  for (const Row& row : rows) {
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < row.scores.size(); ++i)
      lines.emplace_back(i + 1, 'x');
    std::vector<std::size_t> found[3];
    std::vector<std::size_t> all;
    for (const ChosenLine& line :
         choose_lines(row.scores, lines, {row.each, row.each, row.each}, 7)) {
      found[static_cast<int>(line.why)].push_back(line.line);
      all.push_back(line.line);
    }
    EXPECT_EQ(found[static_cast<int>(Why::worst)], row.worst) << row.what;
    EXPECT_EQ(found[static_cast<int>(Why::best)], row.best) << row.what;
    EXPECT_EQ(found[static_cast<int>(Why::random)].size(), row.random) << row.what;
    std::sort(all.begin(), all.end());
    EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end()) << row.what;
  }
}

TEST(LineChoice, DrawsByTheSeed) {
  std::vector<double> scores(50);
  std::iota(scores.begin(), scores.end(), 0.0);
  const std::vector<std::string> lines(50, "x");
  const auto drawn = [&](Index seed) {
    std::vector<std::size_t> found;
    for (const ChosenLine& line : choose_lines(scores, lines, {5, 5, 5}, seed))
      if (line.why == ChosenLine::Why::random) found.push_back(line.line);
    return found;
  };
  EXPECT_EQ(drawn(1), drawn(1));
  EXPECT_NE(drawn(1), drawn(2));
}

TEST(HeadFigures, AreMeansOverRows) {
  // Two rows and four columns, the last of which is special. Row 0 is all on column 0, row 1 even.
  AttendedLine line{.source = {"a", "b", "c", "</s>"}, .target = {"x", "y"}};
  line.layers.push_back({"cross", 1, 2, 4, {1, 0, 0, 0, 0.25F, 0.25F, 0.25F, 0.25F}});
  const std::vector<LayerFigures> layers = head_figures({line});
  ASSERT_EQ(layers.size(), 1u);
  ASSERT_EQ(layers[0].heads.size(), 1u);
  const HeadFigures& head = layers[0].heads[0];
  EXPECT_EQ(layers[0].layer, "cross");
  EXPECT_NEAR(head.entropy, (0 + 1) / 2.0, 1e-12);
  // The rows are at 1/4 and 3/4, the columns at 1/8, 3/8, 5/8 and 7/8.
  EXPECT_NEAR(head.distance, (0.125 + 0.25 * (0.625 + 0.375 + 0.125 + 0.125)) / 2, 1e-12);
  EXPECT_NEAR(head.special, (0 + 0.25) / 2, 1e-12);
}

TEST(HeadFigures, TakeWhateverComes) {
  EXPECT_TRUE(head_figures({}).empty());
  EXPECT_TRUE(head_figures({AttendedLine{}}).empty());
  AttendedLine line{.source = {"a"}, .target = {"x", "y"}};
  line.layers.push_back({"cross", 1, 2, 1, {1, std::nanf("")}});
  const std::vector<LayerFigures> layers = head_figures({AttendedLine{}, line});
  ASSERT_EQ(layers.size(), 1u);
  EXPECT_EQ(layers[0].heads[0].entropy, 0);  // of one column
  EXPECT_NEAR(layers[0].heads[0].distance, 0.25, 1e-12);
}

TEST(Confidence, OfAnOutputSumsToItsLogProbability) {
  for (const char* name : {"transformer", "copy", "rnn-additive", "conv-characters"}) {
    const heed::Run run = open_run(kept(name));
    std::vector<std::string> lines = lines_of(read_file(kept("text.txt")));
    lines.resize(std::min<std::size_t>(lines.size(), 20));
    lines.emplace_back("");
    DecodeOptions options = run.decode_options();
    options.max_length = 12;  // some outputs are cut
    const Translations results = translate(run.decoder(), run.tokenizers, lines, options);
    const auto found = confidences(run.decoder(), run.tokenizers, lines, results, 3);
    ASSERT_EQ(found.size(), lines.size()) << name;
    EXPECT_TRUE(found.back().empty()) << name;
    for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
      const Translation& best = results[i].at(0);
      ASSERT_EQ(found[i].size(), best.ids.size() + best.ended) << name << " " << lines[i];
      double sum = 0;
      for (const TokenConfidence& token : found[i]) {
        sum += std::log(token.probability);
        ASSERT_EQ(token.best.size(), 3u);
        EXPECT_GE(token.best[0].probability, token.best[1].probability);
        EXPECT_GE(token.best[0].probability, token.probability);
        if (token.rank > 3) continue;
        EXPECT_EQ(token.best[static_cast<std::size_t>(token.rank - 1)].probability,
                  token.probability);
      }
      EXPECT_NEAR(sum, best.log_probability, 2e-4 * (1 + std::abs(best.log_probability)))
          << name << " " << lines[i];
    }
  }
}

TEST(Confidence, NamesNoWordOfAnotherSource) {
  const heed::Run run = open_run(kept("copy"));
  // The first source has words that the vocabulary lacks; the second has none.
  const std::vector<std::string> lines{"qwx zyv wvu", lines_of(read_file(kept("text.txt")))[0]};
  const Translations results =
      run.decoder().copies() ? translate(run.decoder(), run.tokenizers, lines, run.decode_options())
                             : Translations();
  ASSERT_EQ(results.size(), 2u);
  const auto found = confidences(run.decoder(), run.tokenizers, lines, results, 1'000'000);
  for (const TokenConfidence& token : found[1]) {
    double sum = 0;
    for (const TokenConfidence::Candidate& candidate : token.best)
      sum += candidate.probability;
    EXPECT_NEAR(sum, 1, 1e-4);
  }
}

TEST(Confidence, OfATextIsItsLoss) {
  const TemporaryFolder folder;
  const heed::Run run = open_run(kept("lm-characters"));
  const Index context = run.settings.value_or("model.context", Index{0});
  const std::string text = read_file(kept("text.txt")).substr(0, 300);
  const std::vector<Id> ids = run.tokenizers.target->encode(text);
  const auto found = confidences_of_text(run.decoder(), *run.tokenizers.target, ids, context);
  ASSERT_EQ(found.size(), ids.size() - 1);
  double nats = 0;
  for (const TokenConfidence& token : found)
    nats -= std::log(token.probability);
  for (const EvaluationFigure& figure : evaluate(run, {{folder.write("text.txt", text)}})) {
    if (figure.name != "loss") continue;
    EXPECT_NEAR(nats / static_cast<double>(found.size()), std::get<double>(figure.value), 1e-5);
  }
  EXPECT_TRUE(confidences_of_text(run.decoder(), *run.tokenizers.target, {}, context).empty());
}

/// Settings of a training that takes no time.
Settings quick(const std::string& model, const std::vector<std::string>& data) {
  Settings settings = default_settings(model, data);
  for (const auto& [key, value] : std::map<std::string, std::string>{{"model.d", "16"},
                                                                     {"model.layers", "1"},
                                                                     {"optim.warmup", "2"},
                                                                     {"train.steps", "6"},
                                                                     {"train.log_every", "2"},
                                                                     {"train.eval_every", "3"}})
    settings.set(key, value);
  return settings;
}

struct ReportRow {
  const char* model;
  std::string data;
  std::vector<std::string> parts;  // that the page has
};

TEST(RunReport, IsLeftByATrainingOfAnyTask) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 80; ++i)
    text += fmt::format("It is {} minutes past nine, and all is well.\n", i);
  const std::vector<ReportRow> rows = {
      {"transformer", "toy:reverse", {"BLEU by source words", "second best", "decoder.0.cross"}},
      {"rnn", "toy:reverse", {"rarest source word", "third best"}},
      {"transformer", "toy:reviews", {"accuracy", "confusion matrix", "predicted"}},
      {"conv", "toy:shapes", {"confusion matrix", "data:image/png"}},
      {"lm", folder.write("text.txt", text), {"What it expected", "What it writes"}},
  };
  for (const ReportRow& row : rows) {
    const std::string run = folder.path(fmt::format("run-{}-{}", row.model, row.parts[0]));
    Training(quick(row.model, {row.data}), run).run();
    const std::string page = read_file(run + "/report.html");
    for (const char* part : {"How it learnt", "Loss by step", "by second", "lowest validation loss",
                             "model.d", "Weights", "</html>"})
      EXPECT_NE(page.find(part), std::string::npos) << row.model << " " << row.data << ": " << part;
    for (const std::string& part : row.parts)
      EXPECT_NE(page.find(part), std::string::npos) << row.model << " " << row.data << ": " << part;
    for (const char* outside : {"http:", "https:", "url(", "@import", "<script", "<link"})
      EXPECT_EQ(page.find(outside), std::string::npos) << outside;
    EXPECT_LT(page.size(), 2u << 20) << row.data;
  }
}

TEST(RunReport, OfATrainingThatIsInterruptedHasItsCurvesAlone) {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  Index seen = 0;
  TrainingObservers observers;
  observers.on_step = [&](const StepReport& report) { seen = report.step; };
  observers.should_stop = [&] { return seen >= 4; };
  Training(quick("transformer", {"toy:reverse"}), run).run(observers);
  std::string page = read_file(run + "/report.html");
  EXPECT_NE(page.find("stopped at step 4"), std::string::npos);
  EXPECT_EQ(page.find("Outputs"), std::string::npos);
  Training(read_run_settings(run), run, {.resume = true}).run();
  page = read_file(run + "/report.html");
  EXPECT_NE(page.find("resumed at step 4"), std::string::npos);
  EXPECT_NE(page.find("Outputs"), std::string::npos);
}

TEST(RunReport, IsNotLeftWhereItIsNotWantedAndDoesNotEndATraining) {
  const TemporaryFolder folder;
  Settings settings = quick("transformer", {"toy:reverse"});
  settings.set("train.report", "false");
  Training(settings, folder.path("without")).run();
  EXPECT_FALSE(std::filesystem::exists(folder.path("without/report.html")));

  compare({.models = {"rnn"},
           .data = {"toy:reverse"},
           .assignments = {"model.d=8"},
           .match = "none",
           .steps = 3,
           .seeds = 1,
           .lines = 20},
          folder.path("comparison"));
  EXPECT_FALSE(std::filesystem::exists(folder.path("comparison/runs/rnn-seed1/report.html")));

  settings.set("train.report", "true");
  std::vector<std::string> lines;
  TrainingObservers observers;
  observers.on_line = [&](const std::string& line) { lines.push_back(line); };
  observers.on_step = [&](const StepReport&) {
    std::filesystem::create_directories(folder.path("blocked/report.html/full"));
  };
  Training(settings, folder.path("blocked")).run(observers);
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.starts_with("warning: no report: ");
  }));
}

TEST(RunReport, GoesWithoutWhatIsGone) {
  const TemporaryFolder folder;
  folder.write("a", "one two\nthree four\nfive six\nseven eight\nnine ten\none six\n");
  folder.write("b", "1 2\n3 4\n5 6\n7 8\n9 10\n1 6\n");
  const std::string run = folder.path("run");
  Settings settings = quick("transformer", {folder.path("a"), folder.path("b")});
  settings.set("train.report", "false");
  Training(settings, run).run();
  std::filesystem::remove(folder.path("a"));
  EXPECT_NE(run_report(run).text().find("There are no outputs here"), std::string::npos);
  EXPECT_NE(message_of([&] { run_report(run, {.data = {"none.tsv"}}); }).find("none.tsv"),
            std::string::npos);
  EXPECT_NE(run_report(run, {.data = {"toy:reverse"}, .lines = 5}).text().find("On toy:reverse: 5"),
            std::string::npos);
  for (const auto& [file, said] : std::vector<std::pair<std::string, std::string>>{
           {"best", "The model cannot be opened"}, {"last", "There is no checkpoint to look at"}}) {
    folder.write("run/checkpoints/" + file + ".heed", "not a checkpoint");
    const std::string page = run_report(run).text();
    EXPECT_NE(page.find(said), std::string::npos) << file;
    EXPECT_NE(page.find("Loss by step"), std::string::npos) << file;
  }
  EXPECT_NE(message_of([&] { run_report(folder.path("nothing")); }), "");
}

}  // namespace
}  // namespace heed
