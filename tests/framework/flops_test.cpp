#include "framework/flops.h"

#include <functional>

#include <gtest/gtest.h>

#include "framework/module.h"
#include "framework/ops.h"
#include "tests/framework/threads.h"

// Counts by hand: multiply-adds of each product, from its shapes.

namespace heed {
namespace {

Parameter drawn(const Shape& shape) {
  Random random(1);
  return Parameter(uniform(shape, random, -1, 1));
}

struct Case {
  std::string name;
  std::vector<Shape> inputs;
  std::function<Variable(const std::vector<Parameter>&)> op;
  Index forward;   // multiply-adds
  Index backward;  // of all gradients
};

/// Three and five rows.
Spans two_sequences() { return Spans::packed({3, 5}); }

std::vector<Case> cases_of_products() {
  const Variable none;
  return {
      {"linear, 8 rows from 6 to 10 columns",
       {{8, 6}, {10, 6}},
       [](const auto& p) { return linear(p[0], p[1]); },
       8 * 6 * 10,
       2 * 8 * 6 * 10},
      {"large linear",
       {{400, 64}, {200, 64}},
       [](const auto& p) { return linear(p[0], p[1]); },
       400 * 64 * 200,
       2 * 400 * 64 * 200},
      {"matmul of 70 pairs of matrices",
       {{70, 2, 3}, {70, 3, 5}},
       [](const auto& p) { return matmul(p[0], p[1]); },
       70 * 2 * 3 * 5,
       2 * 70 * 2 * 3 * 5},
      {"feed_forward",
       {{8, 6}, {20, 6}, {7, 20}},
       [=](const auto& p) { return feed_forward(p[0], p[1], none, p[2], none, Activation::relu); },
       8 * 6 * 20 + 8 * 20 * 7,
       2 * (8 * 6 * 20 + 8 * 20 * 7)},
      {"what is done number by number",
       {{8, 4}, {8, 4}},
       [](const auto& p) { return softmax(p[0] * p[1] + relu(p[0])); },
       0,
       0},
  };
}

std::vector<Case> cases_of_attention() {
  const Spans two = two_sequences();
  const Pairing pairs{.heads = 2, .queries = two, .keys = two};
  return {
      {"attention: 3 x 3 and 5 x 5 pairs, 2 heads of 4; backward computes the scores again",
       {{8, 8}, {8, 8}, {8, 8}},
       [=](const auto& p) {
         return attention(p[0], p[1], p[2], {.heads = 2, .queries = two, .keys = two});
       },
       34 * 2 * 2 * 4,
       34 * 2 * 5 * 4},
      {"causal attention: 6 and 15 pairs",
       {{8, 8}, {8, 8}, {8, 8}},
       [=](const auto& p) {
         return attention(p[0], p[1], p[2],
                          {.heads = 2, .queries = two, .keys = two, .causal = true});
       },
       21 * 2 * 2 * 4,
       21 * 2 * 5 * 4},
      {"linear attention: a state of 4 x 4 in 2 heads, written and read at 8 places",
       {{8, 8}, {8, 8}, {8, 8}},
       [=](const auto& p) { return linear_attention(p[0], p[1], p[2], pairs); },
       2 * 8 * 2 * 4 * 4,
       5 * 8 * 2 * 4 * 4},
      {"dot_scores of 34 pairs, 2 heads of 4",
       {{8, 8}, {8, 8}},
       [=](const auto& p) { return dot_scores(p[0], p[1], pairs); },
       34 * 2 * 4,
       2 * 34 * 2 * 4},
      {"additive_scores of 34 pairs; backward computes the sums again",
       {{8, 6}, {8, 6}, {6}},
       [=](const auto& p) {
         return additive_scores(p[0], p[1], p[2], {.queries = two, .keys = two});
       },
       34 * 6,
       2 * 34 * 6},
  };
}

std::vector<Case> cases_of_sequences() {
  const Spans two = two_sequences();
  const Variable none;
  return {
      {"gru: 3 gates of 6 at 8 steps, and the weight's gradient",
       {{8, 18}, {18, 6}},
       [=](const auto& p) { return gru(p[0], p[1], none, none, {.spans = two}); },
       8 * 18 * 6,
       2 * 8 * 18 * 6},
      {"conv1d over 3 of 8 rows, from 4 to 5 columns",
       {{8, 4}, {5, 3, 4}},
       [=](const auto& p) { return conv1d(p[0], p[1], none, {.spans = two}); },
       8 * 3 * 4 * 5,
       2 * 8 * 3 * 4 * 5},
      {"depthwise_conv1d over 3 of 8 rows of 4 columns",
       {{8, 4}, {3, 4}},
       [=](const auto& p) { return depthwise_conv1d(p[0], p[1], none, {.spans = two}); },
       8 * 3 * 4,
       2 * 8 * 3 * 4},
  };
}

TEST(Flops, AreThoseOfTheShapes) {
  for (const int count : {1, 3}) {
    const test::Threads threads(count);
    std::vector<Case> all = cases_of_products();
    for (const auto& more : {cases_of_attention(), cases_of_sequences()})
      all.insert(all.end(), more.begin(), more.end());
    for (const Case& c : all) {
      std::vector<Parameter> inputs;
      for (const Shape& shape : c.inputs)
        inputs.push_back(drawn(shape));
      const FlopCounter counter;
      Tape tape;
      const Variable y = sum(c.op(inputs));
      EXPECT_EQ(counter.count(), 2 * c.forward) << c.name;
      tape.backward(y);
      EXPECT_EQ(counter.count(), 2 * (c.forward + c.backward)) << c.name;
    }
  }
}

TEST(Flops, CountFromZeroAndWithinEachOther) {
  const Parameter x = drawn({2, 3});
  for (int i = 0; i < 2; ++i) {
    const FlopCounter outer;
    linear(x, x);
    const FlopCounter inner;
    linear(x, x);
    EXPECT_EQ(inner.count(), 2 * 2 * 3 * 2);
    EXPECT_EQ(outer.count(), 2 * inner.count());
  }
}

}  // namespace
}  // namespace heed
