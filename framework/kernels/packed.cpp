#include "framework/kernels/packed.h"

#include <algorithm>

#include "framework/kernels/parallel.h"
#include "framework/kernels/tile.h"

namespace heed::kernels {

namespace {

constexpr Index panel = packed_columns(1), block = 4 * Vec::width;
static_assert(panel % block == 0);

}  // namespace

void pack(Index k, Index n, const Real* b, Index row, Index column, Real* packed) {
  parallel_for(packed_columns(n) / block, grain_of(k * block), [=](Index begin, Index end) {
    for (Index j = begin * block; j < end * block; j += block) {
      Real* out = packed + j * k;
      const Index columns = std::clamp<Index>(n - j, 0, block);
      if (columns < block) std::fill_n(out, k * block, Real{0});
      if (column == 1) {
        for (Index p = 0; p < k; ++p) std::copy_n(b + p * row + j, columns, out + p * block);
        continue;
      }
      constexpr Index strip = 16;  // rows of b turned at once, so that what is read and written stays in cache
      for (Index top = 0; top < k; top += strip)
        for (Index c = 0; c < columns; ++c)
          for (Index p = top; p < std::min(k, top + strip); ++p) out[p * block + c] = b[p * row + (j + c) * column];
    }
  });
}

void packed_product(Index m, Index n, Index k, const Real* a, Index lda, const Real* packed, Real* c, Index ldc, Mode mode) {
  for (Index j = 0; j < n; j += block) tile_columns<4>(m, k, a, lda, 1, packed + j * k, block, c + j, ldc, mode);
}

}  // namespace heed::kernels
