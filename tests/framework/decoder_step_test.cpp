#include "framework/kernels/decoder_step.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "framework/kernels/packed.h"
#include "framework/kernels/top_k.h"
#include "framework/random.h"

// The kernels of a step of decoding against plain loops in double precision.
// tests/models/decode_test.cpp compares whole steps.

namespace heed {
namespace {

std::vector<Real> random_numbers(Index n, std::uint64_t seed) {
  Random random(seed);
  std::vector<Real> x(static_cast<std::size_t>(n));
  for (Real& v : x)
    v = static_cast<Real>(random.uniform() * 2 - 1);
  return x;
}

TEST(StepLinear, IsTheProductWithWhatIsFusedIntoIt) {
  struct Row {
    Index m;
    Index in;
    Index out;
    bool bias;
    bool relu;
    Mode mode;
  };
  constexpr Mode assign = Mode::assign;
  constexpr Mode accumulate = Mode::accumulate;
  for (const Row& row :
       {Row{1, 19, 7, true, false, assign}, Row{5, 64, 64, false, false, assign},
        Row{33, 20, 65, true, true, assign}, Row{2, 256, 130, true, false, accumulate},
        Row{40, 3, 64, false, true, accumulate}, Row{300, 17, 70, true, true, accumulate},
        Row{9, 600, 50, true, true, accumulate}, Row{0, 8, 8, true, false, assign},
        Row{1, 1, 1, false, false, accumulate}}) {
    const Index ldx = row.in + 3;
    const Index ldy = row.out + 2;
    const auto x = random_numbers(row.m * ldx, 1);
    const auto w = random_numbers(row.out * row.in, 2);
    const auto b = random_numbers(row.out, 3);
    const auto before = random_numbers(row.m * ldy, 4);
    std::vector<Real> packed(static_cast<std::size_t>(kernels::packed_size(row.in, row.out)));
    kernels::pack_panels(transposed(kernels::dense(w.data(), row.out, row.in)), packed.data());
    const kernels::StepLinear linear{packed.data(), row.bias ? b.data() : nullptr, row.in, row.out};
    for (const Index grain : {0, 1, 1000}) {
      std::vector<Real> y = before;
      kernels::step_linear(linear, {x.data(), row.m, row.in, ldx}, {y.data(), row.m, row.out, ldy},
                           {.relu = row.relu, .mode = row.mode, .grain = grain});
      for (Index i = 0; i < row.m; ++i) {
        for (Index j = 0; j < row.out; ++j) {
          double expected = row.bias ? static_cast<double>(b[j]) : 0;
          for (Index p = 0; p < row.in; ++p)
            expected +=
                static_cast<double>(x[i * ldx + p]) * static_cast<double>(w[j * row.in + p]);
          if (row.mode == accumulate) expected += static_cast<double>(before[i * ldy + j]);
          if (row.relu) expected = std::max(expected, 0.0);
          ASSERT_NEAR(y[i * ldy + j], expected, 2e-5)
              << row.m << " x " << row.in << " x " << row.out << " at " << i << ", " << j;
        }
        for (Index j = row.out; j < ldy; ++j)
          ASSERT_EQ(y[i * ldy + j], before[i * ldy + j]) << "beyond the row";
        // A row alone has the same bits.
        std::vector<Real> alone(before.begin() + i * ldy, before.begin() + (i + 1) * ldy);
        kernels::step_linear(linear, {x.data() + i * ldx, 1, row.in, ldx},
                             {alone.data(), 1, row.out, ldy}, {.relu = row.relu, .mode = row.mode});
        for (Index j = 0; j < row.out; ++j)
          ASSERT_EQ(alone[j], y[i * ldy + j]) << "row " << i;
      }
    }
  }
}

TEST(AttendRows, IsSoftmaxTimesValues) {
  for (const auto& [heads, width] :
       {std::pair<Index, Index>{1, 1}, {4, 64}, {2, 19}, {3, 16}, {1, 130}, {10, 8}})
    for (const Index longest : {0, 1, 20, 64, 65, 200}) {
      const Index d = heads * width;
      const Index rows = 3;
      const Index q_stride = d + 5;
      const auto q = random_numbers(rows * q_stride, 5);
      const auto kv = random_numbers((longest + 1) * 2 * d, 6);
      std::vector<Id> order;
      for (Index j = 0; j < longest; ++j)
        order.push_back(static_cast<Id>((j * 7 + 3) % (longest + 1)));
      const kernels::KeyList keys[] = {
          {order.data(), 0, longest}, {nullptr, 1, longest}, {order.data(), 0, longest / 2}};
      const Real scale = Real(3) / std::sqrt(static_cast<Real>(width));
      for (const bool serial : {false, true}) {
        std::vector<Real> y(static_cast<std::size_t>(rows * d), Real(7));
        kernels::attend_rows({.heads = heads,
                              .scale = scale,
                              .queries = {q.data(), rows, d, q_stride},
                              .cache = kv.data(),
                              .keys = keys,
                              .serial = serial},
                             y.data());
        for (Index r = 0; r < rows; ++r)
          for (Index h = 0; h < heads; ++h) {
            std::vector<double> e;
            double total = 0;
            const auto at = [&](Index j) {
              return kv.data() + (keys[r].rows ? keys[r].rows[j] : keys[r].begin + j) * 2 * d +
                     h * width;
            };
            for (Index j = 0; j < keys[r].count; ++j) {
              double s = 0;
              for (Index c = 0; c < width; ++c)
                s += static_cast<double>(q[r * q_stride + h * width + c]) *
                     static_cast<double>(at(j)[c]);
              e.push_back(std::exp(s * static_cast<double>(scale)));
              total += e.back();
            }
            for (Index c = 0; c < width; ++c) {
              double expected = 0;
              for (Index j = 0; j < keys[r].count; ++j)
                expected += e[j] / total * static_cast<double>(at(j)[d + c]);
              ASSERT_NEAR(y[r * d + h * width + c], expected, 2e-5)
                  << heads << " heads of " << width << ", " << longest << " keys, row " << r;
            }
          }
      }
    }
}

// Against a stable sort of the row: the largest come first, equal ones in the order of their
// columns, and NaN is never chosen.
TEST(TopK, IsTheHeadOfTheSorted) {
  struct Row {
    const char* name;
    Index n;
    Index k;
    int values;  // how many different values occur; few make ties
    bool nan;
  };
  for (const Row& row :
       {Row{"one of one", 1, 1, 9, false}, Row{"all", 20, 20, 1000, false},
        Row{"greedy", 8000, 1, 100'000, false}, Row{"a beam", 8000, 5, 100'000, false},
        Row{"ties", 1000, 7, 5, false}, Row{"short of a vector", 15, 3, 100, false},
        Row{"beside NaN", 300, 4, 1000, true}, Row{"all equal", 77, 3, 1, false}}) {
    constexpr Index m = 5;
    Random random(3);
    std::vector<Real> x(static_cast<std::size_t>(m * row.n));
    std::vector<Real> values(static_cast<std::size_t>(m * row.k));
    for (Real& v : x)
      v = static_cast<Real>(
              static_cast<int>(random.below(static_cast<std::uint64_t>(row.values)))) -
          3;
    if (row.nan)
      for (Index i = 0; i < m; ++i)
        for (Index j = row.k; j < row.n; j += 3)
          x[i * row.n + j] = std::numeric_limits<Real>::quiet_NaN();
    std::vector<Id> columns(values.size());
    kernels::top_k(m, row.n, row.k, x.data(), values.data(), columns.data());
    for (Index i = 0; i < m; ++i) {
      std::vector<Id> order;
      for (Index j = 0; j < row.n; ++j)
        if (!std::isnan(x[i * row.n + j])) order.push_back(static_cast<Id>(j));
      std::stable_sort(order.begin(), order.end(),
                       [&](Id a, Id b) { return x[i * row.n + a] > x[i * row.n + b]; });
      for (Index c = 0; c < row.k; ++c) {
        ASSERT_EQ(columns[i * row.k + c], order[c]) << row.name << ", row " << i;
        ASSERT_EQ(values[i * row.k + c], x[i * row.n + order[c]]) << row.name << ", row " << i;
      }
    }
  }
}

}  // namespace
}  // namespace heed
