#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// Whether large products are to be computed in bfloat16: a setting of the process. Only where
/// onednn::obstacle() is empty.
void use_bf16(bool on);
bool uses_bf16();

/// Whether a product of this shape is worth the conversion of its operands.
bool bf16_is_worth(Index m, Index n, Index k, Index ldc);

/// c (m, n; dense) = bias (n; null: none) + round(op(a)) round(op(b)), or += that without bias.
/// round is to the nearest bfloat16, ties to even; products of two such numbers are exact in float,
/// and are summed in float. a[i, p] at a + i row + p step, b[p, j] at b + p b_row + j b_column, one
/// stride of each 1. Cut into blocks by shape alone, each of which one thread computes.
void bf16_gemm(Index m, Index n, Index k, const Real* a, Index row, Index step, const Real* b,
               Index b_row, Index b_column, const Real* bias, Real* c, Mode mode);

}  // namespace heed::kernels
