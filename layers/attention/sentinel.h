#pragma once

#include <vector>

#include "layers/attention/attention_layer.h"
#include "layers/linear.h"

namespace heed {

/// Adaptive attention with a sentinel (Lu et al. 2017, section 2.3): the decoder may attend to what
/// it already knows, s, instead of the memory. At a step with input x, previous and new hidden
/// states h', h and cell m of an LSTM:
///   s = sigmoid(W_x x + W_h h') tanh(m)
///   z_j = w^T tanh(W_v v_j + W_g h), u = w^T tanh(W_s s + W_g h)
///   (weights, beta) = softmax over [z; u]
///   y = sum_j weight_j v_j + beta s
/// y is the paper's beta s + (1 - beta) c. The memory's rows v_j are as wide as the states.
struct SentinelAttention {
  Linear gate_input;  // W_x (d, input)
  Linear gate_state;  // W_h (d, d)
  Linear value;       // W_v (hidden, d)
  Linear state;       // W_g (hidden, d)
  Linear sentinel;    // W_s (hidden, d)
  Parameter energy;   // w (hidden)

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
    Variable input;     // x (rows, input)
    Variable previous;  // h' (rows, d)
    Variable state;     // h (rows, d)
    Variable cell;      // m (rows, d)
  };
  struct Result {
    Variable y;     // (rows, d)
    Variable beta;  // (rows, 1)
  };
  /// `weights`, where given, gets each sequence's (1, queries, keys), which sum to 1 - beta.
  Result operator()(const Step& step, const Spans& queries, const Memory& memory, const Spans& keys,
                    std::vector<Tensor>* weights = nullptr) const;
};

}  // namespace heed
