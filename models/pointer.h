#pragma once

#include "layers/linear.h"

namespace heed {

/// A pointer to the words of the source, for a decoder whose own attention has several heads:
///   a_ij = softmax_j(W_q y_i . W_k m_j / sqrt(d))    (Vinyals et al. 2015, section 2.3)
///   gate_i = w . [y_i; sum_j a_ij m_j] + b           (See et al. 2017, equation 8)
/// with y the decoder's output and m the memory.
struct Pointer {
  Linear query;
  Linear key;
  Linear gate;

  Pointer(Index d, Random& random)
      : query(d, d, random, false), key(d, d, random, false), gate(2 * d, 1, random) {}
  void visit(Visitor& v) {
    v("query", query);
    v("key", key);
    v("gate", gate);
  }

  struct Output {
    Variable weights;  // a, (pairing.size())
    Variable gate;     // (n)
  };
  /// y (n, d); keys = key(memory), memory (m, d)
  Output operator()(const Variable& y, const Variable& keys, const Variable& memory,
                    const Pairing& pairing) const;
};

/// The distribution of a pointer-generator (See et al. 2017, equation 9), for decoding:
///   log(g softmax(logits)_w + (1 - g) sum_j a_ij [token_j = w]), g = sigmoid(gate)
/// logits (n, vocabulary), gate (n), weights a (pairing.size()), tokens (m) -> (n, columns). A
/// column from `vocabulary` on that is no token of the row's source holds Seq2Seq::never_copied.
Tensor copy_log_probabilities(const Tensor& logits, const Tensor& gate, const Tensor& weights,
                              const Pairing& pairing, const Ids& tokens, Index columns);
/// The number of columns for the vocabulary and every unknown word of these sources.
Index copy_columns(Index vocabulary, const Ids& tokens);
/// The ids that embeddings read: those from `vocabulary` on become `unknown`.
Ids known_ids(const Ids& ids, Index vocabulary, Id unknown);

}  // namespace heed
