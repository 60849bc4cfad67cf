#include "layers/attention/scored.h"

namespace heed {

Variable ScoredAttention::attend(const Variable& queries, const Spans& query_spans,
                                 const Memory& memory, const Spans& keys,
                                 const AttendOptions& options) const {
  const Pairing pairing{.queries = query_spans, .keys = keys, .causal = options.causal};
  const Variable weights =
      scores_softmax(scores(queries, memory.keys, pairing, options.covered), pairing);
  if (options.flat_weights) *options.flat_weights = weights;
  if (options.weights) *options.weights = split(weights.value(), pairing);
  return weighted_values(weights, memory.values, pairing);
}

namespace {

Parameter energy_of(Index hidden, Random& random) {
  return Parameter(xavier_uniform({1, hidden}, random).reshape({hidden}));
}

}  // namespace

AdditiveAttention::AdditiveAttention(Index q, Index memory, Index hidden, Random& random,
                                     bool with_coverage)
    : ScoredAttention(memory),
      query(q, hidden, random, false),
      key(memory, hidden, random),
      energy(energy_of(hidden, random)) {
  if (with_coverage) coverage = energy_of(hidden, random);
}

Memory AdditiveAttention::remember(const Variable& memory, const Spans&) const {
  return {key(memory), memory};
}

Variable AdditiveAttention::scores(const Variable& queries, const Variable& keys,
                                   const Pairing& pairing, const Variable& covered) const {
  check(covered.defined() <= coverage.defined(), "attention",
        "expected a layer made with coverage");
  if (!covered.defined()) return additive_scores(query(queries), keys, energy, pairing);
  return additive_scores(query(queries), keys, energy, covered, coverage, pairing);
}

ConcatAttention::ConcatAttention(Index q, Index memory, Index hidden, Random& random)
    : ScoredAttention(memory),
      query(q, hidden, random, false),
      key(memory, hidden, random, false),
      energy(energy_of(hidden, random)) {}

Memory ConcatAttention::remember(const Variable& memory, const Spans&) const {
  return {key(memory), memory};
}

Variable ConcatAttention::scores(const Variable& queries, const Variable& keys,
                                 const Pairing& pairing, const Variable&) const {
  return additive_scores(query(queries), keys, energy, pairing);
}

DotAttention::DotAttention(Index q, Index memory) : ScoredAttention(memory) {
  check(q == memory, "attention",
        "expected queries as wide as the memory for dot scores; got {} and {}", q, memory);
}

Memory DotAttention::remember(const Variable& memory, const Spans&) const {
  return {memory, memory};
}

Variable DotAttention::scores(const Variable& queries, const Variable& keys, const Pairing& pairing,
                              const Variable&) const {
  return dot_scores(queries, keys, pairing);
}

Memory GeneralAttention::remember(const Variable& memory, const Spans&) const {
  return {key(memory), memory};
}

Variable GeneralAttention::scores(const Variable& queries, const Variable& keys,
                                  const Pairing& pairing, const Variable&) const {
  return dot_scores(queries, keys, pairing);
}

}  // namespace heed
