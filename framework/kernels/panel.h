#pragma once

// For kernels' .cpp files only: the innermost loop of the large products.

#include <algorithm>

#include "framework/kernels/packed.h"
#include "framework/kernels/simd.h"

namespace heed::kernels {

/// The part of c that stays in registers. Its rows times vectors of sums, a row of b and one factor
/// take 28 of AVX-512's 32 registers, or 15 of AVX2's 16.
constexpr bool many_registers = Vec::width * sizeof(Real) == 64;
constexpr int strip_rows = many_registers ? 8 : 6;
constexpr int strip_vectors = many_registers ? 3 : 2;
static_assert(panel_columns % (strip_vectors * Vec::width) == 0);

/// c = start + a b for a (rows, k), b (k, c.columns) with rows panel_columns apart, and c of at
/// most `vectors` vectors of columns. The start is what c (where mode accumulates) and bias (null:
/// none) hold. Sums go along k alone, one term after the other: a row of c has the same bits
/// however the product is cut.
template <int rows, int vectors>
[[gnu::always_inline]] inline void strip_block(const ConstMatrix& a, const Real* b,
                                               const Real* bias, const Matrix& c, Mode mode) {
  const Index k = a.columns;
  const Index last = c.columns - (vectors - 1) * Vec::width;  // numbers in the last vector
  const auto is_whole = [&](int j) { return j + 1 < vectors || last == Vec::width; };
  const auto load = [&](const Real* from, int j) {
    return is_whole(j) ? Vec::load(from + j * Vec::width) : Vec::load(from + j * Vec::width, last);
  };
  Vec sums[rows][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      sums[i][j] = bias ? load(bias, j) : Vec(Real{0});
      if (mode == Mode::accumulate) sums[i][j] = sums[i][j] + load(c.row(i), j);
    }
  const Real* from = a.data;
  // The strides are read from `a` here. Kept in variables, g++ 12 spreads them over eight
  // registers, and a step of training takes 2.5 % longer.
  for (Index p = 0; p < k; ++p, from += a.column_stride, b += panel_columns) {
    Vec row[vectors];
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      row[j] = Vec::load(b + j * Vec::width);
      __builtin_prefetch(b + 32 * panel_columns + j * Vec::width);
    }
    __builtin_prefetch(from + 12 * a.column_stride);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const Vec factor = from[i * a.row_stride];
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j)
        sums[i][j] = multiply_add(factor, row[j], sums[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      Real* const to = c.row(i) + j * Vec::width;
      if (is_whole(j))
        sums[i][j].store(to);
      else
        sums[i][j].store(to, last);
    }
}

/// `rows` rows of c, of at most panel_columns columns.
template <int rows>
[[gnu::noinline]] void strip(const ConstMatrix& a, const Real* b, const Real* bias, const Matrix& c,
                             Mode mode) {
  constexpr Index whole = strip_vectors * Vec::width;
  const Index columns = c.columns;
  const auto part = [&](Index j, Index count) { return c.block(0, j, rows, count); };
  const auto bias_at = [&](Index j) { return bias ? bias + j : nullptr; };
  Index j = 0;
  for (; j + whole <= columns; j += whole)
    strip_block<rows, strip_vectors>(a, b + j, bias_at(j), part(j, whole), mode);
  const Index rest = columns - j;
  if (rest > 2 * Vec::width)
    strip_block<rows, strip_vectors>(a, b + j, bias_at(j), part(j, rest), mode);
  else if (rest > Vec::width)
    strip_block<rows, 2>(a, b + j, bias_at(j), part(j, rest), mode);
  else if (rest > 0)
    strip_block<rows, 1>(a, b + j, bias_at(j), part(j, rest), mode);
}

/// c (m, columns) = or += a (m, k) b + bias, where b (k, columns) is one panel and columns is at
/// most panel_columns.
inline void panel_product(ConstMatrix a, const Real* b, const Real* bias, Matrix c, Mode mode) {
  Index left = c.rows;
  const auto next = [&](Index rows) {
    a.data += rows * a.row_stride;
    c.data += rows * c.row_stride;
    left -= rows;
  };
  for (; left >= strip_rows; next(strip_rows))
    strip<strip_rows>(a, b, bias, c, mode);
  if (left >= 4) {
    strip<4>(a, b, bias, c, mode);
    next(4);
  }
  if (left >= 2) {
    strip<2>(a, b, bias, c, mode);
    next(2);
  }
  if (left >= 1) strip<1>(a, b, bias, c, mode);
}

}  // namespace heed::kernels
