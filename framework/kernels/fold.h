#pragma once

// For kernels' .cpp files only: sums and maxima over a row, a vector at a time, in an order that depends on its length alone.

#include <algorithm>
#include <limits>

#include "framework/kernels/simd.h"

namespace heed::kernels {

/// f(i, count), the vector of numbers from i on, over [0, n), folded with `combine`; the tail is padded with `neutral`.
template <class F, class Combine>
Vec fold(Index n, Vec start, Vec neutral, F f, Combine combine) {
  Index i = 0;
  for (; i + Vec::width <= n; i += Vec::width) start = combine(start, f(i, Vec::width));
  if (i < n) start = combine(start, select(less(count_from(0), Vec(static_cast<Real>(n - i))), f(i, n - i), neutral));
  return start;
}
inline Vec at(const Real* x, Index i, Index count) { return count == Vec::width ? Vec::load(x + i) : Vec::load(x + i, count); }

/// sum_i f(i)
template <class F>
Real sum_of(Index n, F f) {
  return sum(fold(n, Vec(0), Vec(0), f, [](Vec a, Vec b) { return a + b; }));
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
