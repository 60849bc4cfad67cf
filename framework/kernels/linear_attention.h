#pragma once

#include "framework/kernels/attention.h"

namespace heed::kernels {

/// Scratch memory each worker needs, in numbers; only sequences, heads, width, lengths and causal
/// of the shape are read.
Index linear_attention_workspace(const AttentionShape& shape);

/// y_i = sum_j (f(q_i) . f(k_j)) v_j / sum_j f(q_i) . f(k_j) with f(x) = elu(x) + 1, for each
/// sequence and head; shares (query rows, heads) keeps one over each denominator. `weights` as
/// attention()'s.
void linear_attention(const AttentionShape& shape, Rows q, Rows k, Rows v, MutableRows y,
                      Real* shares, Real* const* weights, Real* workspace);

/// From dy, and what linear_attention() took and gave. Null data: not wanted.
void linear_attention_backward(const AttentionShape& shape, Rows q, Rows k, Rows v, Rows y,
                               const Real* shares, Rows dy, MutableRows dq, MutableRows dk,
                               MutableRows dv, Real* workspace);

}  // namespace heed::kernels
