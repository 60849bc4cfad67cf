#pragma once

#include "framework/types.h"

namespace heed::kernels {

// Over the middle axis of (outer, n, inner) arrays. Sums are taken in blocks whose results add up
// in double, so that millions of floats keep their precision; in an order that shapes alone decide.

/// Compensated (Kahan 1965; Neumaier 1974): rounded once, but for the last digit.
/// y (outer, inner) = or += scale sum_i x[:, i, :]
void sum(Index outer, Index n, Index inner, double scale, const Real* x, Real* y, Mode mode);
/// y = scale sum_i (x[:, i, :] - mean)
void deviations(Index outer, Index n, Index inner, double scale, const Real* x, const Real* mean,
                Real* y);
/// y = scale sum_i (x[:, i, :] - mean - rest)^2; rest is what rounding left of the mean
void squared_deviations(Index outer, Index n, Index inner, double scale, const Real* x,
                        const Real* mean, const Real* rest, Real* y);
/// The largest, or NaN where there is one, and its first position along the axis; n > 0.
void max(Index outer, Index n, Index inner, const Real* x, Real* y, Id* position);
/// dx[:, position, :] = or += dy, the rest = or += 0
void max_backward(Index outer, Index n, Index inner, const Id* position, const Real* dy, Real* dx,
                  Mode mode);
/// y[:, i, :] = or += x[:, 0, :] + ... + x[:, i, :], or from the other end
void cumsum(Index outer, Index n, Index inner, bool from_end, const Real* x, Real* y, Mode mode);

}  // namespace heed::kernels
