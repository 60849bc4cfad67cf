// The warnings of watch() in a training: what the Trainer tells them, and after a resume.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "framework/ops.h"
#include "optim/optimizers.h"
#include "tests/datasets/temporary.h"
#include "training/trainer.h"

namespace heed {
namespace {

struct Scale {
  Parameter weight{Tensor::zeros({1})};
  bool training = true;
  void visit(Visitor& v) {
    v("weight", weight);
    v.training(training);
  }
};

/// The loss of step n is a function of n alone, and its gradient is 5.
class Scripted : public Objective {
 public:
  explicit Scripted(const Scale& model) : model_(model) {}
  std::shared_ptr<const Draw> draw() override {
    auto draw = std::make_shared<Draw>();
    draw->weight = draw->tokens = 100;
    draw->items = {next_++};
    return draw;
  }
  std::shared_ptr<const Draw> only(const Draw&, Index) const override { return nullptr; }
  Loss loss(const Draw& draw, Real divisor) const override {
    const auto weight = static_cast<Real>(draw.weight);
    return {sum(model_.weight * (Real(5) * weight / divisor)), 3.0 * static_cast<double>(weight)};
  }
  std::optional<Evaluation> evaluate() override {
    return Evaluation{.loss = next_ == 40 ? 2.0 : 2.1};
  }
  std::optional<double> baseline() const override { return 3.1; }
  double epochs() const override { return 0; }
  std::vector<std::int64_t> position() const override { return {next_}; }
  void seek(std::span<const std::int64_t> position) override { next_ = position[0]; }
  std::string describe(std::span<const Index>) const override { return ""; }

 private:
  const Scale& model_;
  Index next_ = 0;
};

/// Trains to step 300, or up to `stop`. Returns the warnings.
std::vector<std::string> run_to(const TrainerOptions& options, Index stop) {
  Scale model;
  Sgd sgd(model, {.lr = 0.003});
  Trainer trainer(model, sgd, options);
  trainer.resume();
  std::vector<std::string> warnings;
  Index step = 0;
  Observers observers;
  observers.on_step = [&](const StepReport& report) { step = report.step; };
  observers.on_warning = [&](const std::string& text) { warnings.push_back(text); };
  observers.should_stop = [&] { return step == stop; };
  Scripted objective(model);
  trainer.run(objective, observers);
  return warnings;
}

TEST(Warnings, AreGivenOnceAcrossAResume) {
  const TemporaryFolder folder;
  const std::vector<std::string> expected{
      "100 of the last 100 gradients were clipped (step 100): their norm is typically 5, the limit "
      "1; lower the learning rate, such as to 0.001, or raise the limit to 10",
      "the validation loss has not improved by 0.5 % in 10 validations: the best was 2 (step 40), "
      "the last 2.1 (step 140); lower the learning rate, such as to 0.001; the best weights are "
      "kept",
      "the model has learnt nothing of its inputs: the training loss of the last 100 steps, 3 "
      "(step 200), is that of guessing by frequency, 3.1; try another learning rate, such as "
      "0.001, or larger batches"};
  for (Index cut : {-1, 1, 99, 100, 139, 140, 141, 199, 200, 250}) {
    const TrainerOptions options{.steps = 300,
                                 .clip = 1,
                                 .eval_every = 10,
                                 .folder = folder.path(fmt::format("run{}", cut))};
    std::vector<std::string> warnings;
    if (cut > 0) warnings = run_to(options, cut);
    for (std::string& text : run_to(options, -1))
      warnings.push_back(std::move(text));
    EXPECT_EQ(warnings, expected) << cut;
  }
}

TEST(Warnings, AreExplainedByWhoeverTrains) {
  TrainerOptions options{.steps = 100, .clip = 1};
  options.explain = [](const TrainingWarning& warning) {
    return fmt::format("{:.3g} {:.3g} {}", warning.norm, warning.lr, warning.step_weight);
  };
  EXPECT_EQ(run_to(options, -1), std::vector<std::string>{"5 0.003 0"});
}

}  // namespace
}  // namespace heed
