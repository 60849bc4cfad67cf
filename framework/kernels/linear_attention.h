#pragma once

#include "framework/kernels/attention.h"

namespace heed::kernels {

// Of the shape only sequences, heads, width, lengths and `causal` are read.

/// Numbers of scratch memory each worker needs.
Index linear_attention_workspace(const AttentionShape& shape);

/// y_i = sum_j (f(q_i) . f(k_j)) v_j / sum_j f(q_i) . f(k_j) with f(x) = elu(x) + 1, for each
/// sequence and head. shares (query rows, heads) keeps one over each denominator. `weights` as
/// attention()'s.
void linear_attention(const AttentionShape& shape, const AttentionInputs& in, const OutputRows& y,
                      Real* shares, Real* const* weights, Real* workspace);

/// The gradients of linear_attention() from dy. `results.sums` are its shares.
void linear_attention_backward(const AttentionShape& shape, const AttentionInputs& in,
                               const AttentionResults& results, const ConstMatrix& dy,
                               const AttentionGradients& to, Real* workspace);

}  // namespace heed::kernels
