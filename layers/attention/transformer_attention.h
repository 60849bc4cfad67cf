#pragma once

#include <vector>

#include "layers/dropout.h"
#include "layers/linear.h"

namespace heed {

/// Multi-head attention of a sequence to itself (Vaswani et al. 2017, section 3.2.2):
/// head_h = softmax(Q_h K_h^T / sqrt(d / heads)) V_h with Q, K, V = x W^T + b in one product; y =
/// concat(heads) W_o^T + b_o. x, y (rows, d), the rows of each sequence given by spans; `causal`
/// lets a position see only itself and those before it.
struct SelfAttention {
  int heads;
  Linear input;
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

/// Multi-head attention from one sequence to another. x, y (rows, d); memory (memory rows, d).
struct CrossAttention {
  int heads;
  // memory: keys and values in one product
  Linear query;
  Linear memory;
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
