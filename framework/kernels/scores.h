#pragma once

#include "framework/kernels/attention.h"

namespace heed::kernels {

/// The scores of queries and keys: for each sequence a block (heads, queries, keys) of numbers, one
/// block after the other. Where there are fewer heads of keys than of queries, neighbouring heads
/// share one: head h has the keys of head h * kv_heads / heads.
struct ScoresShape {
  Index sequences;
  Index heads;
  Index kv_heads;
  const Index* query_begins;   // (sequences): first row
  const Index* query_lengths;  // (sequences)
  const Index* key_begins;
  const Index* key_lengths;
  const Index* begins;  // (sequences + 1): where each block begins
  Index longest_query;
  Index longest_key;
  bool causal;
  Index window;
};

// Products of the rows of queries (.., heads * width), those of keys (.., kv_heads * width), and
// the scores s. Rows outside the sequences are neither read nor written.

/// s_ij = or += q_i . k_j
void dot_scores(const ScoresShape& shape, const ConstMatrix& q, const ConstMatrix& k, Output s);
/// q_i = or += sum_j s_ij k_j
void sum_keys(const ScoresShape& shape, const Real* s, const ConstMatrix& k, const OutputRows& q);
/// k_j = or += sum_i s_ij q_i, over the heads that share k_j
void sum_queries(const ScoresShape& shape, const Real* s, const ConstMatrix& q,
                 const OutputRows& k);

/// How much each query has looked at each key before, u (as the scores). It adds u_ij w_c inside
/// the tanh, w (d). Null: no coverage.
struct Coverage {
  const Real* amounts = nullptr;
  const Real* weight = nullptr;
};
/// Of one head with d columns.
struct AdditiveInputs {
  Index d;
  const Real* q;  // (query rows, d)
  const Real* k;  // (key rows, d)
  const Real* v;  // (d)
  Coverage cover;
};
/// s_ij = sum_c v_c tanh(q_ic + k_jc + u_ij w_c), 0 where i does not see j
void additive_scores(const ScoresShape& shape, const AdditiveInputs& in, Real* s);

/// Null: not wanted.
struct AdditiveGradients {
  Output q;  // (query rows, d)
  Output k;  // (key rows, d)
  // (sequences, d): each sequence's share
  Real* v;
  Real* weight;
  // (additive_blocks(d), scores), to be summed over its rows. Only scores of keys that are seen are
  // written
  Real* amounts;
};
Index additive_blocks(Index d);
void additive_scores_backward(const ScoresShape& shape, const AdditiveInputs& in, const Real* ds,
                              const AdditiveGradients& to);

/// y_i = sum_j s_ij [ids_j = wanted_i] for the rows of queries; one head
void sum_matches(const ScoresShape& shape, const Id* ids, const Id* wanted, const Real* s, Real* y);
/// ds_ij = or += dy_i [ids_j = wanted_i]
void sum_matches_backward(const ScoresShape& shape, const Id* ids, const Id* wanted, const Real* dy,
                          Output ds);

/// y_i = softmax of s_i over the keys that query i sees, 0 elsewhere
void scores_softmax(const ScoresShape& shape, const Real* s, Real* y);
/// ds = y (dy - sum dy y)
void scores_softmax_backward(const ScoresShape& shape, const Real* y, const Real* dy, Output ds);
/// The same with one more place for each query, whose score is rest (query rows, heads). It takes
/// part in the sum, and is left out of y.
void scores_softmax_with_rest(const ScoresShape& shape, const Real* s, const Real* rest, Real* y);
void scores_softmax_rest_backward(const ScoresShape& shape, const Real* y, const Real* dy,
                                  Output drest);
/// y = m e^s / sum m e^s with m = clamp((ramp + z - distance) / ramp, 0, 1), z (heads)
void span_softmax(const ScoresShape& shape, const Real* s, const Real* z, Real ramp, Real* y);
/// dz (sequences, heads): each sequence's share. ds is scores_softmax_backward's.
void span_softmax_backward(const ScoresShape& shape, const Real* z, Real ramp, const Real* y,
                           const Real* dy, Real* dz);

/// s_hij = or += table[i, h, clamp(j - place of i, -reach, reach) + reach], for table (query rows,
/// heads, 2 reach + 1)
void scores_by_distance(const ScoresShape& shape, Index reach, const Real* table, Output s);
/// The transpose: each entry of the table = or += the sum of its scores.
void sum_by_distance(const ScoresShape& shape, Index reach, const Real* s, Output table);

}  // namespace heed::kernels
