#pragma once

// For kernels' .cpp files only: products of tiles. A tile fits into the first two cache levels,
// where a BLAS call costs more than its arithmetic. Rows of b and c are padded to whole vectors.

#include "framework/kernels/matrix.h"
#include "framework/kernels/simd.h"

namespace heed::kernels {

/// n rounded up to whole vectors of any machine's width, so that the elements of a padded row have
/// the same numbers (dropout counts them) on every machine.
constexpr Index padded(Index n) { return (n + 15) / 16 * 16; }
static_assert(16 % Vec::width == 0);

/// c (rows, vectors * width) = or += a b, for a (rows, k) and b with rows `b_stride` apart. c stays
/// in registers over all k.
template <int rows, int vectors>
[[gnu::noinline]] void tile_block(const ConstMatrix& a, const Real* b, Index b_stride, Real* c,
                                  Index c_stride, Mode mode) {
  const Index k = a.columns;
  const Index a_row = a.row_stride;
  const Index a_step = a.column_stride;
  const Real* const left = a.data;
  Vec sums[rows][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j)
      sums[i][j] =
          mode == Mode::assign ? Vec(Real{0}) : Vec::load(c + i * c_stride + j * Vec::width);
  for (Index p = 0; p < k; ++p) {
    Vec row[vectors];
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      row[j] = Vec::load(b + p * b_stride + j * Vec::width);
      keep_in_register(row[j]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const Vec factor = left[i * a_row + p * a_step];
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j)
        sums[i][j] = multiply_add(factor, row[j], sums[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j)
      sums[i][j].store(c + i * c_stride + j * Vec::width);
}

/// Rows of c that stay in registers: of 32 on AVX-512, of 16 elsewhere.
constexpr int tall_rows(int vectors) {
#ifdef __AVX512F__
  return vectors >= 4 ? 6 : 8;
#else
  if (vectors >= 4) return 2;
  return vectors == 2 ? 4 : 8;
#endif
}

/// The columns [j, j + vectors * width) of c.
template <int vectors>
inline void tile_columns(ConstMatrix a, const ConstMatrix& b, const Matrix& c, Index j, Mode mode) {
  constexpr int tall = tall_rows(vectors);
  const Real* const right = b.data + j;
  Real* out = c.data + j;
  Index left = c.rows;
  const auto next = [&](Index rows) {
    a.data += rows * a.row_stride;
    out += rows * c.row_stride;
    left -= rows;
  };
  while (left >= tall) {
    tile_block<tall, vectors>(a, right, b.row_stride, out, c.row_stride, mode);
    next(tall);
  }
  if (left >= 4) {
    tile_block<4, vectors>(a, right, b.row_stride, out, c.row_stride, mode);
    next(4);
  }
  while (left >= 2) {
    tile_block<2, vectors>(a, right, b.row_stride, out, c.row_stride, mode);
    next(2);
  }
  if (left >= 1) tile_block<1, vectors>(a, right, b.row_stride, out, c.row_stride, mode);
}

/// c (m, n) = or += a (m, k) b (k, n). a may be transposed. n is a multiple of Vec::width; the
/// column strides of b and c are 1.
inline void tile_product(const ConstMatrix& a, const ConstMatrix& b, const Matrix& c, Mode mode) {
  const Index n = c.columns;
  Index j = 0;
  for (; j + 4 * Vec::width <= n; j += 4 * Vec::width)
    tile_columns<4>(a, b, c, j, mode);
  for (; j + 2 * Vec::width <= n; j += 2 * Vec::width)
    tile_columns<2>(a, b, c, j, mode);
  for (; j < n; j += Vec::width)
    tile_columns<1>(a, b, c, j, mode);
}

}  // namespace heed::kernels
