#pragma once

// For kernels' .cpp files only: rows of a wider matrix to and from the padded ones that
// tile_product() wants.

#include <algorithm>

#include "framework/kernels/tile.h"
#include "framework/kernels/transpose.h"

namespace heed::kernels {

/// to (rows, padded width) = from * factor, the padding zero
[[gnu::noinline]] inline void pack(Index rows, Index width, const Real* from, Index stride,
                                   Real factor, Real* to) {
  const Vec f = factor;
  const Index ld = padded(width);
  for (Index i = 0; i < rows; ++i, from += stride, to += ld) {
    transform_serial(
        width, to, Mode::assign, [f](Vec a) { return f * a; }, from);
    std::fill(to + width, to + ld, Real{0});
  }
}

/// to (width, padded rows), rows `ld` apart, = from^T, the padding zero
[[gnu::noinline]] inline void pack_transposed(Index rows, Index width, const Real* from,
                                              Index stride, Real* to, Index ld) {
  constexpr Index square = Vec::width;
  for (Index i0 = 0; i0 < padded(rows); i0 += square)
    for (Index j0 = 0; j0 < width; j0 += square) {
      const Index down = std::clamp<Index>(rows - i0, 0, square);

      const Index across = std::min(width - j0, square);
      const Real* corner = from + i0 * stride + j0;
      Square block;
#pragma GCC unroll 16
      for (Index i = 0; i < square; ++i)
        block.packet[i] = (i >= down          ? Vec(Real{0})
                           : across == square ? Vec::load(corner + i * stride)
                                              : Vec::load(corner + i * stride, across))
                              .p;
      packet::ptranspose(block);
      Real* out = to + j0 * ld + i0;
#pragma GCC unroll 16
      for (Index j = 0; j < square; ++j)
        if (j < across) Vec(block.packet[j]).store(out + j * ld);
    }
}
inline void pack_transposed(Index rows, Index width, const Real* from, Index stride, Real* to) {
  pack_transposed(rows, width, from, stride, to, padded(rows));
}

/// to = or += from * factor(row)
template <class Factor>
void unpack(Index rows, Index width, const Real* from, Factor factor, Real* to, Index stride,
            Mode mode) {
  const Index ld = padded(width);
  for (Index i = 0; i < rows; ++i) {
    const Vec f = factor(i);
    transform_serial(
        width, to + i * stride, mode, [f](Vec a) { return f * a; }, from + i * ld);
  }
}

}  // namespace heed::kernels
