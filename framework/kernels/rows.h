#pragma once

#include "framework/types.h"

namespace heed::kernels {

// Loops over the rows of (m, n) matrices.

/// y[j] = or += sum_i x[i, j]
void sum_rows(Index m, Index n, const Real* x, Real* y, Mode mode);

/// y = e^x / sum e^x and dx = y (dy - sum dy y) of one row, on this thread.
void softmax_row(Index n, const Real* x, Real* y);
/// The same for scores: y is 0 where all are -infinity, since nothing is seen.
void scores_softmax_row(Index n, const Real* x, Real* y);
void softmax_row_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode);

void softmax(Index m, Index n, const Real* x, Real* y);
void softmax_backward(Index m, Index n, const Real* y, const Real* dy, Real* dx, Mode mode);
void log_softmax(Index m, Index n, const Real* x, Real* y);
// dx = dy - exp(y) sum dy
void log_softmax_backward(Index m, Index n, const Real* y, const Real* dy, Real* dx, Mode mode);

/// What backward needs of a row. The mean is rounded to a Real, which is off by as much as the
/// spread where the mean is large beside it; `rest` is the mean of what is left after subtracting.
struct RowMoments {
  Real mean = 0;
  Real rest = 0;
  Real scale = 1;  // 1 / sqrt(variance + epsilon)
};
/// moments: one a row, or null where there will be no backward.
void layer_norm(Index m, Index n, const Real* x, const Real* gain, const Real* bias, Real epsilon,
                Real* y, RowMoments* moments);
/// Any of dx, dgain, dbias may be null. `partial` has room for 2 n norm_pieces(m) numbers.
void layer_norm_backward(Index m, Index n, const Real* x, const Real* gain,
                         const RowMoments* moments, const Real* dy, Real* dx, Mode dx_mode,
                         Real* dgain, Mode dgain_mode, Real* dbias, Mode dbias_mode, Real* partial);
void rms_norm(Index m, Index n, const Real* x, const Real* gain, Real epsilon, Real* y,
              RowMoments* moments);
void rms_norm_backward(Index m, Index n, const Real* x, const Real* gain, const RowMoments* moments,
                       const Real* dy, Real* dx, Mode dx_mode, Real* dgain, Mode dgain_mode,
                       Real* partial);
Index norm_pieces(Index m);

/// Per row i with gold class g: loss[i] = logsumexp(x) - (1 - s) x[g] - s/n sum x. Where `gradient`
/// is asked for, x becomes (softmax(x) - q) * factor, q being the smoothed target; rows whose gold
/// is `ignore` get 0 for both. `has_ignore` false: none are. nats[i], where not null, is the loss
/// without smoothing: -log P[g].
void cross_entropy(Index m, Index n, Real* x, const Id* gold, Real smoothing, bool has_ignore,
                   Id ignore, double* loss, double* nats, bool gradient, Real factor);

/// The same with P = softmax(x) mixed with copying: loss[i] = -(1 - s) log(g P[gold] + (1 - g) c) -
/// s/n sum log P, g = sigmoid(gate[i]), c = copied[i]; P[gold] is 0 for gold >= n. Where `gradient`
/// is asked for, gate and copied become their gradients times factor too.
void copy_cross_entropy(Index m, Index n, Real* x, Real* gate, Real* copied, const Id* gold,
                        Real smoothing, double* loss, double* nats, bool gradient, Real factor);

/// y *= a
void scale(Index n, Real a, Real* y);

}  // namespace heed::kernels
