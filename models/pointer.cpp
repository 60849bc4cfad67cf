#include "models/pointer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/seq2seq.h"

namespace heed {

Pointer::Output Pointer::operator()(const Variable& y, const Variable& keys, const Variable& memory,
                                    const Pairing& pairing) const {
  const Real scale = 1 / std::sqrt(static_cast<Real>(y.columns()));
  const Variable weights = scores_softmax(dot_scores(query(y) * scale, keys, pairing), pairing);
  // (n, 1)
  const Variable column = gate(concat({y, weighted_values(weights, memory, pairing)}, 1));
  return {weights, reshape(column, {column.rows()})};
}

Tensor copy_log_probabilities(const Tensor& logits, const Tensor& gate, const Tensor& weights,
                              const Pairing& pairing, const Ids& tokens, Index columns) {
  const Tape::Pause pause;
  const Index n = logits.rows();
  const Index vocabulary = logits.columns();
  const Tensor generated = softmax(logits).value();
  Tensor p = Tensor::zeros({n, columns});
  const Real* weight = weights.data();
  for (Index sequence = 0; sequence < pairing.queries.count(); ++sequence) {
    const Id* words = tokens.data() + pairing.keys.begin(sequence);
    for (Index i = 0; i < pairing.queries.length(sequence); ++i) {
      const Index row = pairing.queries.begin(sequence) + i;
      const Real g = 1 / (1 + std::exp(-gate[row]));
      Real* to = p.data() + row * columns;
      for (Index c = 0; c < vocabulary; ++c)
        to[c] = g * generated[row * vocabulary + c];
      for (Index j = 0; j < pairing.keys.length(sequence); ++j)
        to[words[j]] += (1 - g) * *weight++;
    }
  }
  Tensor y = log(p + std::numeric_limits<Real>::min()).value();
  for (Index row = 0; row < n; ++row)
    for (Index c = vocabulary; c < columns; ++c)
      if (p[row * columns + c] == 0) y[row * columns + c] = Seq2Seq::never_copied;
  return y;
}

Index copy_columns(Index vocabulary, const Ids& tokens) {
  Index columns = vocabulary;
  for (Id id : tokens.span())
    columns = std::max(columns, static_cast<Index>(id) + 1);
  return columns;
}

Ids known_ids(const Ids& ids, Index vocabulary, Id unknown) {
  Ids known = ids.clone();
  for (Id& id : known.span())
    if (id >= vocabulary) id = unknown;
  return known;
}

}  // namespace heed
