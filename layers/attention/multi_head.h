#pragma once

#include "layers/attention/attention_layer.h"
#include "layers/dropout.h"
#include "layers/linear.h"

namespace heed {

/// Scaled dot-product attention with several heads (Vaswani et al. 2017, section 3.2):
///   Q = q W_q^T + b_q, K = m W_k^T + b_k, V = m W_v^T + b_v
///   head_h = softmax(Q_h K_h^T / sqrt(d / heads)) V_h
///   y = concat(heads) W_o^T + b_o
/// q, y (rows, d), memory m (memory rows, memory). It is computed by the fused op. The classes
/// below change what a head computes. Constructors throw Error when
/// - the heads cannot share d evenly;
/// - kv_heads does not divide heads.
struct MultiHeadAttention : AttentionLayer {
  int heads;
  int kv_heads;     // of keys and values
  Linear query;     // W_q (d, d)
  Linear key;       // W_k (kv_heads d / heads, memory)
  Linear value;     // W_v (kv_heads d / heads, memory)
  Linear output;    // W_o (d, d)
  Dropout dropout;  // on the weights

  MultiHeadAttention(Index d, Index memory, int h, Real p, Random& random)
      : MultiHeadAttention(d, memory, h, h, p, random) {}
  void visit(Visitor& v) override;
  Index width() const override { return output.weight.shape()[0]; }
  Memory remember(const Variable& memory, const Spans&) const override {
    return {key(memory), value(memory)};
  }
  Variable attend(const Variable& queries, const Spans& query_spans, const Memory& memory,
                  const Spans& keys, const AttendOptions& options = {}) const override;

 protected:
  MultiHeadAttention(Index d, Index memory, int heads, int kv_heads, Real dropout, Random& random);
  Index head_width() const { return width() / heads; }
  Pairing pairing(const Spans& queries, const Spans& keys, const AttendOptions& options) const;
  /// The arguments of the fused op.
  virtual Attention fused(const Spans& queries, const Spans& keys,
                          const AttendOptions& options) const;
  /// concat(heads) of projected queries, keys and values.
  Variable weigh(const Variable& q, const Variable& k, const Variable& v,
                 const Attention& options) const;
  /// concat(heads) of projected queries, (rows, d), and a memory.
  virtual Variable combine(const Variable& q, const Spans& queries, const Memory& memory,
                           const Spans& keys, const AttendOptions& options) const;
};

/// Groups of neighbouring heads share keys and values (Ainslie et al. 2023). There are kv_heads
/// groups, so that K and V are kv_heads d / heads wide.
struct GroupedQueryAttention : MultiHeadAttention {
  GroupedQueryAttention(Index d, Index memory, int h, int kv, Real p, Random& random)
      : MultiHeadAttention(d, memory, h, kv, p, random) {}
};

/// All heads share one head of keys and values (Shazeer 2019).
struct MultiQueryAttention : MultiHeadAttention {
  MultiQueryAttention(Index d, Index memory, int h, Real p, Random& random)
      : MultiHeadAttention(d, memory, h, 1, p, random) {}
};

/// A query sees the keys whose distance from its place is less than `window`, so that the cost is
/// linear (Parmar et al. 2018; Beltagy et al. 2020, section 3.1). Queries stand at the end of the
/// keys: the place of query i is i + (length of keys - length of queries). Throws Error when the
/// window is below 1.
struct LocalAttention : MultiHeadAttention {
  Index window;

  LocalAttention(Index d, Index memory, int heads, Index window, Real dropout, Random& random);

 protected:
  Attention fused(const Spans& queries, const Spans& keys,
                  const AttendOptions& options) const override;
};

/// score_ij = q_i . k_j / sqrt(d / heads) - 2^(-8 h / heads) |place_i - j|, h = 1 ... heads (Press
/// et al. 2022). A model with it needs no other positions.
struct AlibiAttention : MultiHeadAttention {
  Tensor slopes;  // (heads)

  AlibiAttention(Index d, Index memory, int heads, Real dropout, Random& random);

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

  RotaryAttention(Index d, Index memory, int heads, Real base, Real dropout, Random& random);

 protected:
  Variable combine(const Variable& q, const Spans& queries, const Memory& memory, const Spans& keys,
                   const AttendOptions& options) const override;
};

/// weight_ij = f(q_i) . f(k_j) / sum_j f(q_i) . f(k_j), f(x) = elu(x) + 1 (Katharopoulos et al.
/// 2020), instead of the softmax. All queries share the sums over the keys, so that the cost is
/// linear. No dropout.
struct LinearAttention : MultiHeadAttention {
  LinearAttention(Index d, Index memory, int h, Random& random)
      : MultiHeadAttention(d, memory, h, 0, random) {}

 protected:
  Variable combine(const Variable& q, const Spans& queries, const Memory& memory, const Spans& keys,
                   const AttendOptions& options) const override;
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

  RelativeAttention(Index d, Index memory, int heads, Index reach, Real dropout, Random& random);
  void visit(Visitor& v) override;

 protected:
  Variable combine(const Variable& q, const Spans& queries, const Memory& memory, const Spans& keys,
                   const AttendOptions& options) const override;
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

  AdaptiveSpanAttention(Index d, Index memory, int heads, Index longest, Real ramp, Real dropout,
                        Random& random);
  void visit(Visitor& v) override;
  /// The mean of the spans z.
  Variable penalty() const;

 protected:
  Variable combine(const Variable& q, const Spans& queries, const Memory& memory, const Spans& keys,
                   const AttendOptions& options) const override;
};

}  // namespace heed
