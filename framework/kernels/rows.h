#pragma once

#include <optional>

#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

// Loops over the rows of (m, n) matrices. Results are dense.

/// y[j] = or += sum_i x[i, j]
void sum_rows(const ConstMatrix& x, Output y);

// One row of n numbers, on this thread.
/// y = e^x / sum e^x
void softmax_row(Index n, const Real* x, Real* y);
/// The same for scores: where all are -infinity nothing is seen, and y is 0.
void scores_softmax_row(Index n, const Real* x, Real* y);
/// dx = or += y (dy - sum dy y)
void softmax_row_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode);

void softmax(const ConstMatrix& x, Real* y);
void softmax_backward(const ConstMatrix& y, const Real* dy, Output dx);
void log_softmax(const ConstMatrix& x, Real* y);
/// dx = or += dy - exp(y) sum dy
void log_softmax_backward(const ConstMatrix& y, const Real* dy, Output dx);

/// What backward needs of a row. The mean is rounded to a Real. Where it is large beside the
/// spread, that error is as large as the spread: `rest` is the mean of what is left after
/// subtracting.
struct RowMoments {
  Real mean = 0;
  Real rest = 0;
  Real scale = 1;  // 1 / sqrt(variance + epsilon)
};
struct NormInputs {
  ConstMatrix x;               // (m, n)
  const Real* gain = nullptr;  // (n)
  const Real* bias = nullptr;  // (n); not of an RMS norm
  Real epsilon = 0;
};
/// Null data: not wanted.
struct NormGradients {
  Output x = {};     // (m, n)
  Output gain = {};  // (n)
  Output bias = {};  // (n); not of an RMS norm
};
/// y = (x - mean) scale gain + bias. moments (m), or null where there will be no backward.
void layer_norm(const NormInputs& in, Real* y, RowMoments* moments);
/// `partial` has room for 2 n norm_pieces(m) numbers.
void layer_norm_backward(const NormInputs& in, const RowMoments* moments, const Real* dy,
                         const NormGradients& to, Real* partial);
/// y = x scale gain, with 1 / sqrt(mean of squares + epsilon) for the scale
void rms_norm(const NormInputs& in, Real* y, RowMoments* moments);
void rms_norm_backward(const NormInputs& in, const RowMoments* moments, const Real* dy,
                       const NormGradients& to, Real* partial);
Index norm_pieces(Index m);

/// Where a loss leaves what it computes of each row.
struct LossRows {
  double* loss = nullptr;  // (m)
  double* nats = nullptr;  // (m): the loss without smoothing, -log P[gold]; null: not wanted
  bool gradient = false;   // whether the inputs become their gradients, times `factor`
  Real factor = 1;
};
struct CrossEntropyInputs {
  Matrix x;                  // (m, n): logits
  const Id* gold = nullptr;  // (m)
  Real smoothing = 0;
  std::optional<Id> ignore;  // rows with this gold have loss and gradient 0
};
/// With s for the smoothing and g for the gold of row i:
/// loss[i] = logsumexp(x) - (1 - s) x[g] - s/n sum x. The gradient of x is softmax(x) - q, where q
/// is the smoothed target. x is overwritten where the gradient is asked for.
void cross_entropy(const CrossEntropyInputs& in, const LossRows& to);

/// The same with P = softmax(x) mixed with copying. With c = copied[i] and g = sigmoid(gate[i]):
/// loss[i] = -(1 - s) log(g P[gold] + (1 - g) c) - s/n sum log P. P[gold] is 0 for gold >= n. x is
/// overwritten. Where the gradient is asked for, gate (m) and copied (m) become their gradients
/// too. There is no `ignore`.
void copy_cross_entropy(const CrossEntropyInputs& in, Real* gate, Real* copied, const LossRows& to);

struct DivergenceInputs {
  ConstMatrix a;             // (m, n): logits
  ConstMatrix b;             // (m, n): logits
  const Id* gold = nullptr;  // (m)
  std::optional<Id> ignore;  // rows with this gold have loss and gradient 0
};
struct DivergenceRows {
  double* loss = nullptr;  // (m)
  Real* da = nullptr;      // (m, n): gradients, times `factor`; null: not wanted
  Real* db = nullptr;
  Real factor = 1;
};
/// With p = softmax(a), q = softmax(b) and D = log p - log q:
/// loss[i] = 1/2 sum (p - q) D
/// da = 1/2 (p (D - sum p D) + p - q)
/// db = 1/2 (q (sum q D - D) + q - p)
void symmetric_kl(const DivergenceInputs& in, const DivergenceRows& to);

/// y *= a
void scale(Index n, Real a, Real* y);

}  // namespace heed::kernels
