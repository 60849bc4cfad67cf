#include "framework/ops.h"

#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "framework/check_gradients.h"
#include "tests/framework/ops_table/table.h"

namespace heed::test {
namespace {

class Gradients : public testing::TestWithParam<std::size_t> {};

TEST_P(Gradients, MatchDifferences) {
  const OpRow& row = op_table().rows[GetParam()];
  GradientCheckOptions options;
  options.tolerance *= row.tolerance_factor;
  for (std::uint64_t seed : {1, 2}) {
    options.seed = seed;
    const GradientCheck check = check_gradients(row.compute, draw(row, seed), options);
    EXPECT_TRUE(check.passed) << row.op << ", " << row.what << ": " << check.report();
  }
}

/// An input that has no part in the result has a gradient of zeros. Only the gradient of an input
/// that was not used is undefined.
TEST_P(Gradients, AreDefined) {
  const OpRow& row = op_table().rows[GetParam()];
  std::vector<Parameter> parameters;
  for (const Tensor& x : draw(row, 5))
    parameters.emplace_back(x);
  Tape tape;
  const Variable y = row.compute(std::vector<Variable>(parameters.begin(), parameters.end()));
  tape.backward(y, Tensor::full(y.shape(), 1));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const bool unused = row.what == "an input it does not use";
    EXPECT_EQ(parameters[i].gradient().defined(), !(unused && i == 1))
        << row.op << ", " << row.what << ", input " << i;
  }
}

/// Gradients are added to those already there: the same computation twice gives twice the gradient.
TEST_P(Gradients, Accumulate) {
  const OpRow& row = op_table().rows[GetParam()];
  std::vector<Parameter> once;
  std::vector<Parameter> twice;
  for (const Tensor& x : draw(row, 3)) {
    once.emplace_back(x);
    twice.emplace_back(x);
  }
  const auto run = [&](const std::vector<Parameter>& parameters, int times) {
    Tape tape;
    const std::vector<Variable> xs(parameters.begin(), parameters.end());
    Variable total(Tensor::zeros({}));
    for (int i = 0; i < times; ++i) {
      const Variable y = row.compute(xs);
      Tensor weights(y.shape());
      for (Index k = 0; k < weights.size(); ++k)
        weights[k] = static_cast<Real>(k % 5) - Real(1.5);
      total = total + sum(y * weights);
    }
    tape.backward(total);
  };
  run(once, 1);
  run(twice, 2);
  run(twice, 1);
  for (std::size_t i = 0; i < once.size(); ++i) {
    if (!once[i].gradient().defined()) continue;
    for (Index k = 0; k < once[i].gradient().size(); ++k)
      ASSERT_NEAR(3 * once[i].gradient()[k], twice[i].gradient()[k],
                  1e-4 * (1 + std::abs(once[i].gradient()[k])))
          << row.op << ", " << row.what << ", input " << i << ", element " << k;
  }
}

/// Frozen inputs get no gradient. The gradients of the others are the same bit by bit. Each input
/// is frozen alone, and each is left alone while all others are frozen.
TEST_P(Gradients, SkipFrozenInputs) {
  const OpRow& row = op_table().rows[GetParam()];
  const std::vector<Tensor> inputs = draw(row, 4);
  const std::size_t count = inputs.size();
  const auto run = [&](const std::function<bool(std::size_t)>& frozen) {
    std::vector<Parameter> parameters;
    for (std::size_t i = 0; i < count; ++i) {
      parameters.emplace_back(inputs[i].clone());
      parameters[i].trainable() = !frozen(i);
    }
    Tape tape;
    const Variable y = row.compute(std::vector<Variable>(parameters.begin(), parameters.end()));
    Tensor dy(y.shape());
    for (Index k = 0; k < dy.size(); ++k)
      dy[k] = static_cast<Real>(k % 5) - Real(1.5);
    if (Tape::needs_gradient(y)) tape.backward(y, dy);
    std::vector<Tensor> gradients;
    for (const Parameter& p : parameters)
      gradients.push_back(p.gradient());
    return gradients;
  };
  const std::vector<Tensor> all = run([](std::size_t) { return false; });
  for (std::size_t k = 0; k < count; ++k)
    for (const bool alone : {true, false}) {
      const auto frozen = [&](std::size_t i) { return (i == k) == alone; };
      const std::vector<Tensor> some = run(frozen);
      for (std::size_t i = 0; i < count; ++i) {
        const std::string what = fmt::format("{}, {}: input {} with {} {} frozen", row.op, row.what,
                                             i, alone ? "only" : "all but", k);
        ASSERT_EQ(some[i].defined(), all[i].defined() && !frozen(i)) << what;
        if (!some[i].defined()) continue;
        ASSERT_EQ(some[i].to_vector(), all[i].to_vector()) << what;
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Ops, Gradients, testing::ValuesIn(rows_where([](const OpRow& row) {
                           return row.size == Size::small;
                         })),
                         [](const auto& row) { return row_name(row.param); });

TEST(CheckGradients, FindsAWrongOne) {
  const auto wrong = [](std::span<const Variable> x) {  // x^2, with the derivative of 1.1 x^2
    Tensor y(x[0].shape());
    for (Index i = 0; i < y.size(); ++i)
      y[i] = x[0].data()[i] * x[0].data()[i];
    return record("wrong", y, {x[0]}, [v = x[0].value()](const Tensor& dy, Gradient dx) {
      Tensor g(v.shape());
      for (Index i = 0; i < g.size(); ++i)
        g[i] = Real(2.2) * v[i] * dy[i];
      dx.pass(g);
    });
  };
  const Tensor x({3}, {1, 2, 3});
  const GradientCheck check = check_gradients(wrong, std::vector{x});
  EXPECT_FALSE(check);
  EXPECT_NEAR(check.error, 0.1 / 1.1, 0.02);
  EXPECT_NE(check.report().find("gradient check failed: worst error"), std::string::npos)
      << check.report();
  EXPECT_TRUE(
      check_gradients([](std::span<const Variable> v) { return square(v[0]); }, std::vector{x}));
}

}  // namespace
}  // namespace heed::test
