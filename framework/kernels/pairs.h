#pragma once

#include "framework/kernels/attention.h"

namespace heed::kernels {

/// Blocks (heads, queries, keys) of numbers, one for each sequence. Heads h and h + 1 share keys
/// where there are fewer of those: head h has those of h * kv_heads / heads.
struct PairShape {
  Index sequences;
  Index heads;
  Index kv_heads;
  const Index* query_begins;
  const Index* query_lengths;
  const Index* key_begins;
  const Index* key_lengths;
  const Index* begins;  // of each block; one more at the end
  Index longest_query;
  Index longest_key;
  bool causal;
  Index window;
};

// Products of the rows of queries, a (.., heads * width), those of keys, b (.., kv_heads * width),
// and the blocks s. Rows outside the sequences are neither read nor written.

/// s_ij = or += a_i . b_j
void pair_dots(const PairShape& shape, Index width, Rows a, Rows b, Real* s, Mode mode);
/// a_i = or += sum_j s_ij b_j
void pair_sums(const PairShape& shape, Index width, const Real* s, Rows b, MutableRows a);
/// b_j = or += sum_i s_ij a_i, over the heads that share b's
void pair_sums_transposed(const PairShape& shape, Index width, const Real* s, Rows a,
                          MutableRows b);

/// How much each pair has been looked at before, u (as the blocks), and what that adds inside the
/// tanh, u_ij w_c; none where null.
struct Coverage {
  const Real* amounts = nullptr;
  const Real* weight = nullptr;
};
/// s_ij = sum_c v_c tanh(q_ic + k_jc + u_ij w_c), 0 where i does not see j; one head of d columns
void additive_scores(const PairShape& shape, Index d, const Real* q, const Real* k, const Real* v,
                     Coverage cover, Real* s);
/// Null: not wanted. Rows of q and k = or += as their modes say; v and weight (sequences, d) get
/// each sequence's share; amounts (additive_blocks(d), pairs) are to be summed over their rows, and
/// only pairs that see each other are written.
struct AdditiveGradients {
  Real* q;
  Mode q_mode;
  Real* k;
  Mode k_mode;
  Real* v;
  Real* amounts;
  Real* weight;
};
Index additive_blocks(Index d);
void additive_scores_backward(const PairShape& shape, Index d, const Real* q, const Real* k,
                              const Real* v, Coverage cover, const Real* ds,
                              const AdditiveGradients& to);

/// y_i = sum_j s_ij [tokens_j = wanted_i] for the rows of queries; one head
void pair_matches(const PairShape& shape, const Id* tokens, const Id* wanted, const Real* s,
                  Real* y);
/// ds_ij = or += dy_i [tokens_j = wanted_i]
void pair_matches_backward(const PairShape& shape, const Id* tokens, const Id* wanted,
                           const Real* dy, Real* ds, Mode mode);

/// Over the keys that each query sees; 0 elsewhere.
void pair_softmax(const PairShape& shape, const Real* s, Real* y);
// ds = y (dy - sum dy y)
void pair_softmax_backward(const PairShape& shape, const Real* y, const Real* dy, Real* ds,
                           Mode mode);
/// One more place for each query, whose score is rest (query rows, heads), takes part and is left
/// out of y.
void pair_softmax_rest(const PairShape& shape, const Real* s, const Real* rest, Real* y);
void pair_softmax_rest_backward(const PairShape& shape, const Real* y, const Real* dy, Real* drest,
                                Mode mode);
/// y = m e^s / sum m e^s with m = clamp((ramp + z - distance) / ramp, 0, 1), z (heads)
void pair_span_softmax(const PairShape& shape, const Real* s, const Real* z, Real ramp, Real* y);
/// dz (sequences, heads): each sequence's share. ds is pair_softmax_backward's.
void pair_span_softmax_backward(const PairShape& shape, const Real* z, Real ramp, const Real* y,
                                const Real* dy, Real* dz);

/// s_hij = or += table[i, h, clamp(j - place of i, -reach, reach) + reach], table (query rows,
/// heads, 2 reach + 1)
void pair_by_distance(const PairShape& shape, Index reach, const Real* table, Real* s, Mode mode);
/// The transpose: each entry of the table = or += the sum over its pairs.
void pair_sum_by_distance(const PairShape& shape, Index reach, const Real* s, Real* table,
                          Mode mode);

}  // namespace heed::kernels
