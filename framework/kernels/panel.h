#pragma once

// For kernels' .cpp files only: the innermost loop of the large products.

#include <algorithm>

#include "framework/kernels/packed.h"
#include "framework/kernels/simd.h"

namespace heed::kernels {

/// The shape of c that stays in registers: with rows times vectors of sums, a row of b and one
/// factor there are 28 of AVX-512's 32 registers taken, or 15 of AVX2's 16.
constexpr bool many_registers = Vec::width * sizeof(Real) == 64;
constexpr int strip_rows = many_registers ? 8 : 6;
constexpr int strip_vectors = many_registers ? 3 : 2;
static_assert(panel_columns % (strip_vectors * Vec::width) == 0);

/// A matrix read in place: element (i, p) at data + i row + p step, so that it may be transposed.
struct Left {
  const Real* data;
  Index row;
  Index step;
  const Real* at(Index i, Index p) const { return data + i * row + p * step; }
};

/// c (rows, count) = start + a (rows, k) b, b's rows panel_columns apart. Sums go along k alone,
/// one after the other from what c and bias hold: a row of c has the same bits however the product
/// is cut.
template <int rows, int vectors>
[[gnu::always_inline]] inline void strip_block(Index k, const Left& left, const Real* b,
                                               const Real* bias, Real* c, Index ldc, Mode mode,
                                               Index count) {
  const Index last = count - (vectors - 1) * Vec::width;  // numbers in the last vector
  const auto load = [&](const Real* from, int j) {
    return j + 1 < vectors || last == Vec::width ? Vec::load(from + j * Vec::width)
                                                 : Vec::load(from + j * Vec::width, last);
  };
  Vec sums[rows][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      sums[i][j] = bias ? load(bias, j) : Vec(Real{0});
      if (mode == Mode::accumulate) sums[i][j] = sums[i][j] + load(c + i * ldc, j);
    }
  const Real* a = left.data;
  for (Index p = 0; p < k; ++p, a += left.step, b += panel_columns) {
    Vec row[vectors];
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      row[j] = Vec::load(b + j * Vec::width);
      __builtin_prefetch(b + 32 * panel_columns + j * Vec::width);
    }
    __builtin_prefetch(a + 12 * left.step);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const Vec factor = a[i * left.row];
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j)
        sums[i][j] = multiply_add(factor, row[j], sums[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j)
      if (j + 1 < vectors || last == Vec::width)
        sums[i][j].store(c + i * ldc + j * Vec::width);
      else
        sums[i][j].store(c + i * ldc + j * Vec::width, last);
}

template <int rows>
[[gnu::noinline]] void strip(Index k, const Left& left, const Real* b, const Real* bias, Real* c,
                             Index ldc, Mode mode, Index columns) {
  constexpr Index whole = strip_vectors * Vec::width;
  Index j = 0;
  for (; j + whole <= columns; j += whole)
    strip_block<rows, strip_vectors>(k, left, b + j, bias ? bias + j : nullptr, c + j, ldc, mode,
                                     whole);
  const Index rest = columns - j;
  if (rest > 2 * Vec::width)
    strip_block<rows, strip_vectors>(k, left, b + j, bias ? bias + j : nullptr, c + j, ldc, mode,
                                     rest);
  else if (rest > Vec::width)
    strip_block<rows, 2>(k, left, b + j, bias ? bias + j : nullptr, c + j, ldc, mode, rest);
  else if (rest > 0)
    strip_block<rows, 1>(k, left, b + j, bias ? bias + j : nullptr, c + j, ldc, mode, rest);
}

/// c (m, columns) with one panel of b, of at most panel_columns
inline void panel_product(Index m, Index columns, Index k, Left left, const Real* b,
                          const Real* bias, Real* c, Index ldc, Mode mode) {
  const auto next = [&](Index rows) {
    left.data += rows * left.row;
    c += rows * ldc;
    m -= rows;
  };
  for (; m >= strip_rows; next(strip_rows))
    strip<strip_rows>(k, left, b, bias, c, ldc, mode, columns);
  if (m >= 4) {
    strip<4>(k, left, b, bias, c, ldc, mode, columns);
    next(4);
  }
  if (m >= 2) {
    strip<2>(k, left, b, bias, c, ldc, mode, columns);
    next(2);
  }
  if (m >= 1) strip<1>(k, left, b, bias, c, ldc, mode, columns);
}

}  // namespace heed::kernels
