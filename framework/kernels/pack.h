#pragma once

// For kernels' .cpp files only: rows of a wider matrix to and from the padded ones that tile_product() wants.

#include <algorithm>

#include "framework/kernels/tile.h"

namespace heed::kernels {

/// to (rows, padded width) = from * factor, the padding zero
[[gnu::noinline]] inline void pack(Index rows, Index width, const Real* from, Index stride, Real factor, Real* to) {
  const Vec f = factor;
  const Index ld = padded(width);
  for (Index i = 0; i < rows; ++i, from += stride, to += ld) {
    transform_serial(width, to, Mode::assign, [f](Vec a) { return f * a; }, from);
    std::fill(to + width, to + ld, Real{0});
  }
}

/// to (width, padded rows) = from^T, the padding zero
[[gnu::noinline]] inline void pack_transposed(Index rows, Index width, const Real* from, Index stride, Real* to) {
  const Index ld = padded(rows);
  constexpr Index square = 16;
  for (Index i0 = 0; i0 < rows; i0 += square)
    for (Index j0 = 0; j0 < width; j0 += square)
      for (Index j = j0; j < std::min(width, j0 + square); ++j)
        for (Index i = i0; i < std::min(rows, i0 + square); ++i) to[j * ld + i] = from[i * stride + j];
  for (Index j = 0; j < width; ++j) std::fill(to + j * ld + rows, to + (j + 1) * ld, Real{0});
}

/// to = or += from * factor(row)
template <class Factor>
void unpack(Index rows, Index width, const Real* from, Factor factor, Real* to, Index stride, Mode mode) {
  const Index ld = padded(width);
  for (Index i = 0; i < rows; ++i) {
    const Vec f = factor(i);
    transform_serial(width, to + i * stride, mode, [f](Vec a) { return f * a; }, from + i * ld);
  }
}

}  // namespace heed::kernels
