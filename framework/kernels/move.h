#pragma once

#include <array>

#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

/// A permutation to copy: the extents of the contiguous output, and the strides of the input along
/// each of its axes.
struct Permutation {
  int rank = 1;
  std::array<Index, 6> extents{};
  std::array<Index, 6> strides{};
};
void permute(const Permutation& permutation, const Real* x, Real* y, Mode mode);

/// y = or += x, row by row
void copy_rows(const ConstMatrix& x, const OutputRows& y);
void fill(Index n, Real value, Real* y);

/// The first id outside [0, extent); n where there is none.
Index first_outside(Index n, const Id* ids, Index extent);

/// Which rows of an array (outer, n, inner) are selected, along its middle axis.
struct Selection {
  Index outer = 1;
  Index n = 0;
  Index inner = 1;
  Index count = 0;
  const Id* ids = nullptr;  // (count), within [0, n)
};
/// y (outer, count, inner) = or += scale x[:, ids, :], for x (outer, n, inner)
void gather(const Selection& rows, Real scale, const Real* x, Output y);
/// y[:, ids[j], :] += scale x[:, j, :], in the order of j, for x (outer, count, inner) and y
/// (outer, n, inner). Assigned, y starts from zeros.
void scatter_add(const Selection& rows, Real scale, const Real* x, Output y);
/// y[i] = x[i, ids[i]], x (n, m)
void pick(Index n, Index m, const Id* ids, const Real* x, Real* y);
/// dx[i, ids[i]] += dy[i]. Assigned, dx starts from zeros.
void pick_backward(Index n, Index m, const Id* ids, const Real* dy, Real* dx, Mode mode);

}  // namespace heed::kernels
