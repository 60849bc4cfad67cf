// An Objective of a user's own: numbers in, numbers out, and nothing of text.

#include "training/objective.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include <gtest/gtest.h>

#include "framework/ops.h"
#include "framework/run_folder.h"
#include "layers/dropout.h"
#include "layers/linear.h"
#include "tests/datasets/temporary.h"
#include "training/trainer.h"

namespace heed {
namespace {

/// y = second(dropout(tanh(first(x))))
struct Curve {
  Linear first;
  Linear second;
  Dropout dropout{Real(0.1)};
  explicit Curve(Random& random) : first(1, 8, random), second(8, 1, random) {}
  Variable operator()(const Variable& x) const { return second(dropout(tanh(first(x)))); }
  void visit(Visitor& v) {
    v("first", first);
    v("second", second);
    v("dropout", dropout);
  }
};

struct Points : Draw {
  Tensor x;  // (n, 1)
  Tensor y;
};

/// Fits a curve to 20 points of y = sin 3x, five at a time; validates between them.
class CurveObjective : public Objective {
 public:
  explicit CurveObjective(const Curve& curve, Index bad = -1) : curve_(curve), bad_(bad) {}

  std::shared_ptr<const Draw> draw() override {
    std::vector<Index> items;
    for (Index i = 0; i < 5; ++i)
      items.push_back(next_++ % points);
    return points_of(items);
  }
  std::shared_ptr<const Draw> only(const Draw& draw, Index item) const override {
    return points_of({draw.items[static_cast<std::size_t>(item)]});
  }
  Loss loss(const Draw& draw, Real divisor) const override {
    const auto& p = static_cast<const Points&>(draw);
    const Variable error = sum(square(curve_(p.x) - p.y));
    return {error * (1 / divisor), static_cast<double>(error.item())};
  }
  std::optional<Evaluation> evaluate() override {
    double total = 0;
    for (double x = -0.95; x < 1; x += 0.1)
      total += std::abs(curve_(Tensor::full({1, 1}, Real(x))).item() - std::sin(3 * x));
    return Evaluation{.loss = total / points};
  }
  double epochs() const override { return static_cast<double>(next_) / points; }
  std::vector<std::int64_t> position() const override { return {next_}; }
  void seek(std::span<const std::int64_t> position) override { next_ = position[0]; }
  std::string describe(std::span<const Index> items) const override {
    return fmt::format("points {}", fmt::join(items, ", "));
  }

 private:
  static constexpr Index points = 20;
  static double x_of(Index i) { return static_cast<double>(i) / 10 - 1; }
  std::shared_ptr<const Draw> points_of(const std::vector<Index>& items) const {
    auto p = std::make_shared<Points>();
    p->items = items;
    p->weight = p->tokens = std::ssize(items);
    p->x = Tensor({p->weight, 1});
    p->y = Tensor({p->weight, 1});
    for (Index i = 0; i < p->weight; ++i) {
      const Index item = items[static_cast<std::size_t>(i)];
      p->x[i] = item == bad_ ? std::numeric_limits<Real>::quiet_NaN() : Real(x_of(item));
      p->y[i] = static_cast<Real>(std::sin(3 * x_of(item)));
    }
    return p;
  }

  const Curve& curve_;
  Index bad_;
  Index next_ = 0;
};

TrainerOptions options(Index steps, std::string folder = "") {
  return {.steps = steps,
          .accumulate = 2,
          .eval_every = 3,
          .save_every = 4,
          .seed = 5,
          .folder = std::move(folder)};
}

struct Fit {
  Random random;
  Curve curve{random};
  Adam adam{curve, {.lr = 0.03}};
  CurveObjective objective;
  Trainer trainer;
  explicit Fit(const TrainerOptions& o, Index bad = -1, std::uint64_t seed = 1)
      : random(seed), objective(curve, bad), trainer(curve, adam, o) {}
};

std::map<std::string, std::string> files_of(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(RunFolder(folder).checkpoints())) {
    std::ifstream in(entry.path(), std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    files[entry.path().filename()] = bytes.str();
  }
  return files;
}

TEST(OwnObjective, TrainsAndValidates) {
  Fit fit(options(400));
  std::vector<double> shown;
  const TrainResult result = fit.trainer.run(fit.objective, {.on_step = [&](const StepReport& r) {
                                               if (r.step % 20 == 0) shown.push_back(r.loss);
                                             }});
  EXPECT_EQ(result.step, 400);
  EXPECT_LT(shown.back(), 0.5 * shown.front());
  ASSERT_TRUE(result.best.has_value());
  EXPECT_LT(result.best->loss, 0.15);
  EXPECT_EQ(fit.objective.epochs(), 400 * 2 * 5 / 20.0);
}

TEST(OwnObjective, IsKilledAndResumedToTheByte) {
  const TemporaryFolder folder;
  const TrainerOptions whole = options(10, folder.path("whole"));
  // What a kill after each step and each validation leaves on the disk.
  std::vector<std::string> killed;
  const auto leave = [&] {
    killed.push_back(folder.path(fmt::format("killed-{}", killed.size())));
    std::filesystem::copy(whole.folder, killed.back(), std::filesystem::copy_options::recursive);
  };
  Fit uninterrupted(whole);
  uninterrupted.trainer.run(uninterrupted.objective,
                            {.on_step = [&](const StepReport&) { leave(); },
                             .on_evaluation = [&](const EvaluationReport&) { leave(); }});
  EXPECT_EQ(killed.size(), 14u);
  for (const std::string& left : killed) {
    Fit again(options(10, left));
    again.trainer.resume();  // nothing had been saved before the first checkpoint
    again.trainer.run(again.objective);
    EXPECT_EQ(files_of(left), files_of(whole.folder)) << left;
  }
}

TEST(OwnObjective, HasItsNaNNamed) {
  const TemporaryFolder folder;
  Fit fit(options(10), /*bad=*/13);
  // Step 1 reads points 0 to 9, step 2 points 10 to 19.
  const std::string message = folder.message([&] { fit.trainer.run(fit.objective); });
  EXPECT_TRUE(
      message.starts_with("step 2: the loss is nan: [linear] nan in layer first, on points 13; "))
      << message;
}

}  // namespace
}  // namespace heed
