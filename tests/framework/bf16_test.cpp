#include "framework/kernels/bf16.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <dlfcn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "framework/error.h"
#include "framework/kernels/gemm.h"
#include "framework/kernels/onednn.h"
#include "framework/memory.h"
#include "framework/ops.h"
#include "framework/precision.h"
#include "framework/random.h"
#include "tests/framework/threads.h"

namespace heed::test {
namespace {

/// The nearest bfloat16, ties to even, as a float: the upper half of a float's bits. x is not NaN.
Real rounded(Real x) {
  auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(x));
  bits += 0x7fff + ((bits >> 16) & 1);
  return static_cast<Real>(std::bit_cast<float>(bits & 0xffff0000u));
}

struct InBf16 {
  InBf16() { set_precision(Precision::bf16); }
  ~InBf16() { set_precision(Precision::fp32); }
  InBf16(const InBf16&) = delete;
  InBf16& operator=(const InBf16&) = delete;
};

#define NEEDS_BF16()                                                             \
  if (const std::string why = precision_obstacle(Precision::bf16); !why.empty()) \
  GTEST_SKIP() << "bf16 " << why

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/// True where oneDNN is loaded before main, that is, before anything asks for bf16.
const bool loaded_at_start = dlopen("libdnnl.so.2", RTLD_LAZY | RTLD_NOLOAD) != nullptr;

TEST(Bf16, SanitizersFindOneDnnLoadedAtStart) {  // framework/CMakeLists.txt says why
  NEEDS_BF16();
  EXPECT_TRUE(loaded_at_start);
}
#endif

std::vector<Real> numbers(Index count, std::uint64_t seed) {
  Random random(seed);
  std::vector<Real> values(static_cast<std::size_t>(count));
  for (Real& x : values)
    x = static_cast<Real>(random.uniform() * 2 - 1);
  return values;
}

TEST(Precision, IsRefusedWhereItCannotBe) {
  EXPECT_EQ(precision_obstacle(Precision::fp32), "");
  set_precision(Precision::fp32);
  EXPECT_EQ(precision(), Precision::fp32);
  const std::string why = precision_obstacle(Precision::bf16);
#ifdef HEED_DOUBLE
  EXPECT_EQ(why, "needs single precision, and this Heed computes in double");
#endif
  if (why.empty()) {
    const InBf16 on;
    EXPECT_EQ(precision(), Precision::bf16);
  } else {
    EXPECT_TRUE(why.starts_with("needs ")) << why;
    try {
      set_precision(Precision::bf16);
      FAIL() << "bf16 " << why;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), "[set_precision] expected fp32; got bf16, which " + why);
    }
  }
  EXPECT_EQ(precision(), Precision::fp32);
}

struct Size {
  Index m;
  Index n;
  Index k;
};
// Extents on both sides of every limit: a vector, a tile of conversion, a panel, a block of rows, a
// depth, and the size from which bf16 is worth it.
const std::vector<Size> sizes = {
    {16, 512, 32},   {17, 500, 33},   {31, 200, 64},    {32, 128, 65}, {33, 127, 95},
    {48, 65, 100},   {50, 64, 97},    {63, 63, 511},    {64, 16, 512}, {65, 17, 513},
    {100, 19, 600},  {130, 90, 1025}, {511, 33, 40},    {512, 66, 48}, {700, 130, 128},
    {1000, 257, 31}, {200, 2700, 70}, {1029, 48, 1100}, {1, 800, 800}, {800, 1, 800},
    {800, 800, 1},   {0, 50, 50},     {50, 0, 50},      {600, 600, 0}};

kernels::ConstMatrix dense(const std::vector<Real>& x, Index rows, Index columns) {
  return kernels::dense(x.data(), rows, columns);
}
/// x as (rows, columns), stored with leading dimension `ld`, transposed or not.
kernels::ConstMatrix operand(bool transposed, Index rows, Index columns, const std::vector<Real>& x,
                             Index ld) {
  if (transposed) return {x.data(), rows, columns, 1, ld};
  return {x.data(), rows, columns, ld, 1};
}

class Bf16Products : public testing::TestWithParam<Size> {};

// Against sums in double of the rounded operands. Products of rounded operands are exact in float
// (8 bits times 8). Each of the k additions, in any order, has an error of at most 2^-24 of a
// partial sum, which is at most k. So |error| <= k u sum |a b| to first order. A product that is
// not worth rounding takes the operands as they are given.
TEST_P(Bf16Products, IsTheSumOfRoundedProducts) {
  NEEDS_BF16();
  const InBf16 on;
  const auto [m, n, k] = GetParam();
  const bool worth = kernels::bf16_is_worth(m, n, k, n);
  const double unit = std::ldexp(1.0, -24);
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const Mode mode : {Mode::assign, Mode::accumulate}) {
        const Index lda = (ta ? m : k) + 3;
        const Index ldb = (tb ? k : n) + 2;
        const std::vector<Real> a = numbers((ta ? k : m) * lda, 1);
        const std::vector<Real> b = numbers((tb ? n : k) * ldb, 2);
        const std::vector<Real> before = numbers(m * n, 3);
        std::vector<Real> c = before;
        kernels::gemm(operand(ta, m, k, a, lda), operand(tb, k, n, b, ldb),
                      kernels::dense(c.data(), m, n), mode);
        for (Index i = 0; i < m; i += std::max<Index>(1, m / 60))
          for (Index j = 0; j < n; ++j) {
            double sum = mode == Mode::accumulate ? before[i * n + j] : 0;
            double size = std::abs(sum);
            for (Index p = 0; p < k; ++p) {
              const Real x = a[ta ? p * lda + i : i * lda + p];
              const Real y = b[tb ? j * ldb + p : p * ldb + j];
              const double product =
                  worth ? static_cast<double>(rounded(x)) * rounded(y) : static_cast<double>(x) * y;
              sum += product;
              size += std::abs(product);
            }
            ASSERT_LE(std::abs(sum - static_cast<double>(c[i * n + j])),
                      static_cast<double>(k + 2) * unit * size)
                << i << " " << j << " of " << m << " " << n << " " << k << " " << ta << tb << " "
                << (mode == Mode::accumulate);
          }
      }
}

TEST_P(Bf16Products, HasTheSameBitsOnAnyNumberOfThreads) {
  NEEDS_BF16();
  const InBf16 on;
  const auto [m, n, k] = GetParam();
  const std::vector<Real> x = numbers(m * k, 1);
  const std::vector<Real> w = numbers(n * k, 2);
  const std::vector<Real> bias = numbers(n, 3);
  const std::vector<Real> dy = numbers(m * n, 4);
  std::vector<std::vector<Real>> first;
  for (const int count : thread_counts) {
    const Threads threads(count);
    std::vector<std::vector<Real>> now = {std::vector<Real>(static_cast<std::size_t>(m * n)),
                                          numbers(m * k, 5), numbers(n * k, 6)};
    const kernels::ConstMatrix d = kernels::dense(dy.data(), m, n);
    const kernels::ConstMatrix in = kernels::dense(x.data(), m, k);
    const kernels::ConstMatrix weight = kernels::dense(w.data(), n, k);
    kernels::linear(in, weight, bias.data(), kernels::dense(now[0].data(), m, n));
    kernels::gemm(d, weight, kernels::dense(now[1].data(), m, k), Mode::accumulate);
    kernels::gemm(transposed(d), in, kernels::dense(now[2].data(), n, k), Mode::assign);
    if (first.empty()) first = now;
    EXPECT_EQ(now, first) << count << " threads";
  }
}

// A row of c depends on its row of a and on b alone, not on its place.
TEST_P(Bf16Products, RowsDoNotDependOnTheOthers) {
  NEEDS_BF16();
  const InBf16 on;
  const auto [m, n, k] = GetParam();
  if (m < 40 || !kernels::bf16_is_worth(m, n, k, n) || !kernels::bf16_is_worth(m - 7, n, k, n))
    return;
  const std::vector<Real> x = numbers(m * k, 1);
  const std::vector<Real> w = numbers(n * k, 2);
  const std::vector<Real> bias = numbers(n, 3);
  std::vector<Real> whole(static_cast<std::size_t>(m * n));
  std::vector<Real> part(whole);
  const kernels::ConstMatrix in = kernels::dense(x.data(), m, k);
  const kernels::ConstMatrix weight = kernels::dense(w.data(), n, k);
  kernels::linear(in, weight, bias.data(), kernels::dense(whole.data(), m, n));
  kernels::linear(in.block(7, 0, m - 7, k), weight, bias.data(),
                  kernels::dense(part.data(), m - 7, n));
  for (Index i = 0; i < (m - 7) * n; ++i)
    ASSERT_EQ(part[i], whole[7 * n + i]) << i;
}

INSTANTIATE_TEST_SUITE_P(, Bf16Products, testing::ValuesIn(sizes), [](const auto& tested) {
  return fmt::format("{}x{}x{}", tested.param.m, tested.param.n, tested.param.k);
});

TEST(Bf16, RoundsToTheNearestTiesToEven) {
  NEEDS_BF16();
  const InBf16 on;
  // 1 + 2^-8 lies between 1 and 1 + 2^-7. 1 + 3 * 2^-8 lies between 1 + 2^-7 and 1 + 2^-6. Products
  // with 1 do not change the rounded numbers.
  const Real given[] = {1 + Real(0x1p-8),  1 + 3 * Real(0x1p-8), 1 + Real(0x1p-8) + Real(0x1p-20),
                        -1 - Real(0x1p-8), Real(0x1.fffp127),    3};
  const Real expected[] = {
      1, 1 + Real(0x1p-6), 1 + Real(0x1p-7), -1, std::numeric_limits<Real>::infinity(), 3};
  constexpr Index m = 128;
  constexpr Index n = 64;
  constexpr Index k = 64;
  std::vector<Real> identity(n * k);
  std::vector<Real> c(m * n);
  for (Index i = 0; i < n; ++i)
    identity[i * k + i] = 1;
  for (std::size_t i = 0; i < std::size(given); ++i) {
    std::vector<Real> a(m * k);
    for (Index r = 0; r < m; ++r)
      a[r * k + (r % k)] = given[i];
    kernels::linear(dense(a, m, k), dense(identity, n, k), nullptr, kernels::dense(c.data(), m, n));
    for (Index r = 0; r < m; ++r) {
      if (std::isinf(expected[i]))
        EXPECT_TRUE(!std::isfinite(c[r * n + r % k])) << i;
      else
        EXPECT_EQ(c[r * n + r % k], expected[i]) << i;
    }
  }
  std::vector<Real> a(m * k);
  a[5 * k + 3] = std::numeric_limits<Real>::quiet_NaN();
  kernels::linear(dense(a, m, k), dense(identity, n, k), nullptr, kernels::dense(c.data(), m, n));
  EXPECT_TRUE(std::isnan(c[5 * n + 3])) << "what is not finite must be seen";
}

// y = x W^T: the products of its passes, with rounded operands, against the same products in
// double.
TEST(Bf16, GradientsOfALinearLayer) {
  NEEDS_BF16();
  const InBf16 on;
  constexpr Index m = 150;
  constexpr Index n = 96;
  constexpr Index k = 80;
  const Parameter x(uniform_tensor({m, k}, 1));
  const Parameter w(uniform_tensor({n, k}, 2));
  const Parameter b(uniform_tensor({n}, 3));
  const Tensor dy = uniform_tensor({m, n}, 4);
  Tape tape;
  tape.backward(sum(linear(x, w, b) * Variable(dy)));
  const auto close = [](const Tensor& got, Index i, Index j, Index terms, auto&& term) {
    double total = 0;
    for (Index p = 0; p < terms; ++p)
      total += term(p);
    EXPECT_NEAR(got.data()[i * got.columns() + j], total,
                static_cast<double>(terms + 2) * std::ldexp(1.0, -24) * static_cast<double>(terms))
        << i << " " << j;
  };
  const auto at = [](const Tensor& t, Index i, Index j) {
    return static_cast<double>(rounded(t.data()[i * t.columns() + j]));
  };
  for (Index i = 0; i < m; i += 7)
    for (Index j = 0; j < k; ++j)
      close(x.gradient(), i, j, n, [&](Index p) { return at(dy, i, p) * at(w.value(), p, j); });
  for (Index i = 0; i < n; i += 5)
    for (Index j = 0; j < k; ++j)
      close(w.gradient(), i, j, m, [&](Index p) { return at(dy, p, i) * at(x.value(), p, j); });
}

// The number of rows changes with every batch. That neither compiles more and more kernels nor asks
// the system for memory.
TEST(Bf16, CompilesForFewShapes) {
  NEEDS_BF16();
  const InBf16 on;
  const Threads one(1);
  constexpr Index n = 96;
  constexpr Index k = 128;
  constexpr Index most = 1500;
  const std::vector<Real> x = numbers(most * k, 1);
  const std::vector<Real> w = numbers(n * k, 2);
  const std::vector<Real> dy = numbers(most * n, 3);
  std::vector<Real> y(most * n);
  std::vector<Real> dx(most * k);
  std::vector<Real> dw(n * k);
  const auto step = [&](Index m) {
    const kernels::ConstMatrix d = dense(dy, m, n);
    kernels::linear(dense(x, m, k), dense(w, n, k), nullptr, kernels::dense(y.data(), m, n));
    kernels::gemm(d, dense(w, n, k), kernels::dense(dx.data(), m, k), Mode::assign);
    kernels::gemm(transposed(d), dense(x, m, k), kernels::dense(dw.data(), n, k), Mode::assign);
  };
  const std::uint64_t before = kernels::onednn::made();
  for (Index m = 1; m <= most; ++m)
    step(m);
  const std::uint64_t made = kernels::onednn::made() - before;
  // y and dx: 4 heights with 1 or 2 chunks. dW: 8 depths, of which the first assigns and the others
  // add.
  EXPECT_LE(made, 40u);
  const auto asked = memory::statistics().system_requests;
  for (Index m = 2; m <= most; m += 3)
    step(m);
  EXPECT_EQ(kernels::onednn::made() - before, made);
  EXPECT_EQ(memory::statistics().system_requests, asked);
}

}  // namespace
}  // namespace heed::test
