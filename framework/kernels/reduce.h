#pragma once

#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

/// An array (outer, n, inner) that is reduced along its middle axis.
struct MiddleAxis {
  Index outer = 1;
  Index n = 1;
  Index inner = 1;
};

// Sums are taken in blocks whose results add up in double, so that millions of floats keep their
// precision. Shapes alone decide the order.

/// y (outer, inner) = or += scale sum_i x[:, i, :]. Compensated (Kahan 1965; Neumaier 1974):
/// rounded once, except for the last digit.
void sum(const MiddleAxis& axis, double scale, const Real* x, Output y);
/// y = scale sum_i (x[:, i, :] - mean)
void deviations(const MiddleAxis& axis, double scale, const Real* x, const Real* mean, Real* y);
/// y = scale sum_i (x[:, i, :] - mean - rest)^2. rest is what rounding left of the mean.
void squared_deviations(const MiddleAxis& axis, double scale, const Real* x, const Real* mean,
                        const Real* rest, Real* y);
/// y (outer, inner): the largest, or NaN where there is one. position (outer, inner): where it
/// first stands along the axis. n > 0.
void max(const MiddleAxis& axis, const Real* x, Real* y, Id* position);
/// dx[:, position, :] = or += dy, the rest = or += 0
void max_backward(const MiddleAxis& axis, const Id* position, const Real* dy, Output dx);
/// y[:, i, :] = or += x[:, 0, :] + ... + x[:, i, :], or the sum from the other end
void cumsum(const MiddleAxis& axis, bool from_end, const Real* x, Output y);

}  // namespace heed::kernels
