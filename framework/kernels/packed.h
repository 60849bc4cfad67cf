#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// The right operand of a product as the processor wants to read it: columns in panels of 48, each
/// panel's rows one after the other, the last panel filled with zeros. Three vectors of AVX-512,
/// six of AVX2.
constexpr Index panel_columns = 48;
constexpr Index packed_columns(Index n) {
  return (n + panel_columns - 1) / panel_columns * panel_columns;
}
/// Whether packed_gemm() beats OpenBLAS: where 512-bit vectors leave room for 8 rows of a panel in
/// registers.
#ifdef __AVX512F__
constexpr bool packed_beats_blas = sizeof(Real) == 4;
#else
constexpr bool packed_beats_blas = false;
#endif
/// How many numbers a (k, n) operand takes once packed.
constexpr Index packed_size(Index k, Index n) { return k * packed_columns(n); }

/// b (k, n) with b[p, j] at b + p row + j column, one of which is 1: it may be transposed.
void pack(Index k, Index n, const Real* b, Index row, Index column, Real* packed);

/// c (m, n) = or += a (m, k) b + bias (n; null: none), split over all threads. a[i, p] at a + i row
/// + p step: it is read in place and may be transposed. Each row of c depends on its row of a
/// alone, to the bit, and so do those of packed_product().
void packed_gemm(Index m, Index n, Index k, const Real* a, Index row, Index step,
                 const Real* packed, const Real* bias, Real* c, Index ldc, Mode mode);

/// The same of b[p, j] at b + p b_row + j b_column: packs it by the way.
void panel_gemm(Index m, Index n, Index k, const Real* a, Index row, Index step, const Real* b,
                Index b_row, Index b_column, const Real* bias, Real* c, Index ldc, Mode mode);

/// packed_gemm() on the calling thread; a (m, k) with rows lda apart.
void packed_product(Index m, Index n, Index k, const Real* a, Index lda, const Real* packed,
                    const Real* bias, Real* c, Index ldc, Mode mode);

}  // namespace heed::kernels
