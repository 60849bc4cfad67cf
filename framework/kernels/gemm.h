#pragma once

#include <optional>
#include <string>

#include "framework/kernels/matrix.h"
#include "framework/kernels/scratch.h"
#include "framework/types.h"

namespace heed::kernels {

// Of an operand's strides one is 1, so that it may be transposed(). The column stride of a result
// is 1.

/// c = or += a b for a (m, k), b (k, n) and c (m, n). Where our own kernel is the faster one it
/// computes the product, else single-threaded OpenBLAS calls do. The product is cut by its shape
/// alone and no sum is ever split: the number of threads changes no bit.
void gemm(const ConstMatrix& a, const ConstMatrix& b, const Matrix& c, Mode mode);

/// One such product on the calling thread, by OpenBLAS.
void gemm_serial(const ConstMatrix& a, const ConstMatrix& b, const Matrix& c, Mode mode);

/// y = x w^T + bias for x (m, k), w (n, k), bias (n; null: none) and y (m, n).
void linear(const ConstMatrix& x, const ConstMatrix& w, const Real* bias, const Matrix& y);

/// The right operand b (k, n) of several products. It is packed once for all of them where that
/// pays. b must outlive it.
class RightOperand {
 public:
  /// `rows`: how many rows all left operands have together.
  RightOperand(Index rows, const ConstMatrix& b);
  /// c = or += a b + bias for a (m, k), bias (n; null: none) and c (m, n). A bias needs
  /// Mode::assign.
  void multiply(const ConstMatrix& a, const Real* bias, const Matrix& c, Mode mode) const;
  bool packed() const { return packed_.has_value(); }

 private:
  ConstMatrix b_;
  std::optional<Scratch> packed_;
};

/// The BLAS that computes, with its version and the processor that it has chosen.
std::string blas_name();

}  // namespace heed::kernels
