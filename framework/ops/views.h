#pragma once

#include "framework/kernels/matrix.h"
#include "framework/tape.h"

// How ops hand tensors to kernels.

namespace heed::detail {

/// All axes but the last as rows.
inline kernels::ConstMatrix rows_of(const Tensor& x) {
  return kernels::dense(x.data(), x.rows(), x.columns());
}
inline kernels::Matrix rows_of(Tensor& x) {
  return kernels::dense(x.data(), x.rows(), x.columns());
}
inline kernels::Matrix rows_of(const Gradient& dx) {
  return kernels::dense(dx.data(), dx.shape().rows(), dx.shape().columns());
}
/// Columns [begin, begin + count) of the rows.
inline kernels::ConstMatrix columns_of(const Tensor& x, Index begin, Index count) {
  return rows_of(x).block(0, begin, x.rows(), count);
}
/// The product of all extents but the first, which a tensor without rows has too: buffers are sized
/// by it.
inline Index columns_after_first(const Shape& shape) {
  Index columns = 1;
  for (int axis = 1; axis < shape.rank(); ++axis)
    columns *= shape[axis];
  return columns;
}
/// The first axis as rows, all others as columns.
inline kernels::ConstMatrix matrix_of(const Tensor& x) {
  return kernels::dense(x.data(), x.shape()[0], columns_after_first(x.shape()));
}
inline kernels::Matrix matrix_of(const Gradient& dx) {
  return kernels::dense(dx.data(), dx.shape()[0], columns_after_first(dx.shape()));
}

/// x, for a backward function that reads it for the gradient of `other` alone. Undefined where
/// `other` gets no gradient, as a frozen weight: x may then be released.
inline Tensor kept_for(const Variable& other, const Variable& x) {
  return Tape::needs_gradient(other) ? x.value() : Tensor();
}

/// Null where the gradient is not wanted.
inline kernels::Output output_of(const Gradient& dx) {
  return {dx ? dx.data() : nullptr, dx.mode()};
}

}  // namespace heed::detail
