#pragma once

#include <optional>

#include "layers/attention/attention_layer.h"
#include "layers/dropout.h"
#include "layers/linear.h"
#include "layers/norm.h"

namespace heed {

/// Queries, keys and values as the products of an attention with heads give them. What one product
/// gave stays one matrix, which the fused op reads as it is.
struct Projected {
  Variable queries;  // Q (rows, d); of Fused::all: [Q, K, V] (rows, d + 2 e)
  Memory memory;  // K and V, each (memory rows, e); of Fused::memory: [K, V]; of Fused::all: none
};

/// Scaled dot-product attention with several heads (Vaswani et al. 2017, section 3.2):
///   Q = q W_q^T + b_q, K = m W_k^T + b_k, V = m W_v^T + b_v
///   head_h = softmax(Q_h K_h^T / sqrt(w)) V_h, with w = d / heads
///   y = concat(heads) W_o^T + b_o
/// q, y (rows, d), memory m (memory rows, memory), W_q, W_o (d, d), W_k, W_v (e, memory) with
/// e = w kv_heads. AttentionOptions::fused says which weights stand in one matrix.
///
/// Five options change what a head computes. Queries stand at the end of the keys: the place of
/// query i is p_i = i + (length of keys - length of queries).
///
/// - kv_heads: groups of neighbouring heads share keys and values (Ainslie et al. 2023; all heads
///   one: Shazeer 2019).
/// - window: a query sees the keys with |p_i - j| < window, so that the cost is linear (Parmar et
///   al. 2018; Beltagy et al. 2020, section 3.1).
/// - qk_norm: queries and keys of each head are divided by their root mean square and multiplied by
///   a gain (w) that all heads share (Dehghani et al. 2023, section 2, with the norm of Zhang and
///   Sennrich 2019).
/// - distances:
///   - rotary: queries and keys, after their norm, are turned by angles proportional to their
///     positions (Su et al. 2021), so that their products depend on the distance alone. attend()
///     turns the keys: remember() does not know their positions, so that rows can be appended.
///   - alibi: score_ij = q_i . k_j / sqrt(w) - 2^(-8 h / heads) |p_i - j|, h = 1 ... heads (Press
///   et
///     al. 2022).
///   - relative: score_ij = q_i . (k_j + a^K_r) / sqrt(w), y_i = sum_j weight_ij (v_j + a^V_r). r
///   is
///     the distance j - p_i, clipped to [-reach, reach]; all heads share a^K and a^V (Shaw et al.
///     2018).
/// - weighing:
///   - linear: weight_ij = f(q_i) . f(k_j) / sum_j f(q_i) . f(k_j), f(x) = elu(x) + 1
///     (Katharopoulos et al. 2020). All queries share sums over the keys, so that the cost is
///     linear. No dropout, whatever the options say.
///   - span: weight_ij = m_ij e^(s_ij) / sum_j m_ij e^(s_ij), with s the scores and
///     m_ij = clamp((ramp + z_h - |p_i - j|) / ramp, 0, 1), z_h = longest clamp(span_h, 0, 1): each
///     head learns how far it sees (Sukhbaatar et al. 2019). Add penalty() times a small factor to
///     the loss, so that spans stay short.
///
/// The constructor throws Error when
/// - the heads cannot share d evenly, or rotary's not in pairs of columns;
/// - kv_heads does not divide heads;
/// - all products are fused and the memory is not as wide as the queries;
/// - `linear` is to have distances, a window or shared keys: it has no scores of single keys;
/// - window or reach is negative, longest is below 1, or base or ramp is not above 0.
struct MultiHeadAttention : AttentionLayer {
  int heads;
  int kv_heads;  // of keys and values
  Weighing weighing;
  Distances distances;
  Index window;
  Index reach;
  Real base;
  Index longest;
  Real ramp;
  Tensor slopes;                      // alibi: (heads)
  std::optional<Linear> input;        // [W_q; W_k; W_v]
  std::optional<Linear> query;        // W_q
  std::optional<Linear> key;          // W_k
  std::optional<Linear> value;        // W_v
  std::optional<Linear> memory;       // [W_k; W_v]
  Linear output;                      // W_o
  Dropout dropout;                    // on the weights
  std::optional<RmsNorm> query_norm;  // of qk_norm
  std::optional<RmsNorm> key_norm;
  Parameter key_distances;    // relative: a^K (2 reach + 1, w)
  Parameter value_distances;  // relative: a^V (2 reach + 1, w)
  Parameter span;             // span: (heads), in units of `longest`

  MultiHeadAttention(const AttentionOptions& o, Random& random);
  void visit(Visitor& v) override;
  Index width() const override { return output.weight.shape()[0]; }
  Index head_width() const { return width() / heads; }
  Index kv_width() const { return head_width() * kv_heads; }
  Memory remember(const Variable& rows, const Spans& spans) const override;
  Variable attend(const Variable& queries, const Spans& query_spans, const Memory& remembered,
                  const Spans& keys, const AttendOptions& options = {}) const override;
  /// Where all products are fused, they are one.
  Variable operator()(const Operand& x, const Spans& spans,
                      const AttendOptions& options = {}) const override;

  /// The mean of the spans z; undefined where they are not learned.
  Variable penalty() const;
  /// Whether it is the attention of Vaswani et al. alone, with none of the options above.
  bool is_plain() const;
  /// How many keys back from its place a query can see, its own included; 0: all.
  Index sight() const;

  // In pieces, for what keeps keys
  // ---------------------------------------------------------------
  /// Queries, keys and values of self-attention.
  Projected project(const Operand& x, const Spans& spans) const;
  /// Queries, keys and values as three matrices.
  Projected separate(const Projected& x) const;
  /// Queries (rows, d) after norm and rotation. `rows` are the last ones of `end_of`.
  Variable placed_queries(const Variable& queries, const Spans& rows, const Spans& end_of) const;
  /// Keys (rows, e) after norm and rotation. Where given, `rows` are the last ones of `end_of`.
  Variable placed_keys(const Variable& keys, const Spans& rows, const Spans& end_of = {}) const;
  /// Both of them. Where neither norm nor rotation changes anything: x itself.
  Projected place(const Projected& x, const Spans& queries, const Spans& keys) const;
  /// concat(heads), (query rows, d), of what place() gave: what `output` reads.
  Variable combine_placed(const Projected& x, const Spans& queries, const Spans& keys,
                          const AttendOptions& options = {}) const;
  /// The same of what project() gave.
  Variable combine(const Projected& x, const Spans& queries, const Spans& keys,
                   const AttendOptions& options = {}) const {
    return combine_placed(place(x, queries, keys), queries, keys, options);
  }

 private:
  Pairing pairing(const Spans& queries, const Spans& keys, const AttendOptions& options) const;
  /// The arguments of the fused op.
  Attention fused(const Spans& queries, const Spans& keys, const AttendOptions& options) const;
  /// concat(heads) by the fused op.
  Variable weigh(const Projected& x, const Attention& options) const;
  /// concat(heads) with all scores in one tensor.
  Variable combine_pieces(const Projected& x, const Pairing& pairing,
                          const AttendOptions& options) const;
  /// The scores of q / sqrt(w), and what distances add to them.
  Variable scores(const Variable& scaled, const Variable& keys, const Pairing& pairing) const;
  Variable weights_of(const Variable& scores, const Pairing& pairing,
                      const AttendOptions& options) const;
};

/// The attention of a Transformer to its own positions (Vaswani et al. 2017, section 3.2.3): one
/// product gives queries, keys and values. It reads all options but `memory` and `fused`.
struct SelfAttention : MultiHeadAttention {
  SelfAttention(AttentionOptions o, Random& random);
  SelfAttention(Index d, int h, Real p, Random& random)
      : SelfAttention({.query = d, .heads = h, .dropout = p}, random) {}
};

/// The attention of a Transformer's decoder to the encoder's output (Vaswani et al. 2017, section
/// 3.2.3): one product gives keys and values. Source and target have no place in common, so that
/// `window`, `distances` and spans are not read.
struct CrossAttention : MultiHeadAttention {
  CrossAttention(AttentionOptions o, Random& random);
  CrossAttention(Index d, int h, Real p, Random& random)
      : CrossAttention({.query = d, .memory = d, .heads = h, .dropout = p}, random) {}
};

}  // namespace heed
