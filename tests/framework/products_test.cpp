#include <cmath>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "framework/kernels/gemm.h"
#include "framework/kernels/packed.h"
#include "framework/random.h"

// Large products against sums in double precision. The extents are on both sides of every limit: a
// vector, a strip of rows, a panel of columns, a depth, a task, and the size below which another
// kernel computes the product.

namespace heed::test {
namespace {

std::vector<Real> numbers(Index count, std::uint64_t seed) {
  Random random(seed);
  std::vector<Real> values(static_cast<std::size_t>(count));
  for (Real& x : values)
    x = static_cast<Real>(random.uniform() * 2 - 1);
  return values;
}

struct Size {
  Index m;
  Index n;
  Index k;
};
const std::vector<Size> sizes = {
    {1, 1, 1},        {1, 50, 300},     {3, 16, 5},       {7, 47, 31},    {8, 48, 256},
    {9, 49, 257},     {31, 100, 64},    {32, 97, 129},    {33, 15, 513},  {64, 1, 700},
    {95, 200, 255},   {97, 333, 100},   {100, 64, 512},   {193, 145, 77}, {257, 33, 40},
    {200, 2700, 200}, {300, 1024, 520}, {1030, 800, 700}, {5, 3000, 90},  {1000, 520, 1050},
    {40, 40, 0},      {0, 5, 7},        {5, 0, 7},
};
constexpr Real guard = 77;

/// x as (rows, columns), stored with leading dimension `ld`, transposed or not.
kernels::ConstMatrix operand(bool transposed, Index rows, Index columns, const std::vector<Real>& x,
                             Index ld) {
  if (transposed) return {x.data(), rows, columns, 1, ld};
  return {x.data(), rows, columns, ld, 1};
}

class Products : public testing::TestWithParam<Size> {};

TEST_P(Products, AreTheSums) {
  const auto [m, n, k] = GetParam();
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const Mode mode : {Mode::assign, Mode::accumulate}) {
        const Index lda = (ta ? m : k) + 3;
        const Index ldb = (tb ? k : n) + 2;
        const Index ldc = n + 5;
        const std::vector<Real> a = numbers((ta ? k : m) * lda, 1);
        const std::vector<Real> b = numbers((tb ? n : k) * ldb, 2);
        const std::vector<Real> before = numbers(m * ldc, 3);
        std::vector<Real> c = before;
        for (Index i = 0; i < m; ++i)
          for (Index j = n; j < ldc; ++j)
            c[i * ldc + j] = guard;
        kernels::gemm(operand(ta, m, k, a, lda), operand(tb, k, n, b, ldb), {c.data(), m, n, ldc},
                      mode);
        double worst = 0;
        for (Index i = 0; i < m; i += std::max<Index>(1, m / 60))
          for (Index j = 0; j < n; ++j) {
            double sum = mode == Mode::accumulate ? before[i * ldc + j] : 0;
            for (Index p = 0; p < k; ++p)
              sum += static_cast<double>(a[ta ? p * lda + i : i * lda + p]) *
                     b[tb ? j * ldb + p : p * ldb + j];
            worst = std::max(worst, std::abs(sum - static_cast<double>(c[i * ldc + j])));
          }
        EXPECT_LT(worst, 1e-5 * std::sqrt(static_cast<double>(k) + 1))
            << m << " " << n << " " << k << " " << ta << tb << " " << (mode == Mode::accumulate);
        for (Index i = 0; i < m; ++i)
          for (Index j = n; j < ldc; ++j)
            ASSERT_EQ(c[i * ldc + j], guard) << "beside row " << i;
      }
}

TEST_P(Products, StartFromTheBias) {
  const auto [m, n, k] = GetParam();
  const std::vector<Real> x = numbers(m * k, 1);
  const std::vector<Real> w = numbers(n * k, 2);
  const std::vector<Real> bias = numbers(n, 3);
  std::vector<Real> with(static_cast<std::size_t>(m * n), guard);
  std::vector<Real> without = with;
  const kernels::ConstMatrix rows = kernels::dense(x.data(), m, k);
  const kernels::ConstMatrix weight = kernels::dense(w.data(), n, k);
  kernels::linear(rows, weight, bias.data(), kernels::dense(with.data(), m, n));
  kernels::linear(rows, weight, nullptr, kernels::dense(without.data(), m, n));
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j)
      ASSERT_NEAR(with[i * n + j], without[i * n + j] + bias[j],
                  1e-5 * std::sqrt(static_cast<double>(k) + 1))
          << i << " " << j;
}

// A row of a packed product has the same bits with any other rows, on one thread or on several.
TEST_P(Products, RowsDoNotDependOnTheOthers) {
  const auto [m, n, k] = GetParam();
  const std::vector<Real> a = numbers(m * k, 1);
  const std::vector<Real> b = numbers(k * n, 2);
  std::vector<Real> packed(static_cast<std::size_t>(kernels::packed_size(k, n)));
  std::vector<Real> whole(static_cast<std::size_t>(m * n));
  std::vector<Real> single(static_cast<std::size_t>(n));
  const kernels::ConstMatrix left = kernels::dense(a.data(), m, k);
  const kernels::ConstMatrix right = kernels::dense(b.data(), k, n);
  kernels::pack_panels(right, packed.data());
  kernels::packed_gemm(left, packed.data(), nullptr, kernels::dense(whole.data(), m, n),
                       Mode::assign);
  for (Index i = 0; i < m; ++i) {
    kernels::packed_gemm_serial(left.block(i, 0, 1, k), packed.data(), nullptr,
                                kernels::dense(single.data(), 1, n), Mode::assign);
    ASSERT_TRUE(std::equal(single.begin(), single.end(), whole.begin() + i * n)) << "row " << i;
  }
  std::vector<Real> by_the_way(whole.size());
  kernels::packing_gemm(left, right, nullptr, kernels::dense(by_the_way.data(), m, n),
                        Mode::assign);
  EXPECT_EQ(by_the_way, whole);
}

TEST_P(Products, OfAPackedRightOperandAreTheSame) {
  const auto [m, n, k] = GetParam();
  const std::vector<Real> a = numbers(m * k, 1);
  const std::vector<Real> b = numbers(n * k, 2);
  const std::vector<Real> before = numbers(m * n, 3);
  for (const bool transpose : {false, true}) {
    const Index ldb = transpose ? k : n;
    std::vector<Real> once = before;
    std::vector<Real> again = before;
    const kernels::ConstMatrix left = kernels::dense(a.data(), m, k);
    const kernels::ConstMatrix other = operand(transpose, k, n, b, std::max<Index>(ldb, 1));
    kernels::gemm(left, other, kernels::dense(once.data(), m, n), Mode::accumulate);
    const kernels::RightOperand right(m, other);
    const kernels::Matrix c = kernels::dense(again.data(), m, n);
    const Index half = m / 2;
    right.multiply(left.block(0, 0, half, k), nullptr, c.block(0, 0, half, n), Mode::accumulate);
    right.multiply(left.block(half, 0, m - half, k), nullptr, c.block(half, 0, m - half, n),
                   Mode::accumulate);
    for (Index i = 0; i < m * n; ++i)
      ASSERT_NEAR(once[i], again[i], 1e-5 * std::sqrt(static_cast<double>(k) + 1))
          << i << " of " << m << " x " << n;
  }
}

INSTANTIATE_TEST_SUITE_P(, Products, testing::ValuesIn(sizes), [](const auto& tested) {
  return fmt::format("{}x{}x{}", tested.param.m, tested.param.n, tested.param.k);
});

}  // namespace
}  // namespace heed::test
