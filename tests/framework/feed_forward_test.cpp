#include <cmath>
#include <limits>
#include <utility>

#include <gtest/gtest.h>

#include "framework/memory.h"
#include "framework/module.h"
#include "framework/ops.h"

// The feed-forward block against its composition from plain ops, with more rows than one of its
// blocks, and the memory that it keeps.

namespace heed {
namespace {

Parameter drawn(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return Parameter(uniform(shape, random, -1, 1));
}

Variable composed(const Parameter* p, Activation f, Real dropped, RandomKey key) {
  const Variable z = linear(p[0], p[1], p[2]);
  return linear(dropout(f == Activation::relu ? relu(z) : gelu(z), dropped, key), p[3], p[4]);
}
Variable fused(const Parameter* p, Activation f, Real dropped, RandomKey key) {
  return feed_forward(p[0], p[1], p[2], p[3], p[4], f, dropped, key);
}

TEST(FeedForward, EqualsItsComposition) {
  for (const Index rows : {1, 127, 1535, 1536, 1700, 2600})
    for (const Activation f : {Activation::relu, Activation::gelu})
      for (const Real dropped : {Real(0), Real(0.3), Real(1)}) {
        const Parameter inputs[] = {drawn({rows, 6}, 1), drawn({19, 6}, 2), drawn({19}, 3),
                                    drawn({7, 19}, 4), drawn({7}, 5)};
        std::vector<Tensor> values[2];
        for (const bool whole : {true, false}) {
          for (const Parameter& p : inputs)
            p.clear_gradient();
          Tape tape;
          const Variable y = (whole ? fused : composed)(inputs, f, dropped, {11, 12});
          Random random(9);
          tape.backward(y, uniform(y.shape(), random, -1, 1));
          values[whole ? 0 : 1].push_back(y.value());
          for (const Parameter& p : inputs)
            values[whole ? 0 : 1].push_back(p.gradient());
        }
        for (std::size_t i = 0; i < values[0].size(); ++i) {
          double largest = 1;
          double worst = 0;
          for (Index j = 0; j < values[1][i].size(); ++j) {
            largest = std::max(largest, std::abs(static_cast<double>(values[1][i][j])));
            worst = std::max(worst, std::abs(static_cast<double>(values[0][i][j]) -
                                             static_cast<double>(values[1][i][j])));
          }
          EXPECT_LE(worst / largest, sizeof(Real) == 8 ? 1e-12 : 1e-5)
              << rows << " rows, " << (f == Activation::relu ? "relu" : "gelu") << ", dropped "
              << dropped << ", tensor " << i;
        }
      }
}

TEST(FeedForward, GivesTheSameWithoutATape) {
  for (const Activation f : {Activation::relu, Activation::gelu}) {
    const Parameter inputs[] = {drawn({2600, 6}, 1), drawn({19, 6}, 2), drawn({19}, 3),
                                drawn({7, 19}, 4), drawn({7}, 5)};
    Tape tape;
    const Tensor recorded = fused(inputs, f, Real(0.3), {1, 2}).value();
    Tape::Pause pause;
    EXPECT_EQ(fused(inputs, f, Real(0.3), {1, 2}).value().to_vector(), recorded.to_vector());
  }
}

TEST(FeedForward, KeepsOneNumberForEachHidden) {
  constexpr Index rows = 8192;
  constexpr Index hidden = 256;
  const std::size_t bytes = rows * hidden * sizeof(Real);
  for (const Activation f : {Activation::relu, Activation::gelu}) {
    const Parameter inputs[] = {drawn({rows, 8}, 1), drawn({hidden, 8}, 2), drawn({hidden}, 3),
                                drawn({8, hidden}, 4), drawn({8}, 5)};
    Tape tape;
    const std::size_t before = memory::statistics().live;
    memory::reset_peak();
    const Variable y = fused(inputs, f, Real(0.1), {1, 2});
    EXPECT_LT(memory::statistics().live - before, bytes * 5 / 4);
    tape.backward(y, Tensor::full(y.shape(), 1));
    EXPECT_LT(memory::statistics().peak - before, bytes * 3 / 2)
        << "backward computes in blocks too";
  }
}

TEST(FeedForward, IsCheckedStepByStep) {
  const Parameter inputs[] = {drawn({3, 6}, 1), drawn({19, 6}, 2), drawn({19}, 3),
                              drawn({7, 19}, 4), drawn({7}, 5)};
  const auto found = [&](std::size_t which, Activation f) -> std::string {
    const Real kept =
        std::exchange(inputs[which].value()[0], std::numeric_limits<Real>::infinity());
    std::string result = "nothing";
    try {
      Tape tape({.check_finite = true});
      feed_forward(inputs[0].value(), inputs[1], inputs[2], inputs[3], inputs[4], f);
    } catch (const NotFinite& error) {
      result = error.op;
      EXPECT_EQ(error.parameters.front() == inputs[which], which != 2)
          << "a weight is named before its bias";
    }
    inputs[which].value()[0] = kept;
    return result;
  };
  for (const Activation f : {Activation::relu, Activation::gelu})
    for (const std::size_t which : {1u, 2u, 3u})
      EXPECT_EQ(found(which, f), "linear");
}

}  // namespace
}  // namespace heed
