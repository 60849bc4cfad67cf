// The moving average of the weights, and rates by patterns.

#include "optim/averaging.h"

#include <cmath>

#include <gtest/gtest.h>

#include "framework/kernels/parallel.h"
#include "framework/memory.h"
#include "framework/ops.h"
#include "optim/optimizer.h"
#include "optim/rates.h"
#include "tests/message_of.h"

namespace heed {
namespace {

struct Layers {
  Parameter embedding;
  Parameter weight;
  Parameter bias;
  explicit Layers(Index scale = 1) {
    Random random(4);
    embedding = Parameter(uniform({9 * scale, 5}, random, -1, 1));
    weight = Parameter(uniform({20 * scale, 7}, random, -1, 1));
    bias = Parameter(uniform({3}, random, -1, 1));
  }
  void visit(Visitor& v) {
    v("embedding.weight", embedding);
    v("layer.weight", weight);
    v("layer.bias", bias);
  }
  void draw(std::uint64_t seed) {
    Random random(seed);
    for (const Parameter* p : {&embedding, &weight, &bias})
      p->value() = uniform(p->shape(), random, -1, 1);
  }
};

/// By its definition: a sum over all weights so far.
TEST(MovingAverage, FollowsItsEquationForFiftySteps) {
  for (const double decay : {0.0, 0.5, 0.9, 0.999}) {
    Layers model;
    MovingAverage average(model, decay);
    EXPECT_EQ(average.steps(), 0);
    std::vector<std::vector<NamedTensor>> all;
    for (int t = 1; t <= 50; ++t) {
      model.draw(static_cast<std::uint64_t>(t));
      average.add();
      all.push_back(named_tensors(model));
      for (std::size_t i = 0; i < 3; ++i)
        for (Index j = 0; j < all.back()[i].tensor.size(); ++j) {
          double sum = 0;
          double factors = 0;
          for (int k = 1; k <= t; ++k) {
            const double factor = std::pow(decay, t - k);
            sum += factor * static_cast<double>(all[static_cast<std::size_t>(k - 1)][i].tensor[j]);
            factors += factor;
          }
          ASSERT_NEAR(average.weights()[i].tensor[j], sum / factors, 2e-6) << decay << ", " << t;
        }
    }
  }
}

TEST(MovingAverage, OfWeightsThatDoNotChangeIsTheWeights) {
  Layers model;
  MovingAverage average(model, 0.999);
  for (int t = 0; t < 100; ++t)
    average.add();
  EXPECT_EQ(average.weights()[1].tensor.to_vector(), model.weight.value().to_vector());
}

TEST(MovingAverage, GivesTheSameBitsOnAnyNumberOfThreadsAndAsksForNoMemory) {
  std::vector<std::vector<Real>> values;
  for (int count : {1, 2, 5}) {
    set_threads(count);
    Layers model(500);
    MovingAverage average(model, 0.9);
    average.add();
    model.draw(1);
    const std::size_t live = memory::statistics().live;
    average.add();
    EXPECT_EQ(memory::statistics().live, live);
    values.push_back(average.weights()[1].tensor.to_vector());
  }
  set_threads(0);
  EXPECT_EQ(values[1], values[0]);
  EXPECT_EQ(values[2], values[0]);
}

TEST(MovingAverage, RefusesADecayOutOfRange) {
  Layers model;
  EXPECT_EQ(message_of([&] { MovingAverage(model, 1); }),
            "[moving_average] expected decay within [0, 1); got 1");
}

TEST(Rates, AreReadFromATextAndMultiplied) {
  const struct {
    std::vector<std::string> texts;
    std::vector<double> factors;  // of embedding.weight, layer.weight, layer.bias
  } rows[] = {
      {{}, {1, 1, 1}},
      {{"embedding*=0.1"}, {0.1, 1, 1}},
      {{"*.weight=2", "embedding*=0.25"}, {0.5, 2, 1}},
      {{"!layer*=3"}, {3, 1, 1}},
      {{"layer.bias=0", "*=4e-1"}, {0.4, 0.4, 0}},
  };
  for (const auto& row : rows) {
    Layers model;
    std::vector<RateFactor> factors;
    for (const std::string& text : row.texts)
      factors.push_back(parse_rate_factor(text));
    EXPECT_EQ(rate_factors(model, factors), row.factors);
  }
}

TEST(Rates, SayWhatIsWrong) {
  for (const char* bad : {"embedding*", "embedding*=", "=2", "!=2", "*=-1", "*=nan", "*=fast",
                          "*=1e7", "*=0.1x", "", "*= 1"})
    EXPECT_EQ(message_of([&] { parse_rate_factor(bad); }),
              fmt::format("expected PATTERN=FACTOR, such as 'embedding*=0.1', with a factor from 0 "
                          "to 1000000; got '{}'",
                          bad));
  Layers model;
  EXPECT_EQ(message_of([&] {
              rate_factors(model, {{"layers*", 2}});
            }),
            "[rates] expected a pattern that matches; got layers*");
  Adam adam(model, {});
  EXPECT_EQ(message_of([&] { adam.set_rate_factors({1}); }),
            "[optimizer] expected a factor for each of 3 parameters; got 1");
}

/// A parameter with a factor moves as one of an optimizer with that rate.
TEST(Rates, MultiplyTheRateOfAParameter) {
  Layers quick;
  Layers slow;
  Layers both;
  AdamW of_quick(quick, {.lr = 0.02, .weight_decay = 0.1});
  AdamW of_slow(slow, {.lr = 0.005, .weight_decay = 0.1});
  AdamW of_both(both, {.lr = 0.02, .weight_decay = 0.1});
  of_both.set_rate_factors(rate_factors(both, {{"embedding*", 0.25}}));
  for (int t = 0; t < 5; ++t) {
    Random random(static_cast<std::uint64_t>(t));
    for (const auto& [name, parameter] : parameters(quick)) {
      const Tensor g = uniform(parameter.shape(), random, -1, 1);
      for (Layers* model : {&quick, &slow, &both})
        for (const auto& [other, p] : parameters(*model))
          if (other == name) p.gradient() = g.clone();
    }
    of_quick.step();
    of_slow.step();
    of_both.step();
  }
  EXPECT_EQ(both.embedding.value().to_vector(), slow.embedding.value().to_vector());
  EXPECT_EQ(both.weight.value().to_vector(), quick.weight.value().to_vector());
  EXPECT_EQ(both.bias.value().to_vector(), quick.bias.value().to_vector());
}

}  // namespace
}  // namespace heed
