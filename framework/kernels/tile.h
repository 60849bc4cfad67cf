#pragma once

// For kernels' .cpp files only: products of tiles small enough for the first two cache levels,
// where a BLAS call costs more than its arithmetic. Rows of b and c are padded to a whole number of
// vectors.

#include "framework/kernels/simd.h"

namespace heed::kernels {

/// Whole vectors of any machine's width, so that what is numbered by it (dropout) is the same
/// everywhere.
constexpr Index padded(Index n) { return (n + 15) / 16 * 16; }
static_assert(16 % Vec::width == 0);

/// rows x vectors of c, kept in registers over all k.
template <int rows, int vectors>
[[gnu::noinline]] void tile_block(Index k, const Real* a, Index a_row, Index a_step, const Real* b,
                                  Index ldb, Real* c, Index ldc, Mode mode) {
  Vec sums[rows][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j)
      sums[i][j] = mode == Mode::assign ? Vec(Real{0}) : Vec::load(c + i * ldc + j * Vec::width);
  for (Index p = 0; p < k; ++p) {
    Vec row[vectors];
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      row[j] = Vec::load(b + p * ldb + j * Vec::width);
      keep_in_register(row[j]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const Vec factor = a[i * a_row + p * a_step];
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j)
        sums[i][j] = multiply_add(factor, row[j], sums[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j)
      sums[i][j].store(c + i * ldc + j * Vec::width);
}

template <int vectors>
inline void tile_columns(Index m, Index k, const Real* a, Index a_row, Index a_step, const Real* b,
                         Index ldb, Real* c, Index ldc, Mode mode) {
#ifdef __AVX512F__
  constexpr int tall = vectors >= 4 ? 6 : 8;  // 32 registers
#else
  constexpr int tall = vectors >= 4 ? 2 : vectors == 2 ? 4 : 8;  // 16 registers
#endif
  Index i = 0;
  for (; i + tall <= m; i += tall)
    tile_block<tall, vectors>(k, a + i * a_row, a_row, a_step, b, ldb, c + i * ldc, ldc, mode);
  if (i + 4 <= m) {
    tile_block<4, vectors>(k, a + i * a_row, a_row, a_step, b, ldb, c + i * ldc, ldc, mode);
    i += 4;
  }
  for (; i + 2 <= m; i += 2)
    tile_block<2, vectors>(k, a + i * a_row, a_row, a_step, b, ldb, c + i * ldc, ldc, mode);
  if (i < m)
    tile_block<1, vectors>(k, a + i * a_row, a_row, a_step, b, ldb, c + i * ldc, ldc, mode);
}

/// c (m, n) = or += a (m, k) b (k, n) with a[i, p] at a + i a_row + p a_step, so that a may be
/// transposed; n a multiple of the width.
inline void tile_product(Index m, Index n, Index k, const Real* a, Index a_row, Index a_step,
                         const Real* b, Index ldb, Real* c, Index ldc, Mode mode) {
  Index j = 0;
  for (; j + 4 * Vec::width <= n; j += 4 * Vec::width)
    tile_columns<4>(m, k, a, a_row, a_step, b + j, ldb, c + j, ldc, mode);
  for (; j + 2 * Vec::width <= n; j += 2 * Vec::width)
    tile_columns<2>(m, k, a, a_row, a_step, b + j, ldb, c + j, ldc, mode);
  for (; j < n; j += Vec::width)
    tile_columns<1>(m, k, a, a_row, a_step, b + j, ldb, c + j, ldc, mode);
}

}  // namespace heed::kernels
