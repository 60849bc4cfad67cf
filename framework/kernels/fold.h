#pragma once

// For kernels' .cpp files only: sums and maxima over a row, a vector at a time, in an order that
// depends on its length alone.

#include <algorithm>
#include <limits>

#include "framework/kernels/simd.h"

namespace heed::kernels {

/// f(i, count), the vector of numbers from i on, over [0, n), folded with `combine`; the tail is
/// padded with `neutral`.
template <class F, class Combine>
Vec fold(Index n, Vec start, Vec neutral, F f, Combine combine) {
  Index i = 0;
  for (; i + Vec::width <= n; i += Vec::width)
    start = combine(start, f(i, Vec::width));
  if (i < n)
    start = combine(
        start, select(less(count_from(0), Vec(static_cast<Real>(n - i))), f(i, n - i), neutral));
  return start;
}
inline Vec at(const Real* x, Index i, Index count) {
  return count == Vec::width ? Vec::load(x + i) : Vec::load(x + i, count);
}

/// Terms of a row that are added as Real; the sums of such blocks are added in double, so that a
/// row of millions keeps its digits.
constexpr Index sum_block = 16384;

/// sum_i f(i)
template <class F>
Real sum_of(Index n, F f) {
  const auto add = [](Vec a, Vec b) { return a + b; };
  if (n <= sum_block) return sum(fold(n, Vec(0), Vec(0), f, add));
  double total = 0;
  for (Index begin = 0; begin < n; begin += sum_block) {
    const auto shifted = [&](Index i, Index count) { return f(begin + i, count); };
    total += sum(fold(std::min(sum_block, n - begin), Vec(0), Vec(0), shifted, add));
  }
  return static_cast<Real>(total);
}

struct Deviations {
  double sum = 0;      // of x - centre
  double squares = 0;  // of (x - centre)^2
};

/// One pass over a row for both sums.
inline Deviations deviations_of(Index n, const Real* x, Vec centre) {
  Deviations total;
  for (Index begin = 0; begin < n; begin += sum_block) {
    Vec sums = 0;
    Vec squares = 0;
    const auto add = [&](Vec d) {
      sums = sums + d;
      squares = squares + d * d;
    };
    const Index end = std::min(n, begin + sum_block);
    Index i = begin;
    for (; i + Vec::width <= end; i += Vec::width)
      add(Vec::load(x + i) - centre);
    if (i < end) {
      const Vec inside = less(count_from(0), Vec(static_cast<Real>(end - i)));
      add(select(inside, Vec::load(x + i, end - i) - centre, Vec(0)));
    }
    total.sum += sum(sums);
    total.squares += sum(squares);
  }
  return total;
}
/// max_i f(i)
template <class F>
Real max_of(Index n, F f) {
  const Vec lowest = -std::numeric_limits<Real>::infinity();
  return max(fold(n, lowest, lowest, f, [](Vec a, Vec b) { return max(a, b); }));
}
inline Real largest(Index n, const Real* x) {
  return max_of(n, [x](Index i, Index c) { return at(x, i, c); });
}

}  // namespace heed::kernels
