#pragma once

// For kernels' .cpp files only: loops over a row of numbers, a vector at a time. They deal with the
// tail, the last numbers that fill no whole vector:
//
//   for_each_vector   f(lanes) for each vector of the row
//   transform_serial  out = f(in...) for each number, on this thread
//   transform         the same on all threads
//   fold              combines all vectors into one, in an order that the length alone decides
//   sum_of, max_of, dot, deviations_of   folds that give numbers
//
// `lanes` says where a vector lies: lanes.load(x) reads its numbers from a row x, lanes.store(v, y)
// writes them. One body serves the whole vectors and the tail:
//
//   for_each_vector(n, [=](auto lanes) { lanes.store(lanes.load(a) * lanes.load(b), y); });

#include <algorithm>
#include <limits>

#include "framework/kernels/parallel.h"
#include "framework/kernels/simd.h"

namespace heed::kernels {

/// The numbers [begin, begin + Vec::width) of a row.
struct WholeVector {
  Index begin;

  Vec load(const Real* row) const { return Vec::load(row + begin); }
  void store(Vec v, Real* row) const { v.store(row + begin); }
  void store(Vec v, Real* row, Mode mode) const { v.store(row + begin, mode); }
  /// v, with `neutral` in the lanes that are beyond the row.
  Vec padded_with(Vec, Vec v) const { return v; }
  /// The same vector of a row that begins `distance` numbers earlier.
  WholeVector shifted(Index distance) const { return {begin + distance}; }
};

/// The tail: the numbers [begin, begin + count) of a row, count < Vec::width. Lanes beyond it load
/// as zero and are not stored.
struct TailVector {
  Index begin;
  Index count;

  Vec load(const Real* row) const { return Vec::load(row + begin, count); }
  void store(Vec v, Real* row) const { v.store(row + begin, count); }
  void store(Vec v, Real* row, Mode mode) const { v.store(row + begin, count, mode); }
  Vec padded_with(Vec neutral, Vec v) const {
    return select(less(count_from(0), Vec(static_cast<Real>(count))), v, neutral);
  }
  TailVector shifted(Index distance) const { return {begin + distance, count}; }
};

/// f(lanes) for the vectors of a row of n numbers, from its start.
template <class F>
void for_each_vector(Index n, F f) {
  Index i = 0;
  for (; i + Vec::width <= n; i += Vec::width)
    f(WholeVector{i});
  if (i < n) f(TailVector{i, n - i});
}

/// out[i] = or += f(in[i]...) for i in [0, n), on this thread.
template <class F, class... In>
void transform_serial(Index n, Real* out, Mode mode, F f, const In*... in) {
  Index i = 0;
  for (; i + Vec::width <= n; i += Vec::width)
    f(Vec::load(in + i)...).store(out + i, mode);
  if (i < n) f(Vec::load(in + i, n - i)...).store(out + i, n - i, mode);
}

/// The same on all threads. `cost` is about how many operations f takes an element.
template <class F, class... In>
void transform(Index n, Real* out, Mode mode, Index cost, F f, const In*... in) {
  parallel_for(n, grain_of(cost) / Vec::width * Vec::width, [&](Index begin, Index end) {
    transform_serial(end - begin, out + begin, mode, f, (in + begin)...);
  });
}

/// Folds f(lanes) of a row of n numbers into `start` with `combine`. `neutral` pads the tail.
template <class F, class Combine>
Vec fold(Index n, Vec start, Vec neutral, F f, Combine combine) {
  for_each_vector(
      n, [&](auto lanes) { start = combine(start, lanes.padded_with(neutral, f(lanes))); });
  return start;
}

/// So many terms of a row are added as Real. The sums of such blocks are added in double, so that a
/// row of millions of numbers keeps its digits.
constexpr Index sum_block = 16384;

/// sum_i f(i) over a row of n numbers, f giving a vector of terms.
template <class F>
Real sum_of(Index n, F f) {
  const auto add = [](Vec a, Vec b) { return a + b; };
  if (n <= sum_block) return sum(fold(n, Vec(0), Vec(0), f, add));
  double total = 0;
  for (Index begin = 0; begin < n; begin += sum_block) {
    const auto shifted = [&](auto lanes) { return f(lanes.shifted(begin)); };
    total += sum(fold(std::min(sum_block, n - begin), Vec(0), Vec(0), shifted, add));
  }
  return static_cast<Real>(total);
}
inline Real total_of(Index n, const Real* x) {
  return sum_of(n, [x](auto lanes) { return lanes.load(x); });
}

/// max_i f(i)
template <class F>
Real max_of(Index n, F f) {
  const Vec lowest = -std::numeric_limits<Real>::infinity();
  return max(fold(n, lowest, lowest, f, [](Vec a, Vec b) { return max(a, b); }));
}
inline Real largest(Index n, const Real* x) {
  return max_of(n, [x](auto lanes) { return lanes.load(x); });
}

/// a . b, for rows of at most some thousands of numbers: all terms are added as Real.
inline Real dot(Index n, const Real* a, const Real* b) {
  Vec total = Real{0};
  for_each_vector(n,
                  [&](auto lanes) { total = multiply_add(lanes.load(a), lanes.load(b), total); });
  return sum(total);
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
    for_each_vector(std::min(sum_block, n - begin), [&](auto lanes) {
      const Vec d = lanes.padded_with(Vec(0), lanes.load(x + begin) - centre);
      sums = sums + d;
      squares = squares + d * d;
    });
    total.sum += sum(sums);
    total.squares += sum(squares);
  }
  return total;
}

}  // namespace heed::kernels
