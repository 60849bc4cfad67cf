#pragma once

#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

/// Which rows a convolution over sequences reads. Row r of the output reads the rows
/// r + (j - left) dilation, j < kernel, that lie within [begins[r], ends[r]), its sequence. Rows of
/// no sequence have begins[r] = ends[r] and read nothing.
struct Taps {
  Index rows;
  Index kernel;
  Index dilation;
  Index left;
  const Id* begins;  // (rows)
  const Id* ends;    // (rows)
};

/// out (rows, kernel, n): the rows of x (rows, n) that each row reads, zeros for those outside its
/// sequence
void windows(const Taps& taps, Index n, const Real* x, Real* out);
/// The transpose: dx (rows, n) = or += what windows (rows, kernel, n) hold of each row
void fold_windows(const Taps& taps, Index n, const Real* windows, Output dx);

/// y[r, c] = bias[c] + sum_j w[j, c] x[row j of r, c], for x and y (rows, n), w (kernel, n) and
/// bias (n; null: none). Rows of no sequence yield zeros.
void depthwise(const Taps& taps, Index n, const Real* x, const Real* w, const Real* bias, Real* y);
void depthwise_backward_x(const Taps& taps, Index n, const Real* w, const Real* dy, Output dx);
void depthwise_backward_w(const Taps& taps, Index n, const Real* x, const Real* dy, Output dw);

/// y (m, n) = a sigmoid(b) for x = [a, b] (m, 2n)
void glu(Index m, Index n, const Real* x, Real* y);
void glu_backward(Index m, Index n, const Real* x, const Real* dy, Output dx);

/// y = scale (a + b)
void add_scaled(Index n, Real scale, const Real* a, const Real* b, Real* y);

struct WeightNormInputs {
  ConstMatrix v;  // (m, n), dense
  const Real* g;  // (m)
};
/// w (m, n) = g v / ||v|| for each row of v. inverse (m) gets 1 / ||v||, or 0 for a row of zeros,
/// whose w is 0.
void weight_norm(const WeightNormInputs& in, Real* w, Real* inverse);
/// dv (m, n), dg (m). Null data: not wanted.
void weight_norm_backward(const WeightNormInputs& in, const Real* inverse, const Real* dw,
                          Output dv, Output dg);

}  // namespace heed::kernels
