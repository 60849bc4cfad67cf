#include "layers/attention/co_attention.h"

namespace heed {

namespace {

Parameter energy_of(Index hidden, Random& random) {
  return Parameter(xavier_uniform({1, hidden}, random).reshape({hidden}));
}

/// The mean of each sequence's rows x, weighted by softmax(energy . map): (sequences, columns of x)
Variable pooled(const Variable& x, const Spans& spans, const Variable& map, const Parameter& energy,
                std::vector<Tensor>* weights) {
  const Pairing p{
      .queries = Spans::packed(std::vector<Index>(static_cast<std::size_t>(spans.count()), 1)),
      .keys = spans};
  const Variable scores =
      dot_scores(broadcast_to(energy, Shape{spans.count(), energy.value().size()}), map, p);
  const Variable w = scores_softmax(scores, p);
  if (weights) *weights = split(w.value(), p);
  return weighted_values(w, x, p);
}

}  // namespace

CoAttention::CoAttention(Index a, Index b, Index hidden, Random& random)
    : affinity(b, a, random, false),
      first(a, hidden, random, false),
      second(b, hidden, random, false),
      energy_a(energy_of(hidden, random)),
      energy_b(energy_of(hidden, random)) {}

CoAttention::Result CoAttention::operator()(const Variable& a, const Spans& a_spans,
                                            const Variable& b, const Spans& b_spans,
                                            std::vector<Tensor>* a_weights,
                                            std::vector<Tensor>* b_weights) const {
  const Pairing p{.queries = a_spans, .keys = b_spans};
  const Variable c = tanh(dot_scores(a, affinity(b), p));
  const Variable x = first(a);
  const Variable y = second(b);
  const Variable a_map = tanh(x + weighted_values(c, y, p));
  const Variable b_map = tanh(y + weighted_queries(c, x, p));
  return {pooled(a, a_spans, a_map, energy_a, a_weights),
          pooled(b, b_spans, b_map, energy_b, b_weights)};
}

}  // namespace heed
