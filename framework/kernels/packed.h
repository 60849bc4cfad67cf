#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// How many numbers a (k, n) operand takes once packed: columns in panels of 64, each panel's rows one after the other, the last
/// panel filled with zeros. For products of a few rows with the same operand again and again, where BLAS would pack it every time.
constexpr Index packed_columns(Index n) { return (n + 63) / 64 * 64; }
constexpr Index packed_size(Index k, Index n) { return k * packed_columns(n); }

/// b (k, n) with b[p, j] at b + p row + j column, so that it may be transposed.
void pack(Index k, Index n, const Real* b, Index row, Index column, Real* packed);

/// c (m, n rounded up to 64) = or += a (m, k) b on the calling thread; each row of c depends on its row of a alone, to the bit.
void packed_product(Index m, Index n, Index k, const Real* a, Index lda, const Real* packed, Real* c, Index ldc, Mode mode);

}  // namespace heed::kernels
