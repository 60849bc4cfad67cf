// The values that ops compute: those of the references of the table of ops, and what holds for many
// elements, for ties and for ops that undo each other.

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "framework/kernels/parallel.h"
#include "tests/framework/ops_table/table.h"

namespace heed::test {
namespace {

Tensor random(const Shape& shape, std::uint64_t seed = 1) {
  Tensor x(shape);
  Random r(seed);
  for (Real& value : x.span())
    value = static_cast<Real>(r.uniform(-1, 1));
  return x;
}

void expect_values(const Variable& y, const Shape& shape, const std::vector<double>& want,
                   double tolerance, const std::string& what) {
  ASSERT_EQ(to_string(y.shape()), to_string(shape)) << what;
  for (Index i = 0; i < y.size(); ++i) {
    const double got = static_cast<double>(y.data()[i]);
    if (std::isnan(want[i]))
      EXPECT_TRUE(std::isnan(got)) << what << ", element " << i << ": " << got;
    else if (std::isinf(want[i]))
      EXPECT_EQ(got, want[i]) << what << ", element " << i;
    else
      EXPECT_NEAR(got, want[i], tolerance * std::max(1.0, std::abs(want[i])))
          << what << ", element " << i;
  }
}

TEST(Values, AreThoseOfTheReference) {
  const double tolerance = sizeof(Real) == 8 ? 1e-11 : 2e-6;
  for (const OpRow& row : op_table().rows) {
    if (!row.reference) continue;
    const std::vector<Tensor> inputs = draw(row, 6);
    const Variable y = row.compute(std::vector<Variable>(inputs.begin(), inputs.end()));
    const Expected expected = row.reference(inputs);
    const std::string what = fmt::format("{}, {}", row.op, row.what);
    ASSERT_EQ(static_cast<std::size_t>(y.size()), expected.values.size()) << what;
    expect_values(y, expected.shape.value_or(y.shape()), expected.values,
                  tolerance * row.tolerance_factor, what);
  }
}

TEST(Values, SumsOfMillionsAreAccurate) {
  const Index n = 10'000'000;
  Tensor x({n});
  Random r(5);
  double total = 0;
  for (Index i = 0; i < n; ++i) {
    x[i] = static_cast<Real>(0.1 + static_cast<double>(i % 1000) * 1e-6);
    total += static_cast<double>(x[i]);
  }
  const double want = total / static_cast<double>(n);
  EXPECT_NEAR(static_cast<double>(mean(x).item()), want, 1e-7 * want);
  EXPECT_NEAR(static_cast<double>(mean(reshape(x, {n / 4, 4}), {0}).data()[2]), want, 1e-5 * want);
  EXPECT_NEAR(static_cast<double>(cumsum(x, 0).data()[n - 1]), total, 1e-7 * total);
  Parameter one(Tensor::full({}, 1));
  Tape tape;
  // The gradient of a broadcast scalar is a sum of ten million numbers.
  tape.backward(sum(one * x));
  EXPECT_NEAR(static_cast<double>(one.gradient().item()), total, 1e-6 * total);
}

TEST(Values, SliceUndoesConcatAlongEveryAxis) {
  for (int axis = -3; axis < 3; ++axis) {
    std::vector<Tensor> parts;
    Index begin = 0;
    for (Index extent : {2, 0, 5, 1})
      parts.push_back(
          random(Shape{4, 3, 6}.with(axis < 0 ? axis + 3 : axis, extent), parts.size()));
    const Variable whole = concat({parts[0], parts[1], parts[2], parts[3]}, axis);
    for (const Tensor& part : parts) {
      const Index end = begin + part.shape()[axis < 0 ? axis + 3 : axis];
      EXPECT_EQ(slice(whole, axis, begin, end).value().to_vector(), part.to_vector())
          << "axis " << axis;
      begin = end;
    }
  }
}

TEST(Values, ScatterIsTheTransposeOfGather) {
  // Large enough to be divided among threads.
  const Index n = 900;
  const Index count = 4000;
  const Index d = 70;
  Random r(3);
  Ids which({count});
  for (Id& id : which.span())
    id = static_cast<Id>(r.below(n));
  const Tensor x = random({count, d});
  const Variable y = scatter_add(x, which, n);
  std::vector<double> want(n * d);
  for (Index j = 0; j < count; ++j)
    for (Index k = 0; k < d; ++k)
      want[which[j] * d + k] += static_cast<double>(x[j * d + k]);
  expect_values(y, {n, d}, want, 1e-5, "scatter_add");
  const Variable back = gather(y, which);
  for (Index j = 0; j < count; ++j)
    ASSERT_EQ(back.data()[j * d + 5], y.data()[which[j] * d + 5]);
}

TEST(Values, ATieGoesToTheFirst) {
  const auto gradients = [](auto compute) {
    Parameter a(vector({1, 2, 2}));
    Parameter b(vector({1, 2, 1}));
    Tape tape;
    tape.backward(compute(Variable(a), Variable(b)));
    return std::pair(a.gradient().defined() ? a.gradient().to_vector() : std::vector<Real>{},
                     b.gradient().defined() ? b.gradient().to_vector() : std::vector<Real>{});
  };
  using Pair = std::pair<std::vector<Real>, std::vector<Real>>;
  EXPECT_EQ(gradients([](auto a, auto b) { return sum(maximum(a, b)); }),
            (Pair{{1, 1, 1}, {0, 0, 0}}));
  EXPECT_EQ(gradients([](auto a, auto b) { return sum(minimum(a, b)); }),
            (Pair{{1, 1, 0}, {0, 0, 1}}));
  EXPECT_EQ(gradients([](auto a, auto) { return max(a); }), (Pair{{0, 1, 0}, {}}));
}

/// Every bit is the same on one thread and on several.
TEST(Values, ThreadsChangeNoBit) {
  const auto compute = [] {
    Parameter a(random({700, 130}, 1));
    Parameter b(random({130}, 2));
    Parameter w(random({90, 130}, 3));
    Tape tape;
    const Variable h = gelu(a * b + exp(b));
    const Variable y = matmul(h, w, {.b = true});
    tape.backward(mean(square(y)) + variance(h) + sum(cumsum(softplus(y), 0), {0, 1}));
    std::vector<Real> all = y.value().to_vector();
    for (const ParameterRef& p : std::initializer_list<ParameterRef>{a, b, w})
      all.insert(all.end(), p.gradient().span().begin(), p.gradient().span().end());
    return all;
  };
  const int before = threads();
  set_threads(1);
  const auto one = compute();
  set_threads(5);
  const auto five = compute();
  set_threads(before);
  EXPECT_EQ(one, five);
}

}  // namespace
}  // namespace heed::test
