#include <cmath>

#include <gtest/gtest.h>

#include "tests/framework/ops_table/table.h"

// Every fused op against its composition from plain ops: values and every gradient, on difficult
// shapes.

namespace heed::test {
namespace {

constexpr double close = sizeof(Real) == 8 ? 1e-11 : 1e-5;

/// The value, then every gradient.
std::vector<Tensor> run(const std::vector<Tensor>& inputs, const Compute& f) {
  const std::vector<Parameter> parameters(inputs.begin(), inputs.end());
  Tape tape;
  const Variable y = f(std::vector<Variable>(parameters.begin(), parameters.end()));
  Random random(9);
  Tensor dy(y.shape());
  for (Real& value : dy.span())
    value = static_cast<Real>(random.uniform(-1, 1));
  tape.backward(y, dy);
  std::vector<Tensor> result{y.value()};
  for (const Parameter& p : parameters)
    result.push_back(p.gradient().defined() ? p.gradient() : Tensor::zeros(p.shape()));
  return result;
}

class Compositions : public testing::TestWithParam<std::size_t> {};

TEST_P(Compositions, EqualTheirFusedOp) {
  const OpRow& row = op_table().rows[GetParam()];
  const std::vector<Tensor> inputs = draw(row, 1);
  const std::vector<Tensor> got = run(inputs, row.compute);
  const std::vector<Tensor> expected = run(inputs, row.composed);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const std::string tensor = i == 0 ? "value" : fmt::format("gradient of input {}", i - 1);
    const std::string what = fmt::format("{}, {}: {}", row.op, row.what, tensor);
    ASSERT_EQ(to_string(got[i].shape()), to_string(expected[i].shape())) << what;
    double largest = 1;
    for (const Real v : expected[i].span())
      largest = std::max(largest, std::abs(static_cast<double>(v)));
    for (Index j = 0; j < got[i].size(); ++j)
      ASSERT_NEAR(static_cast<double>(got[i][j]), static_cast<double>(expected[i][j]),
                  close * row.tolerance_factor * largest)
          << what << ", element " << j;
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, Compositions, testing::ValuesIn(rows_where([](const OpRow& row) {
                           return row.composed != nullptr;
                         })),
                         [](const auto& row) { return row_name(row.param); });

}  // namespace
}  // namespace heed::test
