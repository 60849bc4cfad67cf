#pragma once

#include <optional>

#include "layers/attention/attention_layer.h"
#include "layers/dropout.h"
#include "layers/linear.h"

namespace heed {

/// Queries, keys and values as the products of an attention with heads give them. What one product
/// gave stays one matrix, which the fused op reads as it is.
struct Projected {
  Variable queries;  // Q (rows, d); of Fused::all: [Q, K, V] (rows, d + 2 e)
  Memory memory;  // K and V, each (memory rows, e); of Fused::memory: [K, V]; of Fused::all: none
};

/// Scaled dot-product attention with several heads (Vaswani et al. 2017, section 3.2):
///   Q = q W_q^T + b_q, K = m W_k^T + b_k, V = m W_v^T + b_v
///   head_h = softmax(Q_h K_h^T / sqrt(d / heads)) V_h
///   y = concat(heads) W_o^T + b_o
/// q, y (rows, d), memory m (memory rows, memory), W_q, W_o (d, d), W_k, W_v (e, memory) with
/// e = d kv_heads / heads. AttentionOptions::fused says which weights stand in one matrix. The
/// classes below change what a head computes. Constructors read d = `query`, `memory`, `heads`,
/// `dropout`, `fused`, and what their class names; they throw Error when
/// - the heads cannot share d evenly;
/// - kv_heads does not divide heads;
/// - all products are fused and the memory is not as wide as the queries.
struct MultiHeadAttention : AttentionLayer {
  int heads;
  int kv_heads;                  // of keys and values
  std::optional<Linear> input;   // [W_q; W_k; W_v]
  std::optional<Linear> query;   // W_q
  std::optional<Linear> key;     // W_k
  std::optional<Linear> value;   // W_v
  std::optional<Linear> memory;  // [W_k; W_v]
  Linear output;                 // W_o
  Dropout dropout;               // on the weights

  MultiHeadAttention(const AttentionOptions& o, Random& random)
      : MultiHeadAttention(o, o.heads, random) {}
  void visit(Visitor& v) override;
  Index width() const override { return output.weight.shape()[0]; }
  Memory remember(const Variable& rows, const Spans& spans) const override;
  Variable attend(const Variable& queries, const Spans& query_spans, const Memory& remembered,
                  const Spans& keys, const AttendOptions& options = {}) const override;
  /// Where all products are fused, they are one.
  Variable operator()(const Operand& x, const Spans& spans,
                      const AttendOptions& options = {}) const override;

  /// Queries, keys and values of self-attention.
  Projected project(const Operand& x, const Spans& spans) const;
  /// concat(heads), (query rows, d): what `output` reads.
  virtual Variable combine(const Projected& x, const Spans& queries, const Spans& keys,
                           const AttendOptions& options = {}) const;

 protected:
  MultiHeadAttention(const AttentionOptions& o, int kv_heads, Random& random);
  Index head_width() const { return width() / heads; }
  Pairing pairing(const Spans& queries, const Spans& keys, const AttendOptions& options) const;
  /// The arguments of the fused op.
  virtual Attention fused(const Spans& queries, const Spans& keys,
                          const AttendOptions& options) const;
  /// concat(heads) by the softmax of scaled products.
  Variable weigh(const Projected& x, const Attention& options) const;
  /// Queries, keys and values as three matrices.
  Projected separate(const Projected& x) const;
};

/// The attention of a Transformer to its own positions (Vaswani et al. 2017, section 3.2.3): one
/// product gives queries, keys and values.
struct SelfAttention : MultiHeadAttention {
  SelfAttention(Index d, int h, Real p, Random& random)
      : MultiHeadAttention({.query = d, .memory = d, .heads = h, .dropout = p, .fused = Fused::all},
                           random) {}
};

/// The attention of a Transformer's decoder to the encoder's output (Vaswani et al. 2017, section
/// 3.2.3): one product gives keys and values.
struct CrossAttention : MultiHeadAttention {
  CrossAttention(Index d, int h, Real p, Random& random)
      : MultiHeadAttention(
            {.query = d, .memory = d, .heads = h, .dropout = p, .fused = Fused::memory}, random) {}
};

/// Groups of neighbouring heads share keys and values (Ainslie et al. 2023). There are `kv_heads`
/// groups, so that K and V are kv_heads d / heads wide.
struct GroupedQueryAttention : MultiHeadAttention {
  GroupedQueryAttention(const AttentionOptions& o, Random& random);
};

/// All heads share one head of keys and values (Shazeer 2019).
struct MultiQueryAttention : MultiHeadAttention {
  MultiQueryAttention(const AttentionOptions& o, Random& random)
      : MultiHeadAttention(o, 1, random) {}
};

/// A query sees the keys whose distance from its place is less than `window`, so that the cost is
/// linear (Parmar et al. 2018; Beltagy et al. 2020, section 3.1). Queries stand at the end of the
/// keys: the place of query i is i + (length of keys - length of queries). Throws Error when the
/// window is below 1.
struct LocalAttention : MultiHeadAttention {
  Index window;

  LocalAttention(const AttentionOptions& o, Random& random);

 protected:
  Attention fused(const Spans& queries, const Spans& keys,
                  const AttendOptions& options) const override;
};

/// score_ij = q_i . k_j / sqrt(d / heads) - 2^(-8 h / heads) |place_i - j|, h = 1 ... heads (Press
/// et al. 2022). A model with it needs no other positions.
struct AlibiAttention : MultiHeadAttention {
  Tensor slopes;  // (heads)

  AlibiAttention(const AttentionOptions& o, Random& random);

 protected:
  Attention fused(const Spans& queries, const Spans& keys,
                  const AttendOptions& options) const override;
};

/// Rotates queries and keys by angles proportional to their positions (Su et al. 2021), so that
/// their products depend on the distance alone. attend() rotates the keys: remember() does not know
/// their positions, so that rows can be appended to a memory. Throws Error unless the heads share d
/// in pairs of columns and base is above 0.
struct RotaryAttention : MultiHeadAttention {
  Real base;

  RotaryAttention(const AttentionOptions& o, Random& random);

  Variable combine(const Projected& x, const Spans& queries, const Spans& keys,
                   const AttendOptions& options = {}) const override;
};

/// weight_ij = f(q_i) . f(k_j) / sum_j f(q_i) . f(k_j), f(x) = elu(x) + 1 (Katharopoulos et al.
/// 2020), instead of the softmax. All queries share the sums over the keys, so that the cost is
/// linear. No dropout, whatever the options say.
struct LinearAttention : MultiHeadAttention {
  LinearAttention(const AttentionOptions& o, Random& random);

  Variable combine(const Projected& x, const Spans& queries, const Spans& keys,
                   const AttendOptions& options = {}) const override;
};

/// Relative positions (Shaw et al. 2018), with w = d / heads:
///   score_ij = q_i . (k_j + a^K_r) / sqrt(w)
///   y_i = sum_j weight_ij (v_j + a^V_r)
/// r is the distance of j from the place of i, clipped to [-reach, reach]. All heads share a^K and
/// a^V. Throws Error when reach is negative.
struct RelativeAttention : MultiHeadAttention {
  Index reach;
  Parameter key_distances;    // a^K (2 reach + 1, w)
  Parameter value_distances;  // a^V (2 reach + 1, w)

  RelativeAttention(const AttentionOptions& o, Random& random);
  void visit(Visitor& v) override;

  Variable combine(const Projected& x, const Spans& queries, const Spans& keys,
                   const AttendOptions& options = {}) const override;
};

/// Each head learns its span, how far from its place a query sees (Sukhbaatar et al. 2019):
///   weight_ij = m_ij e^(s_ij) / sum_j m_ij e^(s_ij)
///   m_ij = clamp((ramp + z - |place_i - j|) / ramp, 0, 1), z = longest clamp(span, 0, 1)
/// with s the scores. Add penalty() times a small factor to the loss, so that spans stay short.
/// Throws Error when longest is below 1 or ramp is not above 0.
struct AdaptiveSpanAttention : MultiHeadAttention {
  Index longest;
  Real ramp;
  Parameter span;  // (heads), in units of `longest`

  AdaptiveSpanAttention(const AttentionOptions& o, Random& random);
  void visit(Visitor& v) override;
  /// The mean of the spans z.
  Variable penalty() const;

  Variable combine(const Projected& x, const Spans& queries, const Spans& keys,
                   const AttendOptions& options = {}) const override;
};

}  // namespace heed
