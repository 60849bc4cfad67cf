// Schedule-free AdamW against the equations of its paper in double.

#include "optim/schedule_free.h"

#include <cmath>

#include <gtest/gtest.h>

#include "framework/checkpoint.h"
#include "framework/kernels/parallel.h"
#include "framework/memory.h"
#include "framework/ops.h"
#include "optim/averaging.h"
#include "tests/message_of.h"

namespace heed {
namespace {

struct Several {
  std::vector<Parameter> items;
  explicit Several(std::vector<Shape> shapes = {{3}, {20, 9}, {}, {130, 257}, {8}, {0}, {7, 1}}) {
    Random random(5);
    for (const Shape& shape : shapes)
      items.emplace_back(uniform(shape, random, -1, 1));
  }
  void visit(Visitor& v) { v("items", items); }
  void draw_gradients(std::uint64_t seed) {
    Random random(seed);
    for (Parameter& item : items)
      item.gradient() = uniform(item.shape(), random, -2, 2);
  }
  std::vector<std::vector<Real>> values() const {
    std::vector<std::vector<Real>> all;
    for (const Parameter& item : items)
      all.push_back(item.value().to_vector());
    return all;
  }
};

ScheduleFreeOptions options() {
  return {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.98, .epsilon = 1e-6, .weight_decay = 0.3};
}

double rate_at(int t) { return 0.01 * std::min(1.0, t / 10.0); }

/// Algorithm 1 for one number.
struct Number {
  double y;
  double z;
  double x;
  double v = 0;
  double sum = 0;  // of the squares of the rates

  explicit Number(double start) : y(start), z(start), x(start) {}
  void step(double g, double lr, double decay, int t) {
    v = 0.98 * v + 0.02 * g * g;
    const double rate = lr * std::sqrt(1 - std::pow(0.98, t));
    z = z - rate * g / (std::sqrt(v) + 1e-6) - rate * decay * y;
    sum += rate * rate;
    const double c = rate * rate / sum;
    x = (1 - c) * x + c * z;
    y = (1 - 0.9) * z + 0.9 * x;
  }
};

TEST(ScheduleFree, FollowsItsEquationsForFiftySteps) {
  Several model;
  ScheduleFree optimizer(model, options());
  std::vector<std::vector<Number>> expected;
  for (const std::vector<Real>& item : model.values()) {
    expected.emplace_back();
    for (const Real x : item)
      expected.back().emplace_back(static_cast<double>(x));
  }
  for (int t = 1; t <= 50; ++t) {
    model.draw_gradients(static_cast<std::uint64_t>(t));
    const double factor = t == 3 ? 0.25 : 1;
    for (std::size_t i = 0; i < expected.size(); ++i)
      for (std::size_t j = 0; j < expected[i].size(); ++j) {
        const double g =
            factor * static_cast<double>(model.items[i].gradient()[static_cast<Index>(j)]);
        expected[i][j].step(g, rate_at(t), model.items[i].shape().rank() > 1 ? 0.3 : 0, t);
      }
    optimizer.step(rate_at(t), factor);
    const std::vector<NamedTensor> used = optimizer.weights_to_use();
    ASSERT_EQ(used.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      for (std::size_t j = 0; j < expected[i].size(); ++j) {
        const auto at = static_cast<Index>(j);
        ASSERT_NEAR(model.items[i].value()[at], expected[i][j].y, 5e-6) << t << ", " << i;
        ASSERT_NEAR(used[i].tensor[at], expected[i][j].x, 5e-6) << t << ", " << i;
      }
  }
}

TEST(ScheduleFree, UsesTheModelsOwnWeightsBeforeItsFirstStep) {
  Several model;
  const ScheduleFree optimizer(model, options());
  model.items[1].value()[0] = 7;  // weights that were loaded after it was made
  EXPECT_EQ(optimizer.weights_to_use()[1].tensor[0], 7);
  ScheduleFree started(model, options());
  model.draw_gradients(1);
  model.items[4].clear_gradient();
  started.step(0);
  EXPECT_EQ(started.weights_to_use()[1].tensor.to_vector(), model.items[1].value().to_vector());
  EXPECT_EQ(started.weights_to_use()[1].tensor[0], 7) << "a rate of 0 moves nothing";
  EXPECT_EQ(started.weights_to_use()[4].tensor.to_vector(), model.items[4].value().to_vector());
}

TEST(ScheduleFree, GoesOnToTheBitFromWhatIsSaved) {
  const auto train = [](Several& model, Optimizer& optimizer, int from, int to) {
    for (int t = from; t <= to; ++t) {
      model.draw_gradients(static_cast<std::uint64_t>(t));
      if (t < 4) model.items[3].clear_gradient();  // it has taken fewer steps
      optimizer.step(rate_at(t));
    }
  };
  Several whole;
  ScheduleFree uninterrupted(whole, options());
  train(whole, uninterrupted, 1, 40);

  Several first;
  ScheduleFree before(first, options());
  train(first, before, 1, 17);
  Checkpoint checkpoint;
  put(checkpoint, "model.", before.weights_to_use());
  put(checkpoint, "optimizer.", before.state());
  Several second;
  ScheduleFree after(second, options());
  std::vector<NamedTensor> moments = after.state();
  take(checkpoint, "model.", second);
  take(checkpoint, "optimizer.", moments);
  std::copy(before.steps().begin(), before.steps().end(), after.steps().begin());
  std::copy(before.sums().begin(), before.sums().end(), after.sums().begin());
  after.restored();
  EXPECT_EQ(second.values(), first.values());
  train(second, after, 18, 40);
  EXPECT_EQ(second.values(), whole.values());
  EXPECT_EQ(after.weights_to_use()[3].tensor.to_vector(),
            uninterrupted.weights_to_use()[3].tensor.to_vector());
  for (const auto& [name, tensor] : after.state())
    EXPECT_FALSE(name.starts_with(".")) << "x is saved as the model's weights";
}

TEST(ScheduleFree, GivesTheSameBitsOnAnyNumberOfThreads) {
  std::vector<std::vector<std::vector<Real>>> values;
  for (int count : {1, 2, 5}) {
    set_threads(count);
    Several model({{10}, {400, 300}, {3}, {16384}, {5, 5}});
    ScheduleFree optimizer(model, options());
    for (int t = 1; t <= 3; ++t) {
      model.draw_gradients(static_cast<std::uint64_t>(t));
      optimizer.step();
    }
    values.push_back(model.values());
  }
  set_threads(0);
  EXPECT_EQ(values[1], values[0]);
  EXPECT_EQ(values[2], values[0]);
}

TEST(ScheduleFree, AsksTheSystemForNoMemory) {
  Several model;
  ScheduleFree optimizer(model, options());
  model.draw_gradients(1);
  optimizer.step();
  const std::size_t live = memory::statistics().live;
  const std::size_t requests = memory::statistics().system_requests;
  for (int i = 0; i < 3; ++i)
    optimizer.step();
  EXPECT_EQ(memory::statistics().live, live);
  EXPECT_EQ(memory::statistics().system_requests, requests);
}

TEST(ScheduleFree, LeavesWhatIsFrozenAlone) {
  Several model;
  model.items[1].trainable() = false;
  ScheduleFree optimizer(model, options());
  model.draw_gradients(1);
  model.items[1].clear_gradient();
  const std::vector<Real> frozen = model.items[1].value().to_vector();
  optimizer.step();
  optimizer.restored();
  EXPECT_EQ(model.items[1].value().to_vector(), frozen);
  EXPECT_EQ(optimizer.weights_to_use()[1].tensor.to_vector(), frozen);
}

TEST(ScheduleFree, RefusesOptionsOutOfRange) {
  Several model;
  EXPECT_EQ(message_of([&] { ScheduleFree(model, {.beta1 = 1}); }),
            "[schedule_free] expected beta1 within [0, 1); got 1");
}

}  // namespace
}  // namespace heed
