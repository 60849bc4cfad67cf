#pragma once

#include "layers/attention/attention_layer.h"
#include "layers/dropout.h"
#include "layers/linear.h"

namespace heed {

/// Scaled dot-product attention with several heads (Vaswani et al. 2017, section 3.2), computed by
/// the fused op: head_h = softmax(Q_h K_h^T / sqrt(d / heads)) V_h, y = concat(heads) W_o^T + b_o,
/// with Q = q W_q^T + b_q, and K, V alike of the memory. q, y (rows, d), memory (rows, memory). The
/// classes below change how heads are combined.
struct MultiHeadAttention : AttentionLayer {
  int heads;
  int kv_heads;
  Linear query;
  Linear key;
  Linear value;
  Linear output;
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
  /// What the fused op needs to know.
  virtual Attention fused(const Spans& queries, const Spans& keys,
                          const AttendOptions& options) const;
  /// The heads' outputs side by side, from queries and keys that may meet.
  Variable weigh(const Variable& q, const Variable& k, const Variable& v,
                 const Attention& options) const;
  /// The same from projected queries.
  virtual Variable combine(const Variable& q, const Spans& queries, const Memory& memory,
                           const Spans& keys, const AttendOptions& options) const;
};

/// Neighbouring heads share keys and values (Ainslie et al. 2023): those are kv_heads * d / heads
/// wide.
struct GroupedQueryAttention : MultiHeadAttention {
  GroupedQueryAttention(Index d, Index memory, int h, int kv, Real p, Random& random)
      : MultiHeadAttention(d, memory, h, kv, p, random) {}
};

/// All heads share one of keys and values (Shazeer 2019).
struct MultiQueryAttention : MultiHeadAttention {
  MultiQueryAttention(Index d, Index memory, int h, Real p, Random& random)
      : MultiHeadAttention(d, memory, h, 1, p, random) {}
};

/// A query sees the keys less than `window` from its own place, so the cost is linear (Parmar et
/// al. 2018; Beltagy et al. 2020, section 3.1). Queries stand at the end of the keys: query i's
/// place is i + (length of keys - length of queries).
struct LocalAttention : MultiHeadAttention {
  Index window;

  LocalAttention(Index d, Index memory, int heads, Index window, Real dropout, Random& random);

 protected:
  Attention fused(const Spans& queries, const Spans& keys,
                  const AttendOptions& options) const override;
};

/// Scores lose 2^(-8 h / heads) * distance, h = 1 ... heads (Press et al. 2022): the only sense of
/// position.
struct AlibiAttention : MultiHeadAttention {
  Tensor slopes;  // (heads)

  AlibiAttention(Index d, Index memory, int heads, Real dropout, Random& random);

 protected:
  Attention fused(const Spans& queries, const Spans& keys,
                  const AttendOptions& options) const override;
};

/// Queries and keys are turned by their positions (Su et al. 2021), so that their products depend
/// on the distance. Keys are turned by attend(): what remember() gives does not know its position
/// yet, and can be added to.
struct RotaryAttention : MultiHeadAttention {
  Real base;

  RotaryAttention(Index d, Index memory, int heads, Real base, Real dropout, Random& random);

 protected:
  Variable combine(const Variable& q, const Spans& queries, const Memory& memory, const Spans& keys,
                   const AttendOptions& options) const override;
};

/// e^(q k) gives way to f(q) f(k), f(x) = elu(x) + 1 (Katharopoulos et al. 2020): sums over the
/// keys are shared by all queries, and the cost is linear. No dropout.
struct LinearAttention : MultiHeadAttention {
  LinearAttention(Index d, Index memory, int h, Random& random)
      : MultiHeadAttention(d, memory, h, 0, random) {}

 protected:
  Variable combine(const Variable& q, const Spans& queries, const Memory& memory, const Spans& keys,
                   const AttendOptions& options) const override;
};

/// score_ij = q_i (k_j + a^K_r) / sqrt(w), y_i = sum_j weight_ij (v_j + a^V_r), with r the distance
/// of j from i's place, clipped to
/// +-reach (Shaw et al. 2018); a^K, a^V (2 reach + 1, w), w = d / heads, the same for all heads.
struct RelativeAttention : MultiHeadAttention {
  Index reach;
  Parameter key_distances;
  Parameter value_distances;

  RelativeAttention(Index d, Index memory, int heads, Index reach, Real dropout, Random& random);
  void visit(Visitor& v) override;

 protected:
  Variable combine(const Variable& q, const Spans& queries, const Memory& memory, const Spans& keys,
                   const AttendOptions& options) const override;
};

/// Each head learns how far it looks (Sukhbaatar et al. 2019): weights m e^s / sum m e^s with m =
/// clamp((ramp + z - distance) / ramp, 0, 1), z = longest * span held within [0, longest]. Add
/// penalty() times a small factor to the loss.
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
