#pragma once

// For kernels' .cpp files only: copies rows of a wider matrix to the padded tiles that
// tile_product() needs, and back.

#include <algorithm>

#include "framework/kernels/tile.h"
#include "framework/kernels/transpose.h"
#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

/// tile (rows, padded columns) = factor * from (rows, columns). The padding is zero.
[[gnu::noinline]] inline void copy_to_tile(const ConstMatrix& from, Real factor, Real* tile) {
  const Vec f = factor;
  const Index width = from.columns;
  const Index ld = padded(width);
  const Real* row = from.data;
  for (Index i = 0; i < from.rows; ++i, row += from.row_stride, tile += ld) {
    transform_serial(
        width, tile, Mode::assign, [f](Vec a) { return f * a; }, row);
    std::fill(tile + width, tile + ld, Real{0});
  }
}

/// tile (columns, padded rows), with rows `ld` apart, = the transpose of `from` (rows, columns).
/// The padding is zero.
[[gnu::noinline]] inline void copy_transposed_to_tile(const ConstMatrix& from, Real* tile,
                                                      Index ld) {
  constexpr Index square = Vec::width;
  const Index rows = from.rows;
  const Index width = from.columns;
  const Index stride = from.row_stride;
  for (Index i0 = 0; i0 < padded(rows); i0 += square)
    for (Index j0 = 0; j0 < width; j0 += square) {
      const Index down = std::clamp<Index>(rows - i0, 0, square);
      const Index across = std::min(width - j0, square);
      const Real* corner = from.data + i0 * stride + j0;
      const auto load = [=](Index i) {
        if (i >= down) return Vec(Real{0});
        if (across == square) return Vec::load(corner + i * stride);
        return Vec::load(corner + i * stride, across);
      };
      Square block;
#pragma GCC unroll 16
      for (Index i = 0; i < square; ++i)
        block.packet[i] = load(i).p;
      packet::ptranspose(block);
      Real* out = tile + j0 * ld + i0;
#pragma GCC unroll 16
      for (Index j = 0; j < square; ++j)
        if (j < across) Vec(block.packet[j]).store(out + j * ld);
    }
}
inline void copy_transposed_to_tile(const ConstMatrix& from, Real* tile) {
  copy_transposed_to_tile(from, tile, padded(from.rows));
}

/// to (rows, width) = or += factor(row) * tile (rows, padded width).
template <class Factor>
void copy_from_tile(const Real* tile, Index rows, Index width, Factor factor,
                    const OutputRows& to) {
  const Index ld = padded(width);
  for (Index i = 0; i < rows; ++i) {
    const Vec f = factor(i);
    transform_serial(
        width, to.row(i), to.mode, [f](Vec a) { return f * a; }, tile + i * ld);
  }
}

}  // namespace heed::kernels
