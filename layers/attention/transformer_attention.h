#pragma once

#include <vector>

#include "layers/dropout.h"
#include "layers/linear.h"

namespace heed {

/// Multi-head attention of a sequence to itself (Vaswani et al. 2017, section 3.2.2):
///   [Q, K, V] = x W^T + b
///   head_h = softmax(Q_h K_h^T / sqrt(d / heads)) V_h
///   y = concat(heads) W_o^T + b_o
/// x, y (rows, d). With `causal` a position sees itself and those before it. `weights`, where
/// given, gets each sequence's (heads, queries, keys). The constructor throws Error when the heads
/// cannot share d evenly.
struct SelfAttention {
  int heads;
  Linear input;  // W (3 d, d)
  Linear output;
  Dropout dropout;  // on the weights

  SelfAttention(Index d, int heads, Real dropout, Random& random);
  Variable operator()(const Operand& x, const Spans& spans, bool causal,
                      std::vector<Tensor>* weights = nullptr) const;
  void visit(Visitor& v) {
    v("input", input);
    v("output", output);
    v("dropout", dropout);
  }
};

/// The same from one sequence to another: Q of x, K and V of the memory. x, y (rows, d), memory
/// (memory rows, d)
struct CrossAttention {
  int heads;
  Linear query;
  Linear memory;  // K and V in one product, (2 d, d)
  Linear output;
  Dropout dropout;

  CrossAttention(Index d, int heads, Real dropout, Random& random);
  Variable operator()(const Operand& x, const Spans& spans, const Variable& memory_rows,
                      const Spans& memory_spans, std::vector<Tensor>* weights = nullptr) const;
  void visit(Visitor& v) {
    v("query", query);
    v("memory", memory);
    v("output", output);
    v("dropout", dropout);
  }
};

}  // namespace heed
