#pragma once

#include <optional>

#include "framework/kernels/scratch.h"
#include "framework/types.h"

namespace heed::kernels {

/// c (m, n) = or += op(a) (m, k) op(b) (k, n), row-major with leading dimensions; op transposes
/// where asked. Our own kernel where it is the faster one, else single-threaded OpenBLAS calls; cut
/// by shape alone, and no sum is ever split: threads change no bit.
void gemm(bool transpose_a, bool transpose_b, Index m, Index n, Index k, const Real* a, Index lda,
          const Real* b, Index ldb, Real* c, Index ldc, Mode mode);

/// One such product on the calling thread, by OpenBLAS.
void gemm_serial(bool transpose_a, bool transpose_b, Index m, Index n, Index k, const Real* a,
                 Index lda, const Real* b, Index ldb, Real* c, Index ldc, Mode mode);

/// y (m, n) = x (m, k) w^T (n, k) + bias (n) (null: none)
void linear(Index m, Index n, Index k, const Real* x, const Real* w, const Real* bias, Real* y);

/// op(b) (k, n), the right operand of several products: packed once for all of them where that
/// pays. b must outlive it. rows: of all their left operands together.
class RightOperand {
 public:
  RightOperand(Index rows, bool transpose, Index k, Index n, const Real* b, Index ldb);
  /// c (m, n) = or += a (m, k) op(b) + bias (n; null: none; with Mode::assign alone)
  void multiply(Index m, const Real* a, Index lda, const Real* bias, Real* c, Index ldc,
                Mode mode) const;
  bool packed() const { return packed_.has_value(); }

 private:
  bool transpose_;
  Index k_;
  Index n_;
  const Real* b_;
  Index ldb_;
  std::optional<Scratch> packed_;
};

}  // namespace heed::kernels
