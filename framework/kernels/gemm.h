#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// c (m, n) = or += op(a) (m, k) op(b) (k, n), row-major with leading dimensions; op transposes where asked. Our own kernel where
/// it is the faster one, else single-threaded OpenBLAS calls; cut by shape alone, and no sum is ever split: threads change no bit.
void gemm(bool transpose_a, bool transpose_b, Index m, Index n, Index k, const Real* a, Index lda, const Real* b, Index ldb, Real* c,
          Index ldc, Mode mode);

/// One such product on the calling thread, by OpenBLAS.
void gemm_serial(bool transpose_a, bool transpose_b, Index m, Index n, Index k, const Real* a, Index lda, const Real* b, Index ldb,
                 Real* c, Index ldc, Mode mode);

/// y (m, n) = x (m, k) w^T (n, k) + bias (n) (null: none)
void linear(Index m, Index n, Index k, const Real* x, const Real* w, const Real* bias, Real* y);

}  // namespace heed::kernels
