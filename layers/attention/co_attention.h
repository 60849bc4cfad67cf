#pragma once

#include <vector>

#include "layers/linear.h"

namespace heed {

/// Parallel co-attention of two sequences with rows a_i and b_j (Lu et al. 2016, section 3.3):
///   C_ij = tanh(a_i^T W b_j)
///   H^a_i = tanh(W_a a_i + sum_j C_ij W_b b_j)
///   H^b_j = tanh(W_b b_j + sum_i C_ij W_a a_i)
///   a = sum_i weight_i a_i, weights = softmax_i(w_a^T H^a_i), and b in the same way
/// a (rows, da), b (rows, db), of the same number of sequences. A sequence without rows gives zeros
/// and adds nothing to the other's H.
struct CoAttention {
  Linear affinity;     // W (da, db)
  Linear first;        // W_a (hidden, da)
  Linear second;       // W_b (hidden, db)
  Parameter energy_a;  // w_a (hidden)
  Parameter energy_b;  // w_b (hidden)

  CoAttention(Index a, Index b, Index hidden, Random& random);
  void visit(Visitor& v) {
    v("affinity", affinity);
    v("first", first);
    v("second", second);
    v("energy_a", energy_a);
    v("energy_b", energy_b);
  }

  struct Result {
    Variable a;  // (sequences, da)
    Variable b;  // (sequences, db)
  };
  /// `a_weights` and `b_weights`, where given, get each sequence's (1, 1, length).
  Result operator()(const Variable& a, const Spans& a_spans, const Variable& b,
                    const Spans& b_spans, std::vector<Tensor>* a_weights = nullptr,
                    std::vector<Tensor>* b_weights = nullptr) const;
};

}  // namespace heed
