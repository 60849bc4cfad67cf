#include "layers/attention/multi_head.h"

#include <cmath>

namespace heed {

namespace {

/// Columns of keys and values.
Index kv_width(Index d, int heads, int kv_heads) {
  check_argument(heads >= 1 && d % heads == 0, "attention", "heads", heads,
                 "of a number that shares a width of {} evenly", d);
  check(kv_heads >= 1 && heads % kv_heads == 0, "attention",
        "expected heads of queries that those of keys divide; got {} and {}", heads, kv_heads);
  return d / heads * kv_heads;
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(Index d, Index memory, int h, int kv, Real p, Random& random)
    : heads(h),
      kv_heads(kv),
      query(d, d, random),
      key(memory, kv_width(d, h, kv), random),
      value(memory, kv_width(d, h, kv), random),
      output(d, d, random),
      dropout(p) {}

void MultiHeadAttention::visit(Visitor& v) {
  v("query", query);
  v("key", key);
  v("value", value);
  v("output", output);
  v("dropout", dropout);
}

Variable MultiHeadAttention::attend(const Variable& queries, const Spans& query_spans,
                                    const Memory& memory, const Spans& keys,
                                    const AttendOptions& options) const {
  return output(combine(query(queries), query_spans, memory, keys, options));
}

Pairing MultiHeadAttention::pairing(const Spans& queries, const Spans& keys,
                                    const AttendOptions& options) const {
  return {.heads = heads,
          .kv_heads = kv_heads,
          .queries = queries,
          .keys = keys,
          .causal = options.causal};
}

Attention MultiHeadAttention::fused(const Spans& queries, const Spans& keys,
                                    const AttendOptions& options) const {
  Attention o{.heads = heads,
              .kv_heads = kv_heads,
              .queries = queries,
              .keys = keys,
              .causal = options.causal,
              .weights = options.weights};
  if (dropout.drops()) {
    o.dropout = dropout.p;
    o.key = step_random().next_key();
  }
  return o;
}

Variable MultiHeadAttention::combine(const Variable& q, const Spans& queries, const Memory& memory,
                                     const Spans& keys, const AttendOptions& options) const {
  return weigh(q, memory.keys, memory.values, fused(queries, keys, options));
}

Variable MultiHeadAttention::weigh(const Variable& q, const Variable& k, const Variable& v,
                                   const Attention& o) const {
  if (o.queries.longest() != 1 || o.slopes.defined()) return attention(q, k, v, o);
  // A decoder step has one query a sequence. Packing keys into tiles would cost several times as
  // much as their use.
  const Pairing p{.heads = o.heads,
                  .kv_heads = o.kv_heads,
                  .queries = o.queries,
                  .keys = o.keys,
                  .causal = o.causal,
                  .window = o.window};
  const Variable weights =
      scores_softmax(dot_scores(q * (1 / std::sqrt(static_cast<Real>(head_width()))), k, p), p);
  if (o.weights) *o.weights = split(weights.value(), p);
  return weighted_values(o.dropout > 0 ? heed::dropout(weights, o.dropout, o.key) : weights, v, p);
}

LocalAttention::LocalAttention(Index d, Index memory, int h, Index w, Real p, Random& random)
    : MultiHeadAttention(d, memory, h, p, random), window(w) {
  check(w >= 1, "attention", "expected a window of at least 1; got {}", w);
}

Attention LocalAttention::fused(const Spans& queries, const Spans& keys,
                                const AttendOptions& options) const {
  Attention o = MultiHeadAttention::fused(queries, keys, options);
  o.window = window;
  return o;
}

AlibiAttention::AlibiAttention(Index d, Index memory, int h, Real p, Random& random)
    : MultiHeadAttention(d, memory, h, p, random), slopes({h}) {
  for (Index i = 0; i < h; ++i)
    slopes[i] =
        static_cast<Real>(std::exp2(-8.0 * static_cast<double>(i + 1) / static_cast<double>(h)));
}

Attention AlibiAttention::fused(const Spans& queries, const Spans& keys,
                                const AttendOptions& options) const {
  Attention o = MultiHeadAttention::fused(queries, keys, options);
  o.slopes = slopes;
  return o;
}

RotaryAttention::RotaryAttention(Index d, Index memory, int h, Real b, Real p, Random& random)
    : MultiHeadAttention(d, memory, h, p, random), base(b) {
  check(d % (2 * h) == 0 && b > 0, "attention",
        "expected a width that {} heads share in pairs, and a base above 0; got {} and {}", h, d,
        b);
}

Variable RotaryAttention::combine(const Variable& q, const Spans& queries, const Memory& memory,
                                  const Spans& keys, const AttendOptions& options) const {
  const Variable rotated = rotary(q, queries, {.heads = heads, .base = base, .end_of = keys});
  return weigh(rotated, rotary(memory.keys, keys, {.heads = heads, .base = base}), memory.values,
               fused(queries, keys, options));
}

Variable LinearAttention::combine(const Variable& q, const Spans& queries, const Memory& memory,
                                  const Spans& keys, const AttendOptions& options) const {
  return linear_attention(q, memory.keys, memory.values, pairing(queries, keys, options),
                          options.weights);
}

namespace {

/// The weights after dropout. Gives them to options.weights before.
Variable dropped(const Variable& weights, const Pairing& pairing, const Dropout& dropout,
                 const AttendOptions& options) {
  if (options.weights) *options.weights = split(weights.value(), pairing);
  return dropout(weights);
}

}  // namespace

RelativeAttention::RelativeAttention(Index d, Index memory, int h, Index r, Real p, Random& random)
    : MultiHeadAttention(d, memory, h, p, random), reach(r) {
  check(r >= 0, "attention", "expected a reach of at least 0; got {}", r);
  key_distances = Parameter(xavier_uniform({2 * r + 1, d / h}, random));
  value_distances = Parameter(xavier_uniform({2 * r + 1, d / h}, random));
}

void RelativeAttention::visit(Visitor& v) {
  MultiHeadAttention::visit(v);
  v("key_distances", key_distances);
  v("value_distances", value_distances);
}

Variable RelativeAttention::combine(const Variable& q, const Spans& queries, const Memory& memory,
                                    const Spans& keys, const AttendOptions& options) const {
  const Pairing p = pairing(queries, keys, options);
  const Index n = q.rows();
  const Index w = head_width();
  const Index entries = 2 * reach + 1;
  const Variable x = q * (1 / std::sqrt(static_cast<Real>(w)));
  // q_i a^K_r: (n heads, entries)
  const Variable by_entry = linear(reshape(x, Shape{n * heads, w}), key_distances);
  const Variable scores = dot_scores(x, memory.keys, p) +
                          by_distance(reshape(by_entry, Shape{n, heads * entries}), reach, p);
  const Variable weights = dropped(scores_softmax(scores, p), p, dropout, options);
  const Variable shares = reshape(sum_by_distance(weights, reach, p), Shape{n * heads, entries});
  return weighted_values(weights, memory.values, p) +
         reshape(matmul(shares, value_distances), Shape{n, heads * w});
}

AdaptiveSpanAttention::AdaptiveSpanAttention(Index d, Index memory, int h, Index l, Real r, Real p,
                                             Random& random)
    : MultiHeadAttention(d, memory, h, p, random),
      longest(l),
      ramp(r),
      span(Parameter(zeros({h}))) {
  check(l >= 1 && r > 0, "attention",
        "expected spans of at least 1 and a ramp above 0; got {} and {}", l, r);
}

void AdaptiveSpanAttention::visit(Visitor& v) {
  MultiHeadAttention::visit(v);
  v("span", span);
}

Variable AdaptiveSpanAttention::penalty() const {
  return mean(clamp(span, 0, 1)) * static_cast<Real>(longest);
}

Variable AdaptiveSpanAttention::combine(const Variable& q, const Spans& queries,
                                        const Memory& memory, const Spans& keys,
                                        const AttendOptions& options) const {
  const Pairing p = pairing(queries, keys, options);
  const Variable x = q * (1 / std::sqrt(static_cast<Real>(head_width())));
  // The value is clamped and the gradient is not, so that a span below 0 can grow again.
  const Variable clamped = span + (clamp(span, 0, 1) - span).detach();
  const Variable weights =
      span_softmax(dot_scores(x, memory.keys, p), clamped * static_cast<Real>(longest), ramp, p);
  return weighted_values(dropped(weights, p, dropout, options), memory.values, p);
}

}  // namespace heed
