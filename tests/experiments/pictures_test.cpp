// Models that read pictures, from the data to the figures of a run.

#include <algorithm>

#include <gtest/gtest.h>

#include "datasets/images/picture_file.h"
#include "datasets/images/picture_pairs.h"
#include "experiments/comparison/comparison.h"
#include "experiments/defaults/chosen_defaults.h"
#include "experiments/evaluation.h"
#include "experiments/exporting.h"
#include "experiments/inference/prediction.h"
#include "experiments/training.h"
#include "framework/checkpoint.h"
#include "framework/run_folder.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"
#include "tests/text_files.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

/// The settings of a small model, with what is chosen for the data.
Settings small(const std::string& model, const std::vector<std::string>& data,
               const std::vector<std::string>& assignments = {}) {
  Settings settings = default_settings(model, data);
  choose_defaults(settings, survey(settings));
  for (const auto& [key, value] : {std::pair("model.d", "16"),
                                   {"model.layers", "1"},
                                   {"data.batch_tokens", "180"},
                                   {"train.steps", "6"},
                                   {"train.eval_every", "2"},
                                   {"train.save_every", "2"},
                                   {"optim.warmup", "2"}})
    settings.set(key, value);
  for (const std::string& assignment : assignments) {
    const auto equals = assignment.find('=');
    settings.set(assignment.substr(0, equals), assignment.substr(equals + 1));
  }
  return settings;
}

/// A folder of pictures in grey, 10 x 14: bright on the left or on the right, ten of each.
std::string write_halves(const TemporaryFolder& folder, const std::string& name) {
  Random random(3);
  for (const std::string label : {"left", "right"})
    for (int i = 0; i < 10; ++i) {
      Picture picture{.height = 10, .width = 14};
      for (Index y = 0; y < 10; ++y)
        for (Index x = 0; x < 14; ++x) {
          const bool bright = (x < 7) == (label == "left");
          picture.bytes.push_back(
              static_cast<std::uint8_t>(random.below(100) + (bright ? 150 : 0)));
        }
      fs::create_directories(folder.path(name + "/" + label));
      folder.write(fmt::format("{}/{}/{}.png", name, label, i), png_of(picture));
    }
  return folder.path(name);
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

TEST(PictureTask, IsThatOfDataThatArePictures) {
  const TemporaryFolder folder;
  const std::string data = write_halves(folder, "halves");
  const Settings of_folder = small("transformer", {data});
  EXPECT_EQ(of_folder.task.name, "classify");
  EXPECT_EQ(of_folder.source.name, "image");
  // 10 and 14, brought to multiples of a patch of 4
  EXPECT_EQ(setting_text(of_folder, "source.height"), "12");
  EXPECT_EQ(setting_text(of_folder, "source.width"), "16");
  EXPECT_EQ(setting_text(of_folder, "source.colour"), "false");
  const Settings shapes = small("conv", {"toy:shapes"});
  EXPECT_EQ(setting_text(shapes, "source.height"), "24");
  EXPECT_EQ(setting_text(shapes, "source.colour"), "true");
  EXPECT_EQ(default_settings("conv", {"toy:reviews"}).source.name, "text");
  Settings translator = default_settings("transformer", {"a.en", "a.fr"});
  translator.set("source.name", "image");
  EXPECT_EQ(message_of([&] { translator.check(); }),
            "source.name = image needs task.name = classify; got translate, which reads texts");
  EXPECT_EQ(message_of([&] { small("rnn", {"toy:shapes"}, {"source.patch=5"}).check(); }),
            "source.patch: expected a divisor of height = 24; got 5");
  // What is given goes before, in any part.
  const auto with = [&](const std::vector<std::pair<std::string, std::string>>& given) {
    Settings settings = default_settings("rnn", {data});
    for (const auto& [key, value] : given)
      settings.set(key, value);
    settings.check();
    choose_defaults(settings, survey(settings));
    settings.check();
    return fmt::format("{} {} {}", setting_text(settings, "source.height"),
                       setting_text(settings, "source.width"),
                       setting_text(settings, "source.patch"));
  };
  EXPECT_EQ(with({}), "12 16 4");  // 10 x 14
  EXPECT_EQ(with({{"source.patch", "7"}}), "7 14 7");
  EXPECT_EQ(with({{"source.height", "6"}}), "6 14 2");
  EXPECT_EQ(with({{"source.height", "100"}, {"source.width", "36"}}), "100 36 4");
  EXPECT_EQ(message_of([&] {
              with({{"source.height", "6"}, {"source.width", "6"}, {"source.shift", "6"}});
            }),
            "source.shift: expected below height = 6 and width = 6; got 6");
}

TEST(PictureTask, FunctionsOfTheDefaults) {
  struct Row {
    Index height;
    Index width;
    Index patch;
    Index brought_height;
    Index brought_width;
  };
  for (const Row& row : {Row{28, 28, 4, 28, 28}, Row{30, 31, 4, 32, 32}, Row{2, 32, 4, 4, 32},
                         Row{33, 20, 8, 32, 24}, Row{480, 640, 8, 64, 64}}) {
    const Index patch = picture_patch(std::max(row.height, row.width));
    EXPECT_EQ(patch, row.patch) << row.height;
    EXPECT_EQ(picture_side(row.height, patch), row.brought_height) << row.height;
    EXPECT_EQ(picture_side(row.width, patch), row.brought_width) << row.width;
  }
}

struct Model {
  std::string family;
  std::string rows;
};

class PictureModels : public testing::TestWithParam<Model> {};

TEST_P(PictureModels, TrainIsKilledAndGoesOnToTheSameBytes) {
  const TemporaryFolder folder;
  const Settings settings =
      small(GetParam().family, {"toy:shapes"},
            {"source.rows=" + GetParam().rows, "source.shift=2", "source.mirror=true"});
  const std::string whole = folder.path("whole");
  Training(settings, whole).run();
  EXPECT_FALSE(fs::exists(whole + "/tokenizer.json"));

  // The folder as a process leaves it that is killed in step 5.
  const std::string cut = folder.path("cut");
  TrainingObservers observers;
  observers.on_step = [&](const StepReport& report) {
    if (report.step == 5)
      fs::copy(folder.path("killed"), cut,
               fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  };
  Training(settings, folder.path("killed")).run(observers);
  EXPECT_EQ(Training(read_run_settings(cut), cut, {.resume = true}).run().trained, 2);
  EXPECT_EQ(weights_and_state(cut), weights_and_state(whole));
}

INSTANTIATE_TEST_SUITE_P(
    Every, PictureModels,
    testing::Values(Model{"transformer", "patches"}, Model{"transformer", "convolutions"},
                    Model{"transformer", "lines"}, Model{"rnn", "lines"},
                    Model{"rnn+additive", "patches"}, Model{"conv", "convolutions"}),
    [](const auto& row) {
      const std::string name = row.param.family == "rnn+additive" ? "attentive" : row.param.family;
      return name + "_" + row.param.rows;
    });

TEST(PictureTask, LearnsPredictsAndMoves) {
  const TemporaryFolder folder;
  const std::string data = write_halves(folder, "halves");
  const std::string run_path = folder.path("run");
  Training(small("transformer", {data}, {"train.steps=150", "optim.lr=0.02"}), run_path).run();
  const heed::Run run = open_run(run_path);
  const auto figures = evaluate(run, {.data = {data}});
  EXPECT_EQ(figures[0].name, "pictures");
  EXPECT_EQ(std::get<Index>(figures[0].value), 20);
  const auto accuracy = std::ranges::find(figures, "accuracy", &EvaluationFigure::name);
  ASSERT_NE(accuracy, figures.end());
  EXPECT_EQ(std::get<double>(accuracy->value), 1);

  const auto& model = model_as<Classifier>(*run.model);
  const std::vector<std::string> names = {data + "/left/1.png", "", data + "/right/2.png"};
  const auto found = predict(model, run.tokenizers, names);
  EXPECT_EQ(found[0][0].label, "left");
  EXPECT_TRUE(found[1].empty()) << "a blank line";
  EXPECT_EQ(found[2][0].label, "right");
  EXPECT_EQ(best_labels(model, run.tokenizers, names),
            (std::vector<std::string>{"left", "", "right"}));
  const std::vector<std::string> none = {folder.path("none.png")};
  EXPECT_EQ(message_of([&] { predict(model, run.tokenizers, none); }), none[0] + ": no such file");

  // A run whose data moved goes on; with others it does not.
  fs::rename(data, folder.path("moved"));
  Settings moved = read_run_settings(run_path);
  moved.set("data.train", folder.path("moved"));
  moved.set("train.steps", "152");
  EXPECT_EQ(Training(moved, run_path, {.resume = true}).run().trained, 2);
  fs::remove(folder.path("moved/left/3.png"));
  moved.set("train.steps", "154");
  EXPECT_NE(message_of([&] {
              Training(moved, run_path, {.resume = true}).run();
            }).find("moved: has changed since this run began"),
            std::string::npos);
}

TEST(PictureTask, IsExportedAndImported) {
  const TemporaryFolder folder;
  const std::string run_path = folder.path("run");
  Training(small("rnn", {"toy:shapes"}), run_path).run();
  const std::string file = folder.path("run.safetensors");
  export_run(run_path, file);
  import_run(file, folder.path("again"));
  const heed::Run run = open_run(run_path);
  const heed::Run again = open_run(folder.path("again"));
  const std::vector<std::string> names = {
      open_pictures({"toy:shapes"}, {}, Split::test, 1)->at(0).source};
  const auto one = predict(model_as<Classifier>(*run.model), run.tokenizers, names);
  const auto other = predict(model_as<Classifier>(*again.model), again.tokenizers, names);
  EXPECT_EQ(one[0][0].probability, other[0][0].probability);
}

TEST(PictureTask, ModelsAreCompared) {
  const TemporaryFolder folder;
  const Comparison found = compare({.models = {"rnn", "transformer", "conv"},
                                    .data = {"toy:shapes"},
                                    .assignments = {"model.d=8", "model.layers=1", "model.kernel=3",
                                                    "data.batch_tokens=180", "optim.warmup=2"},
                                    .match = "none",
                                    .steps = 3,
                                    .seeds = 1,
                                    .lines = 40},
                                   folder.path("comparison"));
  ASSERT_EQ(found.runs.size(), 3u);
  for (const RunResult& result : found.runs) {
    ASSERT_EQ(result.hypotheses.size(), 40u);
    const Settings settings = read_run_settings(folder.path("comparison/" + result.folder));
    EXPECT_EQ(setting_text(settings, "source.height"), "24") << "chosen for a comparison too";
  }
}

}  // namespace
}  // namespace heed
