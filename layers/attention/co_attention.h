#pragma once

#include <vector>

#include "layers/linear.h"

namespace heed {

/// Parallel co-attention of two sequences (Lu et al. 2016, section 3.3), here texts a and b with
/// rows a_i and b_j:
///   C_ij = tanh(a_i^T W b_j)
///   H^a_i = tanh(W_a a_i + sum_j C_ij W_b b_j), H^b_j = tanh(W_b b_j + sum_i C_ij W_a a_i)
///   weights = softmax_i(w_a^T H^a_i), a = sum_i weight_i a_i, and b alike.
/// Rows (.., da) and (.., db) of as many sequences. A sequence without rows gives zeros, and adds
/// nothing to its partner's maps.
struct CoAttention {
  Linear affinity;  // W: (da, db)
                    // W_a (hidden, da), W_b (hidden, db)
  Linear first;
  Linear second;
  // w_a, w_b (hidden)
  Parameter energy_a;
  Parameter energy_b;

  CoAttention(Index a, Index b, Index hidden, Random& random);
  void visit(Visitor& v) {
    v("affinity", affinity);
    v("first", first);
    v("second", second);
    v("energy_a", energy_a);
    v("energy_b", energy_b);
  }

  struct Result {
    // (sequences, da) and (sequences, db)
    Variable a;
    Variable b;
  };
  /// Weights where asked for: each sequence's (1, 1, length).
  Result operator()(const Variable& a, const Spans& a_spans, const Variable& b,
                    const Spans& b_spans, std::vector<Tensor>* a_weights = nullptr,
                    std::vector<Tensor>* b_weights = nullptr) const;
};

}  // namespace heed
