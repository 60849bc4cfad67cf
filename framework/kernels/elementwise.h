#pragma once

#include <array>
#include <cstddef>

#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

/// y += x
void add_to(Index n, const Real* x, Real* y);
/// y = or += scale x
void scale_to(Index n, Real scale, const Real* x, Real* y, Mode mode);
/// The first element that is NaN or infinite; n where there is none.
Index first_nonfinite(Index n, const Real* x);

/// How N inputs lie under a contiguous output: the output's extents, outermost first, and each
/// input's stride along each axis, in elements. The stride is 0 where the input repeats. Along the
/// last axis it is 0 or 1. There is at least one axis.
template <std::size_t N>
struct Layout {
  int rank = 1;
  std::array<Index, 6> extents{};
  std::array<std::array<Index, 6>, N> strides{};
};

void add(const Layout<2>& layout, const Real* a, const Real* b, Real* y);
void subtract(const Layout<2>& layout, const Real* a, const Real* b, Real* y);
void multiply(const Layout<2>& layout, const Real* a, const Real* b, Real* y, Mode mode);
void divide(const Layout<2>& layout, const Real* a, const Real* b, Real* y, Mode mode);
/// For y = a / b: db = or += -dy y / b
void divide_backward(const Layout<3>& layout, const Real* dy, const Real* y, const Real* b,
                     Real* db, Mode mode);
// NaN where an input is NaN.
void maximum(const Layout<2>& layout, const Real* a, const Real* b, Real* y);
void minimum(const Layout<2>& layout, const Real* a, const Real* b, Real* y);
/// x where (a < b) is `wanted`, 0 elsewhere
void where_less(const Layout<3>& layout, bool wanted, const Real* x, const Real* a, const Real* b,
                Real* y, Mode mode);
/// a where condition is not zero, b elsewhere
void where(const Layout<3>& layout, const Real* condition, const Real* a, const Real* b, Real* y,
           Mode mode);
/// x repeated
void broadcast(const Layout<1>& layout, Real scale, const Real* x, Real* y, Mode mode);
/// dx = or += (x - mean - rest) dy scale
void variance_backward(const Layout<4>& layout, Real scale, const Real* x, const Real* mean,
                       const Real* rest, const Real* dy, Output dx);

}  // namespace heed::kernels
