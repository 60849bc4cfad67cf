#include "layers/attention/sentinel.h"

namespace heed {

SentinelAttention::SentinelAttention(Index input, Index d, Index hidden, Random& random)
    : gate_input(input, d, random, false),
      gate_state(d, d, random, false),
      value(d, hidden, random, false),
      state(d, hidden, random, false),
      sentinel(d, hidden, random, false),
      energy(Parameter(xavier_uniform({1, hidden}, random).reshape({hidden}))) {}

SentinelAttention::Result SentinelAttention::operator()(const Step& step, const Spans& queries,
                                                        const Memory& memory, const Spans& keys,
                                                        std::vector<Tensor>* weights) const {
  const Pairing p{.queries = queries, .keys = keys};
  const Variable s = sigmoid(gate_input(step.input) + gate_state(step.previous)) * tanh(step.cell);
  const Variable g = state(step.state);
  // (rows, 1)
  const Variable u = sum(tanh(sentinel(s) + g) * energy, {1}, true);
  const Variable w = scores_softmax(additive_scores(g, memory.keys, energy, p), u, p);
  if (weights) *weights = split(w.value(), p);
  // 1 minus the sum of the weights; a column of ones gives that sum.
  const Variable beta = 1 - weighted_values(w, Tensor::full({memory.keys.rows(), 1}, 1), p);
  return {weighted_values(w, memory.values, p) + beta * s, beta};
}

}  // namespace heed
