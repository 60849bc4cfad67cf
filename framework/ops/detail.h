#pragma once

#include <algorithm>
#include <array>

#include "framework/kernels/elementwise.h"
#include "framework/ops.h"

// Helpers of several ops.

namespace heed::detail {

using AxisSet = std::array<bool, Shape::max_rank>;

/// How contiguous inputs of `shapes` lie under `out`, to which they broadcast, in as few axes as
/// possible.
template <std::size_t N>
kernels::Layout<N> layout(const Shape& out, const Shape (&shapes)[N]) {
  kernels::Layout<N> result;
  result.extents[0] = 1;
  if (out.size() == 0) {
    result.extents[0] = 0;
    return result;
  }
  std::array<Index, N> step;  // of the next axis outwards
  step.fill(1);
  int axes = 0;  // innermost first, until reversed below
  for (int i = out.rank() - 1; i >= 0; --i) {
    if (out[i] == 1) continue;
    std::array<Index, N> stride;
    bool merges = axes > 0;
    for (std::size_t k = 0; k < N; ++k) {
      const int axis = i - out.rank() + shapes[k].rank();
      const bool repeats = axis < 0 || shapes[k][axis] == 1;
      stride[k] = repeats ? 0 : step[k];
      if (!repeats) step[k] *= out[i];
      merges = merges && stride[k] == result.strides[k][axes - 1] * result.extents[axes - 1];
    }
    if (merges) {
      result.extents[axes - 1] *= out[i];
      continue;
    }
    result.extents[axes] = out[i];
    for (std::size_t k = 0; k < N; ++k)
      result.strides[k][axes] = stride[k];
    ++axes;
  }
  result.rank = axes > 0 ? axes : 1;
  std::reverse(result.extents.begin(), result.extents.begin() + result.rank);
  for (auto& strides : result.strides)
    std::reverse(strides.begin(), strides.begin() + result.rank);
  return result;
}

/// out = or += scale times the sum of x over the `reduced` axes.
void sum_into(const Tensor& x, const AxisSet& reduced, double scale, Real* out, Mode mode);

/// Gives dx the gradient of an input that was broadcast to g: scale g, summed over the axes along
/// which it repeated.
void give(const Gradient& dx, const Tensor& g, Real scale = 1);

/// The same where g is still to be computed, by write(data, mode). It writes straight into dx where
/// nothing repeats.
template <class Write>
void give_computed(const Gradient& dx, const Shape& shape, Write write) {
  if (!dx) return;
  if (dx.shape().size() == shape.size()) {
    write(dx.data(), dx.mode());
    return;
  }
  Tensor g(shape);
  write(g.data(), Mode::assign);
  give(dx, g);
}

void check_ids(const char* op, const Ids& ids, Index extent);

/// The product of the extents of axes [begin, end).
inline Index product(const Shape& shape, int begin, int end) {
  Index result = 1;
  for (int i = begin; i < end; ++i)
    result *= shape[i];
  return result;
}

}  // namespace heed::detail
