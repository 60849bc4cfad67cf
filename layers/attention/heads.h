#pragma once

#include "layers/attention/attention_layer.h"
#include "layers/dropout.h"
#include "layers/linear.h"

namespace heed {

/// Scaled dot-product attention with several heads (Vaswani et al. 2017, section 3.2), computed by the fused op:
/// head_h = softmax(Q_h K_h^T / sqrt(d / heads)) V_h, y = concat(heads) W_o^T + b_o, with Q = q W_q^T + b_q, and K, V alike of the
/// memory. q, y (rows, d), memory (rows, memory).
struct MultiHeadAttention : AttentionLayer {
  int heads;
  Linear query, key, value, output;
  Dropout dropout;  // on the weights

  MultiHeadAttention(Index d, Index memory, int heads, Real dropout, Random& random);
  void visit(Visitor& v) override;
  Index width() const override { return output.weight.shape()[0]; }
  Memory remember(const Variable& memory, const Spans&) const override { return {key(memory), value(memory)}; }
  Variable attend(const Variable& queries, const Spans& query_spans, const Memory& memory, const Spans& keys,
                  const AttendOptions& options = {}) const override;
};

}  // namespace heed
