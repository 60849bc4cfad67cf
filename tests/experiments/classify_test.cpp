// The task classify, from its data to the figures of a run.

#include <cmath>

#include <gtest/gtest.h>

#include "datasets/text/labels.h"
#include "experiments/evaluation.h"
#include "experiments/inference/prediction.h"
#include "experiments/inference/tokenizer_files.h"
#include "experiments/training.h"
#include "framework/checkpoint.h"
#include "framework/run_folder.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"
#include "tests/text_files.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

/// Labelled texts: each holds the name of its class or of its opposite after "not".
std::string labelled(int count) {
  std::string tsv = "text\tlabel\n";
  for (int i = 0; i < count; ++i) {
    const bool good = i % 2 == 0;
    const bool negated = i % 3 == 0;
    tsv += fmt::format("the film {}was {} {}\t{}\n", negated ? "not " : "", good ? "fine" : "bad",
                       i % 5 == 0 ? "today" : "", good != negated ? "praise" : "blame");
  }
  return tsv;
}

/// A model of a few hundred parameters, six steps and three validations.
Settings small(const std::string& model, const std::string& data,
               const std::vector<std::string>& assignments = {}) {
  Settings settings = default_settings(model, {data});
  settings.data.train = {data};
  for (const auto& [key, value] : {std::pair("model.d", "8"),
                                   {"model.layers", "1"},
                                   {"data.batch_tokens", "64"},
                                   {"train.steps", "6"},
                                   {"train.eval_every", "2"},
                                   {"train.save_every", "2"},
                                   {"optim.warmup", "2"}})
    if (settings.has(key)) settings.set(key, value);
  if (model == "conv") settings.set("model.positions", "12");
  for (const std::string& assignment : assignments) {
    const auto equals = assignment.find('=');
    settings.set(assignment.substr(0, equals), assignment.substr(equals + 1));
  }
  return settings;
}

/// The bytes of the newest checkpoint, without times.
std::string weights_and_state(const std::string& run) {
  Checkpoint checkpoint = load(RunFolder(run).last());
  for (const char* name : {"seconds", "warmup_seconds", "row_seconds"})
    checkpoint.reals.erase(name);
  const std::string path = run + ".timeless";
  save(checkpoint, path);
  return read_file(path);
}

std::vector<std::vector<Prediction>> ask(const heed::Run& run,
                                         const std::vector<std::string>& texts) {
  return predict(model_as<Classifier>(*run.model), run.tokenizers, texts);
}

TEST(Classify, IsTheTaskOfDataThatNameLabels) {
  const TemporaryFolder folder;
  const std::string reviews = folder.write("reviews.tsv", labelled(20));
  const std::string pairs = folder.write("pairs.tsv", "a cat\tun chat\na dog\tun chien\n");
  const std::string headed = folder.write("headed.tsv", "text\tlabel\ngood\tyes\n");
  const std::string objects = folder.write("x.jsonl", R"({"text": "a", "label": 1})"
                                                      "\n");
  struct Row {
    std::string data;
    std::string model;
    std::string asked;
    std::string task;
  };
  for (const Row& row : std::vector<Row>{{"toy:reviews", "rnn", "", "classify"},
                                         {reviews, "conv", "", "classify"},
                                         {headed, "transformer", "", "classify"},
                                         {objects, "transformer", "", "classify"},
                                         {pairs, "transformer", "", "translate"},
                                         {pairs, "rnn", "classify", "classify"},
                                         {reviews, "transformer", "translate", "translate"},
                                         {"toy:reviews", "conv", "translate", "translate"},
                                         {"toy:copy", "rnn", "", "translate"},
                                         {"missing.tsv", "rnn", "", "translate"}}) {
    const Settings settings = default_settings(row.model, {row.data}, row.asked);
    EXPECT_EQ(settings.task.name, row.task) << row.data << " " << row.model;
    EXPECT_EQ(settings.has("task.pool"), row.task == "classify") << row.data;
    EXPECT_EQ(settings.data.long_pairs, row.task == "classify" ? "cut" : "drop") << row.data;
  }
}

constexpr auto copied = fs::copy_options::recursive | fs::copy_options::copy_symlinks;

struct Model {
  const char* family;
  const char* pool;
};

class ClassifyModels : public testing::TestWithParam<Model> {};

TEST_P(ClassifyModels, TrainIsKilledAndGoesOnToTheSameBytes) {
  const TemporaryFolder folder;
  const std::string data = folder.write("reviews.tsv", labelled(60));
  const Settings settings =
      small(GetParam().family, data, {fmt::format("task.pool={}", GetParam().pool)});
  const std::string whole = folder.path("whole");
  Training(settings, whole).run();

  // The folder as a process leaves it that is killed in step 5.
  const std::string cut = folder.path("cut");
  TrainingObservers observers;
  observers.on_step = [&](const StepReport& report) {
    if (report.step == 5) fs::copy(folder.path("killed"), cut, copied);
  };
  Training(settings, folder.path("killed")).run(observers);
  EXPECT_EQ(Training(read_run_settings(cut), cut, {.resume = true}).run().trained, 2);
  EXPECT_EQ(weights_and_state(cut), weights_and_state(whole));

  const heed::Run run = open_run(cut);
  const auto best = ask(run, {"the film was fine", "the film was bad"});
  const auto same = ask(open_run(whole), {"the film was fine", "the film was bad"});
  for (std::size_t i = 0; i < best.size(); ++i)
    EXPECT_EQ(best[i][0].probability, same[i][0].probability);
}

INSTANTIATE_TEST_SUITE_P(Every, ClassifyModels,
                         testing::Values(Model{"rnn", "mean"}, Model{"rnn", "last"},
                                         Model{"rnn", "attention"}, Model{"conv", "mean"},
                                         Model{"conv", "last"}, Model{"conv", "attention"},
                                         Model{"transformer", "mean"}, Model{"transformer", "last"},
                                         Model{"transformer", "attention"}),
                         [](const auto& row) {
                           return fmt::format("{}_{}", row.param.family, row.param.pool);
                         });

/// A trained run of one of the models, opened.
heed::Run trained(const TemporaryFolder& folder, const std::string& model,
                  const std::vector<std::string>& assignments = {}) {
  const std::string data = folder.write("reviews.tsv", labelled(60));
  Training(small(model, data, assignments), folder.path("run")).run();
  return open_run(folder.path("run"));
}

TEST(Predict, GivesEveryClassWithItsProbability) {
  for (const char* model : {"rnn", "conv", "transformer"}) {
    const TemporaryFolder folder;
    const heed::Run run = trained(folder, model);
    std::string too_long = "the film was fine";
    for (int i = 0; i < 30; ++i)
      too_long += " today";
    const std::vector<std::string> texts = {
        "the film was fine", "", "zzzq was zzzq", "bad", too_long, "  ", "the film was not bad"};
    const auto together = ask(run, texts);
    ASSERT_EQ(together.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (texts[i].find_first_not_of(' ') == std::string::npos) {
        EXPECT_TRUE(together[i].empty()) << "a blank line";
        continue;
      }
      ASSERT_EQ(together[i].size(), 2u);
      EXPECT_NE(together[i][0].label, together[i][1].label);
      EXPECT_GE(together[i][0].probability, together[i][1].probability);
      EXPECT_NEAR(together[i][0].probability + together[i][1].probability, 1, 1e-12);
      const auto alone = ask(run, {texts[i]});
      for (std::size_t c = 0; c < 2; ++c) {
        EXPECT_EQ(alone[0][c].label, together[i][c].label) << model << ": " << texts[i];
        EXPECT_NEAR(alone[0][c].probability, together[i][c].probability, 1e-5) << texts[i];
      }
    }
    const auto labels = best_labels(model_as<Classifier>(*run.model), run.tokenizers, texts);
    for (std::size_t i = 0; i < texts.size(); ++i)
      EXPECT_EQ(labels[i], together[i].empty() ? "" : together[i][0].label);
  }
}

/// What the model reads of a text is what it can place.
TEST(Predict, CutsTextsToThePositionsOfTheModel) {
  const TemporaryFolder folder;
  const heed::Run run = trained(folder, "conv");
  const auto longest = static_cast<std::size_t>(run.model->longest());
  ASSERT_EQ(longest, 12u) << "positions, of which </s> takes one";
  std::string read = "the";
  for (std::size_t i = 1; i + 1 < longest; ++i)
    read += " film";
  const auto found = ask(run, {read, read + " was bad bad bad"});
  EXPECT_EQ(found[0][0].probability, found[1][0].probability);
}

TEST(Predict, ShowsTheWeightsOfThePooling) {
  for (const char* pool : {"attention", "mean"}) {
    const TemporaryFolder folder;
    const heed::Run run = trained(folder, "transformer", {fmt::format("task.pool={}", pool)});
    const Classifier& model = model_as<Classifier>(*run.model);
    std::vector<AttendedLine> attended;
    const std::vector<std::string> texts = {"the film was bad", "", "fine"};
    const auto found = predict(model, run.tokenizers, texts, &attended);
    EXPECT_EQ(model.attends(), std::string(pool) == "attention");
    ASSERT_EQ(attended.size(), texts.size());
    EXPECT_EQ(attended[0].source, (std::vector<std::string>{"the", "film", "was", "bad", "</s>"}));
    EXPECT_EQ(attended[0].target, std::vector<std::string>{found[0][0].label});
    EXPECT_TRUE(attended[1].layers.empty() && attended[1].source.empty()) << "a blank line";
    EXPECT_EQ(attended[0].layers.size(), model.attends() ? 1u : 0u);
    for (const AttentionLayerMap& map : attended[0].layers) {
      double sum = 0;
      for (const float weight : map.weights)
        sum += static_cast<double>(weight);
      EXPECT_NEAR(sum, 1, 1e-5);
      EXPECT_EQ(map.weights.size(), 5u);
    }
  }
}

/// All files of a run, by their names in its folder.
RunFiles files_of(const std::string& folder) {
  RunFiles files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files.files[fs::relative(entry.path(), folder).string()] = read_file(entry.path());
  return files;
}

TEST(Classify, ARunIsTheSameFromMemory) {
  const TemporaryFolder folder;
  const heed::Run run = trained(folder, "rnn");
  RunFiles files = files_of(folder.path("run"));
  const auto from_folder = ask(run, {"the film was fine"});
  const auto from_memory = ask(open_run(files), {"the film was fine"});
  EXPECT_EQ(from_folder[0][0].label, from_memory[0][0].label);
  EXPECT_EQ(from_folder[0][0].probability, from_memory[0][0].probability);
  files.files["labels.txt"] = "blame\npraise!\n";
  EXPECT_NE(message_of([&] { open_run(files); }), "") << "other labels";
}

TEST(Classify, WritesNoText) {
  const TemporaryFolder folder;
  const heed::Run run = trained(folder, "conv");
  const std::string expected = "classify gives labels, and writes no text; see `predict`";
  EXPECT_EQ(message_of([&] { run.decoder(); }), expected);
  EXPECT_EQ(message_of([&] { run.translate("the film"); }), expected);
  EXPECT_EQ(message_of([&] { run.attention("the film"); }), expected);
  EXPECT_EQ(message_of([&] { model_as<Seq2Seq>(*run.model); }),
            "[model_as] expected a model of another kind");
}

/// The figure of this name.
const EvaluationFigure& figure(const std::vector<EvaluationFigure>& figures,
                               const std::string& name) {
  for (const EvaluationFigure& found : figures)
    if (found.name == name) return found;
  fail("no figure {}", name);
}

TEST(Evaluate, CountsTheLabelsThatAreRight) {
  const TemporaryFolder folder;
  const heed::Run run = trained(folder, "rnn");
  const std::string data = folder.write("test.tsv", labelled(31));
  const auto figures = evaluate(run, {.data = {data}});
  // By the definition: a label is right where it is the gold one.
  std::map<std::string, std::map<std::string, Index>> confusion;
  Index right = 0;
  const std::vector<std::string> lines = lines_of(read_file(data));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t tab = lines[i].find('\t');
    const std::string gold = lines[i].substr(tab + 1);
    const std::string found = ask(run, {lines[i].substr(0, tab)})[0][0].label;
    ++confusion[gold][found];
    right += gold == found;
  }
  EXPECT_EQ(std::get<Index>(figure(figures, "lines").value), 31);
  EXPECT_DOUBLE_EQ(std::get<double>(figure(figures, "accuracy").value),
                   static_cast<double>(right) / 31);
  double f1 = 0;
  for (const std::string gold : {"blame", "praise"}) {
    const std::string other = gold == "blame" ? "praise" : "blame";
    const auto both = static_cast<double>(confusion[gold][gold]);
    const auto wrong = static_cast<double>(confusion[gold][other] + confusion[other][gold]);
    if (both > 0) f1 += 2 * both / (2 * both + wrong) / 2;
    for (const std::string& found : {gold, other})
      EXPECT_EQ(figure(figures, "confusion").confusion->count(gold, found), confusion[gold][found]);
  }
  EXPECT_NEAR(std::get<double>(figure(figures, "macro_f1").value), f1, 1e-12);
  EXPECT_GT(std::get<double>(figure(figures, "loss").value), 0);
}

TEST(Classify, RefusesOtherLabels) {
  const TemporaryFolder folder;
  trained(folder, "rnn");
  const std::string run = folder.path("run");
  Settings again = read_run_settings(run);
  again.set("train.steps", "8");
  const std::string labels = folder.path("run/labels.txt");
  const auto resume = [&] { Training(again, run, {.resume = true}).run(); };
  const std::string kept = read_file(labels);
  const std::string not_these =
      "run: the tokenizer here is not the one this run was trained with (tokenizer.json and "
      "labels.txt); copy it again from where the run comes from";
  std::ofstream(labels) << kept << "shrug\n";
  EXPECT_EQ(folder.message([&] { open_run(run); }), not_these);
  EXPECT_EQ(folder.message(resume), not_these);
  std::ofstream(labels) << "praise\nblame\n";
  EXPECT_TRUE(folder.message([&] { open_run(run); }).starts_with("run/labels.txt: "));
  std::ofstream(labels) << kept;
  // A label that the run does not know, in the data that it is resumed with.
  std::string changed = read_file(folder.path("reviews.tsv"));
  changed.replace(changed.rfind("\t") + 1, std::string::npos, "shrug\n");
  folder.write("reviews.tsv", changed);
  EXPECT_EQ(folder.message(resume),
            "reviews.tsv:61: unknown label 'shrug': expected blame, praise; the data have changed "
            "since this run began: give what it began with");
}

TEST(Classify, RefusesALabelThatOnlyTheValidationDataHave) {
  const TemporaryFolder folder;
  const std::string data = folder.write("reviews.tsv", labelled(20));
  Settings settings = small("rnn", data);
  settings.data.valid = {folder.write("valid.tsv", "text\tlabel\nfine\tpraise\nbad\tshrug\n")};
  EXPECT_EQ(folder.message([&] { Training(settings, folder.path("run")); }),
            "valid.tsv:3: unknown label 'shrug': expected blame, praise");
  EXPECT_FALSE(fs::exists(folder.path("run")));
}

TEST(Classify, KnowsALabelThatOnlyHeldOutTextsHave) {
  const TemporaryFolder folder;
  std::string data = "text\tlabel\n";
  for (int i = 0; i < 10; ++i)
    data += fmt::format("a film {}\tcommon\nanother film {}\trare{}\n", i, i, i);
  Settings settings = small("rnn", folder.write("reviews.tsv", data));
  settings.data.valid_fraction = 0.5;
  const Training training(settings, folder.path("run"));
  EXPECT_EQ(training.corpus.tokenizers.labels->size(), 11);
  EXPECT_EQ(training.corpus.valid_pairs->size(), 10);
}

TEST(Classify, RefusesAFamilyThatReadsNoPairs) {
  const TemporaryFolder folder;
  const std::string data = folder.write("r.tsv", labelled(9));
  const std::string expected = "model.name = lm is not for task.name = classify; choose one of ";
  EXPECT_TRUE(
      message_of([&] { default_settings("lm", {data}, "classify"); }).starts_with(expected));
  Settings settings = default_settings("lm", {data});
  EXPECT_EQ(settings.task.name, "lm");
  settings.set("task.name", "classify");
  EXPECT_TRUE(message_of([&] { settings.check(); }).starts_with(expected));
}

/// Class 3 is no unknown word, and the names of classes are no text.
TEST(Classify, WarnsOfUnknownWordsInTextsAlone) {
  const TemporaryFolder folder;
  std::string tsv = "text\tlabel\n";
  for (const char* label : {"a", "b", "c", "d", "e"})
    for (int i = 0; i < 4; ++i)
      tsv += fmt::format("word {}\t{}\n", label, label);
  const Training training(small("rnn", folder.write("five.tsv", tsv), {"data.valid_fraction=0"}),
                          folder.path("run"));
  EXPECT_EQ(fmt::format("{}", fmt::join(training.corpus.warnings, "\n")), "");
}

}  // namespace
}  // namespace heed
