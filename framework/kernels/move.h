#pragma once

#include <array>

#include "framework/types.h"

namespace heed::kernels {

/// A permutation to copy: the extents of the contiguous output, and how far the input moves along
/// each of its axes.
struct Permutation {
  int rank = 1;
  std::array<Index, 6> extents{};
  std::array<Index, 6> strides{};
};
void permute(const Permutation& permutation, const Real* x, Real* y, Mode mode);

/// `blocks` runs of `length` elements, each run `x_stride` and `y_stride` after the one before.
void copy_blocks(Index blocks, Index length, const Real* x, Index x_stride, Real* y, Index y_stride,
                 Mode mode);
void fill(Index n, Real value, Real* y);

/// The first id outside [0, extent); n where there is none.
Index first_outside(Index n, const Id* ids, Index extent);
/// y (outer, count, inner) = or += scale x[:, ids, :], x (outer, n, inner)
void gather(Index outer, Index n, Index inner, Index count, const Id* ids, Real scale,
            const Real* x, Real* y, Mode mode);
/// y[:, ids[j], :] += scale x[:, j, :], in the order of j, x (outer, count, inner), y (outer, n,
/// inner); assigned, y starts from zeros
void scatter_add(Index outer, Index n, Index inner, Index count, const Id* ids, Real scale,
                 const Real* x, Real* y, Mode mode);
/// y[i] = x[i, ids[i]], x (n, m)
void pick(Index n, Index m, const Id* ids, const Real* x, Real* y);
/// dx[i, ids[i]] += dy[i]; assigned, dx starts from zeros
void pick_backward(Index n, Index m, const Id* ids, const Real* dy, Real* dx, Mode mode);

}  // namespace heed::kernels
