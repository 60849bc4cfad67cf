#pragma once

#include <vector>

#include "layers/attention/attention_layer.h"
#include "layers/linear.h"

namespace heed {

/// Adaptive attention with a sentinel (Lu et al. 2017, section 2.3): a decoder that need not look.
/// At a step with input x, previous and new hidden states h', h and memory cell m of an LSTM,
///   s = sigmoid(W_x x + W_h h') tanh(m)                          what the decoder knows already
///   z_j = w^T tanh(W_v v_j + W_g h), u = w^T tanh(W_s s + W_g h)
///   (weights, beta) = softmax over [z; u],  y = sum_j weight_j v_j + beta s
/// which is the paper's beta s + (1 - beta) c. Memory rows v_j are as wide as the states.
struct SentinelAttention {
  // W_x, W_h
  Linear gate_input;
  Linear gate_state;
  // W_v, W_g, W_s, to `hidden` columns
  Linear value;
  Linear state;
  Linear sentinel;
  Parameter energy;  // w (hidden)

  SentinelAttention(Index input, Index d, Index hidden, Random& random);
  void visit(Visitor& v) {
    v("gate_input", gate_input);
    v("gate_state", gate_state);
    v("value", value);
    v("state", state);
    v("sentinel", sentinel);
    v("energy", energy);
  }

  Memory remember(const Variable& memory) const { return {value(memory), memory}; }
  struct Step {
    Variable input;  // x (rows, input)
                     // h', h (rows, d)
    Variable previous;
    Variable state;
    Variable cell;  // m (rows, d)
  };
  struct Result {
    // (rows, d), (rows, 1)
    Variable y;
    Variable beta;
  };
  /// `weights`, where asked for: each sequence's (1, queries, keys), summing to 1 - beta.
  Result operator()(const Step& step, const Spans& queries, const Memory& memory, const Spans& keys,
                    std::vector<Tensor>* weights = nullptr) const;
};

}  // namespace heed
