#pragma once

#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

// Products whose right operand b (k, n) is packed into panels: copied into the order in which the
// processor reads it. A panel holds panel_columns columns, row after row. The last panel is filled
// up with zeros.

/// Three vectors of AVX-512, six of AVX2.
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
/// How many numbers the panels of a (k, n) operand hold.
constexpr Index packed_size(Index k, Index n) { return k * packed_columns(n); }

/// Packs b (k, n), of whose strides one is 1, into packed_size(k, n) numbers.
void pack_panels(const ConstMatrix& b, Real* panels);

/// c = or += a b + bias on all threads, for a (m, k), the panels of b (k, n), bias (n; null: none)
/// and c (m, n) with column stride 1. a is read in place and may be transposed. Each row of c
/// depends on its row of a alone, to the bit.
void packed_gemm(const ConstMatrix& a, const Real* panels, const Real* bias, const Matrix& c,
                 Mode mode);

/// The same on the calling thread, with the same bits.
void packed_gemm_serial(const ConstMatrix& a, const Real* panels, const Real* bias, const Matrix& c,
                        Mode mode);

/// The same for b (k, n) itself, which is packed on the way.
void packing_gemm(const ConstMatrix& a, const ConstMatrix& b, const Real* bias, const Matrix& c,
                  Mode mode);

}  // namespace heed::kernels
