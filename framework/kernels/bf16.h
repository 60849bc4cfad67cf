#pragma once

#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

/// Whether large products are to be computed in bfloat16: a setting of the process. May be turned
/// on only where onednn::obstacle() is empty.
void use_bf16(bool on);
bool uses_bf16();

/// Whether a (m, n, k) product is worth the conversion of its operands. `ldc`: the row stride of
/// the result.
bool bf16_is_worth(Index m, Index n, Index k, Index ldc);

/// c = round(a) round(b) + bias, or += without a bias, for a (m, k), b (k, n), bias (n; null: none)
/// and c (m, n; dense). One stride of each operand is 1. round() gives the nearest bfloat16, ties
/// to even. A product of two such numbers is exact in float, and sums are taken in float. The
/// product is cut into blocks by its shape alone, and one thread computes a block.
void bf16_gemm(const ConstMatrix& a, const ConstMatrix& b, const Real* bias, const Matrix& c,
               Mode mode);

}  // namespace heed::kernels
