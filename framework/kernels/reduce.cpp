#include "framework/kernels/reduce.h"

#include <algorithm>
#include <array>

#include "framework/kernels/simd.h"

namespace heed::kernels {

namespace {

constexpr Index block = 1024;  // elements of a row that are added as Real
constexpr Index strip = 64;    // columns that one task adds
constexpr Index block_rows = 32;

/// The sum of f over [0, n). The lanes are added in a fixed order; the remainder is padded with zeros after f.
template <class F>
Real block_sum(Index n, const Real* x, F f) {
  Vec total[4] = {Real(0), Real(0), Real(0), Real(0)};
  Index i = 0;
  for (; i + 4 * Vec::width <= n; i += 4 * Vec::width)
    for (int k = 0; k < 4; ++k) total[k] = total[k] + f(Vec::load(x + i + k * Vec::width));
  for (; i + Vec::width <= n; i += Vec::width) total[0] = total[0] + f(Vec::load(x + i));
  Real rest = 0;
  if (i < n) {
    alignas(64) Real lanes[Vec::width];
    f(Vec::load(x + i, n - i)).store(lanes);
    for (Index k = 0; k < n - i; ++k) rest += lanes[k];
  }
  return sum((total[0] + total[1]) + (total[2] + total[3])) + rest;
}

template <class F>
double long_sum(Index n, const Real* x, F f) {
  double total = 0;
  for (Index i = 0; i < n; i += block) total += static_cast<double>(block_sum(std::min(block, n - i), x + i, f));
  return total;
}

void put(double value, Real* y, Mode mode) { *y = static_cast<Real>(mode == Mode::assign ? value : static_cast<double>(*y) + value); }

/// Sums of rows: inner = 1. f(row) gives the function of an element.
template <class F>
void sum_along_rows(Index outer, Index n, Real scale, const Real* x, Real* y, Mode mode, F f) {
  constexpr Index pieces = 64;
  if (outer < pieces && n >= pieces * 4 * block) {  // few rows, so long that each is cut
    const Index piece = (n / pieces + block) / block * block;
    for (Index row = 0; row < outer; ++row) {
      std::array<double, pieces> parts{};
      parallel_for(n, piece, [&](Index begin, Index end) { parts[begin / piece] = long_sum(end - begin, x + row * n + begin, f(row)); });
      double total = 0;
      for (double part : parts) total += part;
      put(total * scale, y + row, mode);
    }
    return;
  }
  parallel_for(outer, grain_of(n), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) put(long_sum(n, x + row * n, f(row)) * scale, y + row, mode);
  });
}

/// Sums of columns: inner > 1. f(vector, first output) is the function of a vector of elements.
template <class F>
void sum_along_columns(Index outer, Index n, Index inner, Real scale, const Real* x, Real* y, Mode mode, F f) {
  const Index strips = (inner + strip - 1) / strip;
  parallel_for(outer * strips, grain_of(n * std::min(inner, strip)), [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index o = task / strips, first = task % strips * strip, width = std::min(strip, inner - first);
      const Real* from = x + o * n * inner + first;
      const Index out = o * inner + first;
      std::array<double, strip> totals{};
      for (Index row = 0; row < n; row += block_rows) {
        alignas(64) std::array<Real, strip> part{};
        const Index end_row = std::min(n, row + block_rows);
        for (Index column = 0; column < width; column += Vec::width) {
          const Index lanes = std::min(Vec::width, width - column);
          Vec total{Real(0)};
          if (lanes == Vec::width)
            for (Index i = row; i < end_row; ++i) total = total + f(Vec::load(from + i * inner + column), out + column, lanes);
          else
            for (Index i = row; i < end_row; ++i) total = total + f(Vec::load(from + i * inner + column, lanes), out + column, lanes);
          total.store(part.data() + column);
        }
        for (Index k = 0; k < width; ++k) totals[k] += static_cast<double>(part[k]);
      }
      for (Index k = 0; k < width; ++k) put(totals[k] * scale, y + out + k, mode);
    }
  });
}

}  // namespace

void sum(Index outer, Index n, Index inner, Real scale, const Real* x, Real* y, Mode mode) {
  if (inner == 1)
    sum_along_rows(outer, n, scale, x, y, mode, [](Index) { return [](Vec v) { return v; }; });
  else
    sum_along_columns(outer, n, inner, scale, x, y, mode, [](Vec v, Index, Index) { return v; });
}

void squared_deviations(Index outer, Index n, Index inner, Real scale, const Real* x, const Real* mean, Real* y) {
  if (inner == 1)
    sum_along_rows(outer, n, scale, x, y, Mode::assign, [mean](Index row) {
      return [m = Vec(mean[row])](Vec v) { return (v - m) * (v - m); };
    });
  else
    sum_along_columns(outer, n, inner, scale, x, y, Mode::assign, [mean](Vec v, Index out, Index lanes) {
      const Vec d = v - (lanes == Vec::width ? Vec::load(mean + out) : Vec::load(mean + out, lanes));
      return d * d;
    });
}

void max(Index outer, Index n, Index inner, const Real* x, Real* y, Id* position) {
  const Index strips = (inner + strip - 1) / strip;
  parallel_for(outer * strips, grain_of(2 * n * std::min(inner, strip)), [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index o = task / strips, first = task % strips * strip, width = std::min(strip, inner - first);
      const Real* from = x + o * n * inner + first;
      Real* best = y + o * inner + first;
      Id* where = position + o * inner + first;
      for (Index k = 0; k < width; ++k) best[k] = from[k], where[k] = 0;
      for (Index i = 1; i < n; ++i)
        for (Index k = 0; k < width; ++k) {
          const Real value = from[i * inner + k];
          const bool larger = !(value <= best[k]) && best[k] == best[k];  // true for the first NaN too
          best[k] = larger ? value : best[k], where[k] = larger ? static_cast<Id>(i) : where[k];
        }
    }
  });
}

void max_backward(Index outer, Index n, Index inner, const Id* position, const Real* dy, Real* dx, Mode mode) {
  parallel_for(outer, grain_of(n * inner), [&](Index begin, Index end) {
    if (mode == Mode::assign) std::fill(dx + begin * n * inner, dx + end * n * inner, Real{0});
    for (Index o = begin; o < end; ++o)
      for (Index k = 0; k < inner; ++k) dx[(o * n + position[o * inner + k]) * inner + k] += dy[o * inner + k];
  });
}

void cumsum(Index outer, Index n, Index inner, bool from_end, const Real* x, Real* y, Mode mode) {
  const Index strips = (inner + strip - 1) / strip;
  parallel_for(outer * strips, grain_of(2 * n * std::min(inner, strip)), [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index first = task % strips * strip, width = std::min(strip, inner - first), at = task / strips * n * inner + first;
      std::array<double, strip> totals{};
      for (Index i = 0; i < n; ++i) {
        const Index row = at + (from_end ? n - 1 - i : i) * inner;
        for (Index k = 0; k < width; ++k) put(totals[k] += static_cast<double>(x[row + k]), y + row + k, mode);
      }
    }
  });
}

}  // namespace heed::kernels
