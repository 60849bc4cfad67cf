#pragma once

#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

/// The rows of sequences, each `columns` wide, that are pooled to one row a sequence: sequence i
/// has rows [begins[i], begins[i] + lengths[i]).
struct PooledRows {
  Index sequences = 0;
  Index columns = 0;
  const Index* begins = nullptr;   // (sequences)
  const Index* lengths = nullptr;  // (sequences)
  Index longest = 0;               // length
};

/// y (sequences, columns): the mean of each sequence, summed in double. Zeros where it has no rows.
void mean_rows(const PooledRows& rows, const Real* x, Real* y);
/// dx = or += dy / length, in the rows of each sequence. Other rows are not written.
void mean_rows_backward(const PooledRows& rows, const Real* dy, Output dx);

/// y (sequences, columns): the largest of each column, or NaN where there is one. which, of the
/// same shape: its row within the sequence, the first of equals. Zeros where there are no rows.
void max_rows(const PooledRows& rows, const Real* x, Real* y, Id* which);
/// dx[which] = or += dy, and the other rows of the sequences = or += 0. Rows of no sequence are not
/// written.
void max_rows_backward(const PooledRows& rows, const Id* which, const Real* dy, Output dx);

}  // namespace heed::kernels
