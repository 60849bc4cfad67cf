#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// Which rows a convolution over sequences reads: row r of the output reads rows r + (j - left)
/// dilation, j < kernel, as far as they lie within [begins[r], ends[r]), its sequence. The rows of
/// no sequence have begins[r] = ends[r] and read nothing.
struct Taps {
  Index kernel;
  Index dilation;
  Index left;
  const Id* begins;
  const Id* ends;
};

/// out (rows, kernel, n): the rows of x (rows, n) that each row reads, zeros for those outside its
/// sequence
void windows(const Taps& taps, Index rows, Index n, const Real* x, Real* out);
/// The transpose: dx (rows, n) = or += what windows (rows, kernel, n) hold of each row
void fold_windows(const Taps& taps, Index rows, Index n, const Real* windows, Real* dx, Mode mode);

/// y[r, c] = bias[c] + sum_j w[j, c] x[row j of r, c], w (kernel, n), bias null: none. Rows of no
/// sequence yield zeros.
void depthwise(const Taps& taps, Index rows, Index n, const Real* x, const Real* w,
               const Real* bias, Real* y);
void depthwise_backward_x(const Taps& taps, Index rows, Index n, const Real* w, const Real* dy,
                          Real* dx, Mode mode);
void depthwise_backward_w(const Taps& taps, Index rows, Index n, const Real* x, const Real* dy,
                          Real* dw, Mode mode);

/// y (m, n) = a sigmoid(b) for x = [a, b] (m, 2n)
void glu(Index m, Index n, const Real* x, Real* y);
void glu_backward(Index m, Index n, const Real* x, const Real* dy, Real* dx, Mode mode);

/// y = scale (a + b)
void add_scaled(Index n, Real scale, const Real* a, const Real* b, Real* y);

/// w = g v / ||v|| for each row of v (m, n); leaves 1 / ||v||, 0 for a row of zeros, whose w is 0.
void weight_norm(Index m, Index n, const Real* v, const Real* g, Real* w, Real* inverse);
/// Any of dv, dg may be null.
void weight_norm_backward(Index m, Index n, const Real* v, const Real* g, const Real* inverse,
                          const Real* dw, Real* dv, Mode dv_mode, Real* dg, Mode dg_mode);

}  // namespace heed::kernels
