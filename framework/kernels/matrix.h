#pragma once

#include <type_traits>

#include "framework/types.h"

namespace heed::kernels {

/// A matrix in memory that the caller owns. Element (i, j) lies at
/// data[i * row_stride + j * column_stride].
template <class T>
struct MatrixOf {
  T* data = nullptr;
  Index rows = 0;
  Index columns = 0;
  Index row_stride = 0;
  Index column_stride = 1;

  T* row(Index i) const { return data + i * row_stride; }
  T* at(Index i, Index j) const { return data + i * row_stride + j * column_stride; }
  /// The (height, width) part that begins at element (i, j).
  MatrixOf block(Index i, Index j, Index height, Index width) const {
    return {at(i, j), height, width, row_stride, column_stride};
  }
  operator MatrixOf<const T>() const
    requires(!std::is_const_v<T>)
  {
    return {data, rows, columns, row_stride, column_stride};
  }
};
using Matrix = MatrixOf<Real>;
using ConstMatrix = MatrixOf<const Real>;

/// A matrix whose rows lie one directly after the other.
template <class T>
MatrixOf<T> dense(T* data, Index rows, Index columns) {
  return {data, rows, columns, columns};
}

/// The same memory with rows and columns exchanged.
template <class T>
MatrixOf<T> transposed(const MatrixOf<T>& m) {
  return {m.data, m.columns, m.rows, m.column_stride, m.row_stride};
}

/// Where a kernel writes a dense result. Null data: the result is not wanted.
struct Output {
  Real* data = nullptr;
  Mode mode = Mode::assign;
};

/// Where a kernel writes rows that lie `row_stride` apart. Null data: the result is not wanted.
struct OutputRows {
  Real* data = nullptr;
  Index row_stride = 0;
  Mode mode = Mode::assign;

  Real* row(Index i) const { return data + i * row_stride; }
};

}  // namespace heed::kernels
