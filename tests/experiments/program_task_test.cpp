// A task of a program's own: numbers in, a number out, trained and tested by its name.

#include <sstream>

#include <gtest/gtest.h>

#include "experiments/task_works.h"
#include "experiments/training.h"
#include "framework/checkpoint.h"
#include "framework/run_folder.h"
#include "layers/linear.h"
#include "tests/datasets/temporary.h"
#include "tests/text_files.h"

namespace heed {
namespace {

/// y = w x + b for two numbers x.
struct Plane final : Model {
  Linear map;
  explicit Plane(Random& random) : map(2, 1, random) {}
  void visit(Visitor& v) override { v("map", map); }
};

struct Point : Draw {
  Tensor x{Shape{1, 2}};
  Tensor y{Shape{1, 1}};
};

Point point_of(const Pair& pair) {
  Point point;
  std::istringstream(pair.source) >> point.x[0] >> point.x[1];
  std::istringstream(pair.target) >> point.y[0];
  return point;
}

/// The sum of squared errors, of one line of the data a draw.
class PlaneObjective : public Objective {
 public:
  PlaneObjective(const Plane& plane, const Corpus& corpus, double scale)
      : plane_(plane), train_(*corpus.train_pairs), valid_(*corpus.valid_pairs), scale_(scale) {}
  std::shared_ptr<const Draw> draw() override {
    const Index item = next_++ % train_.size();
    auto point = std::make_shared<Point>();
    const Point found = point_of(train_.at(item));
    point->x = found.x;
    point->y = found.y;
    point->weight = point->tokens = 1;
    point->items = {item};
    return point;
  }
  std::shared_ptr<const Draw> only(const Draw&, Index) const override { return nullptr; }
  Loss loss(const Draw& draw, Real divisor) const override {
    const auto& point = static_cast<const Point&>(draw);
    const Variable error = sum(square(plane_.map(point.x) - point.y));
    return {error * (static_cast<Real>(scale_) / divisor), static_cast<double>(error.item())};
  }
  std::optional<Evaluation> evaluate() override {
    double total = 0;
    for (Index i = 0; i < valid_.size(); ++i)
      total += loss(point_of(valid_.at(i)), 1).nats;
    return Evaluation{.loss = total / static_cast<double>(valid_.size())};
  }
  double epochs() const override {
    return static_cast<double>(next_) / static_cast<double>(train_.size());
  }
  std::vector<std::int64_t> position() const override { return {next_}; }
  void seek(std::span<const std::int64_t> position) override { next_ = position[0]; }
  std::string describe(std::span<const Index> items) const override {
    return fmt::format("points {}", fmt::join(items, ", "));
  }

 private:
  const Plane& plane_;
  const PairSource& train_;
  const PairSource& valid_;
  double scale_;
  Index next_ = 0;
};

struct PlaneOptions {
  double scale = 1;
  void list(Fields& f) { f("scale", scale, between(0.0, 10.0), "of the loss"); }
};

void add_own_task() {
  if (tasks().find("own_plane")) return;
  tasks().add(
      {.name = "own_plane",
       .help = "two numbers to one",
       .options = PlaneOptions{},
       .defaults = {{"train.eval_every", Index{4}}, {"data.min_count", Index{1}}},
       .decodes = false,
       .takes = [](const ModelFamily&) { return true; },
       .make = [](const RunSettings&, const Tokenizers&, Random& random) -> std::unique_ptr<Model> {
         return std::make_unique<Plane>(random);
       }});
  task_works().add(
      {.name = "own_plane",
       .open = open_pair_corpus,
       .objective = [](const Settings& s, Model& model, Corpus& corpus,
                       const ShouldStop&) -> std::unique_ptr<Objective> {
         return std::make_unique<PlaneObjective>(model_as<Plane>(model), corpus,
                                                 s.task.options.as<PlaneOptions>().scale);
       },
       .sample = [](const Settings&, const Model&, const Corpus&, Index) { return "a sample"; },
       .evaluate = [](const Run& run, const EvaluationData&,
                      const ShouldStop&) -> std::vector<EvaluationFigure> {
         const auto& plane = model_as<Plane>(*run.model);
         return {{"at_1_1", static_cast<double>(plane.map(Tensor::full({1, 2}, 1)).item())}};
       }});
}

TEST(OwnTask, IsTrainedByItsName) {
  add_own_task();
  const TemporaryFolder folder;
  std::string tsv;  // y = 2 a - b
  for (int a = -3; a <= 3; ++a)
    for (int b = -3; b <= 3; ++b)
      tsv += fmt::format("{} {}\t{}\n", a, b, 2 * a - b);
  Settings settings = default_settings("rnn", {folder.write("plane.tsv", tsv)}, "own_plane");
  EXPECT_EQ(settings.train.eval_every, 4);
  for (const auto& [key, value] : {std::pair("task.scale", "0.5"),
                                   {"optim.lr", "0.05"},
                                   {"optim.warmup", "0"},
                                   {"train.steps", "400"},
                                   {"train.save_every", "4"}})
    settings.set(key, value);
  const std::string whole = folder.path("whole");
  const std::string killed = folder.path("killed");
  TrainingObservers observers;
  std::string lines;
  observers.on_line = [&](const std::string& line) { lines += line + "\n"; };
  observers.on_step = [&](const StepReport& report) {
    constexpr auto copied = std::filesystem::copy_options::recursive;
    if (report.step == 399) std::filesystem::copy(whole, killed, copied);
  };
  const TrainResult result = Training(settings, whole).run(observers);
  ASSERT_TRUE(result.best);
  EXPECT_LT(result.best->loss, 1e-2);
  EXPECT_NE(lines.find("a sample\n"), std::string::npos) << lines;
  EXPECT_EQ(Training(read_run_settings(killed), killed, {.resume = true}).run().trained, 4);
  const heed::Run run = open_run(whole, "last");
  const auto figures = evaluate(run, {});
  EXPECT_NEAR(std::get<double>(figures.at(0).value), 1, 0.1);
  EXPECT_EQ(figures.at(0).value, evaluate(open_run(killed, "last"), {}).at(0).value);
  EXPECT_THROW(run.translate("1 1"), Error);
  EXPECT_EQ(folder.message([] { default_settings("rnn").set("task.scale", "1"); }),
            "translate has no setting task.scale: it is for own_plane");
}

}  // namespace
}  // namespace heed
