#pragma once

// For kernels' .cpp files only.

#include "framework/kernels/matrix.h"
#include "framework/kernels/simd.h"

namespace heed::kernels {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // of a vector type as a template's argument
using Square = packet::PacketBlock<Vec::Packet, Vec::width>;
#pragma GCC diagnostic pop

/// to (columns, rows), with rows `ld` apart, = the transpose of `from` (rows, columns), whose
/// column stride is 1. Squares of vectors are transposed in registers.
[[gnu::noinline]] inline void transpose(const ConstMatrix& from, Real* to, Index ld) {
  constexpr Index square = Vec::width;
  const Index rows = from.rows;
  const Index columns = from.columns;
  const Index stride = from.row_stride;
  const Real* const data = from.data;
  const auto rest = [&](Index i0, Index i1, Index j0, Index j1) {
    for (Index j = j0; j < j1; ++j)
      for (Index i = i0; i < i1; ++i)
        to[j * ld + i] = data[i * stride + j];
  };
  const Index whole_rows = rows / square * square;
  const Index whole_columns = columns / square * square;
  for (Index i = 0; i < whole_rows; i += square)
    for (Index j = 0; j < whole_columns; j += square) {
      Square block;
#pragma GCC unroll 16
      for (Index r = 0; r < square; ++r)
        block.packet[r] = Vec::load(data + (i + r) * stride + j).p;
      packet::ptranspose(block);
#pragma GCC unroll 16
      for (Index r = 0; r < square; ++r)
        Vec(block.packet[r]).store(to + (j + r) * ld + i);
    }
  rest(0, whole_rows, whole_columns, columns);
  rest(whole_rows, rows, 0, columns);
}

}  // namespace heed::kernels
