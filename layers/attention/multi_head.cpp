#include "layers/attention/multi_head.h"

#include <cmath>

namespace heed {

namespace {

/// Columns of keys, and of values.
Index kv_width(const AttentionOptions& o, int kv_heads) {
  check_argument(o.heads >= 1 && o.query % o.heads == 0, "attention", "heads", o.heads,
                 "of a number that shares a width of {} evenly", o.query);
  check(kv_heads >= 1 && o.heads % kv_heads == 0, "attention",
        "expected heads of queries that those of keys divide; got {} and {}", o.heads, kv_heads);
  return o.query / o.heads * kv_heads;
}

/// A layer of the products that are not fused into another one.
std::optional<Linear> product(bool needed, Index in, Index out, Random& random) {
  if (!needed) return std::nullopt;
  return Linear(in, out, random);
}

/// Rows [begin, end) of a layer's product alone.
Variable part(const Linear& layer, Index begin, Index end, const Operand& x) {
  return linear(x, slice(layer.weight, 0, begin, end), slice(layer.bias, 0, begin, end));
}

int groups(const AttentionOptions& o) {
  if (o.kv_heads > 0) return o.kv_heads;
  return o.heads % 2 == 0 ? o.heads / 2 : 1;
}

AttentionOptions without_dropout(AttentionOptions o) {
  o.dropout = 0;
  return o;
}

}  // namespace

// Weights are drawn in the order of the members.
MultiHeadAttention::MultiHeadAttention(const AttentionOptions& o, int kv, Random& random)
    : heads(o.heads),
      kv_heads(kv),
      input(product(o.fused == Fused::all, o.query, o.query + 2 * kv_width(o, kv), random)),
      query(product(o.fused != Fused::all, o.query, o.query, random)),
      key(product(o.fused == Fused::none, o.memory, kv_width(o, kv), random)),
      value(product(o.fused == Fused::none, o.memory, kv_width(o, kv), random)),
      memory(product(o.fused == Fused::memory, o.memory, 2 * kv_width(o, kv), random)),
      output(o.query, o.query, random),
      dropout(o.dropout) {
  check(o.fused != Fused::all || o.memory == o.query, "attention",
        "expected a memory as wide as the queries for one product of both; got {} and {}", o.memory,
        o.query);
  const Index kv_rows = kv_width(o, kv);
  if (input) input->weight.layout().blocks = {o.query, kv_rows, kv_rows};
  if (memory) memory->weight.layout().blocks = {kv_rows, kv_rows};
}

void MultiHeadAttention::visit(Visitor& v) {
  v("input", input);
  v("query", query);
  v("key", key);
  v("value", value);
  v("memory", memory);
  v("output", output);
  v("dropout", dropout);
}

Memory MultiHeadAttention::remember(const Variable& rows, const Spans&) const {
  if (input) return {part(*input, width(), input->weight.shape()[0], rows), {}};
  if (memory) return {(*memory)(rows), {}};
  return {(*key)(rows), (*value)(rows)};
}

Variable MultiHeadAttention::attend(const Variable& queries, const Spans& query_spans,
                                    const Memory& remembered, const Spans& keys,
                                    const AttendOptions& options) const {
  const Variable q = input ? part(*input, 0, width(), queries) : (*query)(queries);
  return output(combine({q, remembered}, query_spans, keys, options));
}

Projected MultiHeadAttention::project(const Operand& x, const Spans& spans) const {
  if (input) return {(*input)(x), {}};
  // The memory comes first: a gradient of x is summed in the order of its uses.
  const Memory remembered = remember(x, spans);
  return {(*query)(x), remembered};
}

Variable MultiHeadAttention::operator()(const Operand& x, const Spans& spans,
                                        const AttendOptions& options) const {
  return output(combine(project(x, spans), spans, spans, options));
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

Variable MultiHeadAttention::combine(const Projected& x, const Spans& queries, const Spans& keys,
                                     const AttendOptions& options) const {
  return weigh(x, fused(queries, keys, options));
}

Projected MultiHeadAttention::separate(const Projected& x) const {
  const Index d = width();
  const Index e = head_width() * kv_heads;
  const auto columns = [](const Variable& y, Index begin, Index n) {
    return slice(y, 1, begin, begin + n);
  };
  if (x.memory.values.defined()) return x;
  if (x.memory.keys.defined())
    return {x.queries, {columns(x.memory.keys, 0, e), columns(x.memory.keys, e, e)}};
  return {columns(x.queries, 0, d), {columns(x.queries, d, e), columns(x.queries, d + e, e)}};
}

Variable MultiHeadAttention::weigh(const Projected& x, const Attention& o) const {
  const Variable& q = x.queries;
  const Variable& k = x.memory.keys;
  const Variable& v = x.memory.values;
  if (!k.defined()) return attention(q, o);
  if (!v.defined()) return attention(q, k, o);
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

GroupedQueryAttention::GroupedQueryAttention(const AttentionOptions& o, Random& random)
    : MultiHeadAttention(o, groups(o), random) {}

LocalAttention::LocalAttention(const AttentionOptions& o, Random& random)
    : MultiHeadAttention(o, random), window(o.window) {
  check(window >= 1, "attention", "expected a window of at least 1; got {}", window);
}

Attention LocalAttention::fused(const Spans& queries, const Spans& keys,
                                const AttendOptions& options) const {
  Attention o = MultiHeadAttention::fused(queries, keys, options);
  o.window = window;
  return o;
}

AlibiAttention::AlibiAttention(const AttentionOptions& o, Random& random)
    : MultiHeadAttention(o, random), slopes({o.heads}) {
  const auto count = static_cast<double>(o.heads);
  for (Index i = 0; i < o.heads; ++i)
    slopes[i] = static_cast<Real>(std::exp2(-8.0 * static_cast<double>(i + 1) / count));
}

Attention AlibiAttention::fused(const Spans& queries, const Spans& keys,
                                const AttendOptions& options) const {
  Attention o = MultiHeadAttention::fused(queries, keys, options);
  o.slopes = slopes;
  return o;
}

RotaryAttention::RotaryAttention(const AttentionOptions& o, Random& random)
    : MultiHeadAttention(o, random), base(o.base) {
  check(o.query % (2 * o.heads) == 0 && base > 0, "attention",
        "expected a width that {} heads share in pairs, and a base above 0; got {} and {}", o.heads,
        o.query, base);
}

Variable RotaryAttention::combine(const Projected& x, const Spans& queries, const Spans& keys,
                                  const AttendOptions& options) const {
  const Projected p = separate(x);
  const Variable q = rotary(p.queries, queries, {.heads = heads, .base = base, .end_of = keys});
  const Variable k = rotary(p.memory.keys, keys, {.heads = heads, .base = base});
  return weigh({q, {k, p.memory.values}}, fused(queries, keys, options));
}

LinearAttention::LinearAttention(const AttentionOptions& o, Random& random)
    : MultiHeadAttention(without_dropout(o), random) {}

Variable LinearAttention::combine(const Projected& x, const Spans& queries, const Spans& keys,
                                  const AttendOptions& options) const {
  const Projected p = separate(x);
  return linear_attention(p.queries, p.memory.keys, p.memory.values,
                          pairing(queries, keys, options), options.weights);
}

namespace {

/// The weights after dropout. Gives them to options.weights before.
Variable dropped(const Variable& weights, const Pairing& pairing, const Dropout& dropout,
                 const AttendOptions& options) {
  if (options.weights) *options.weights = split(weights.value(), pairing);
  return dropout(weights);
}

}  // namespace

RelativeAttention::RelativeAttention(const AttentionOptions& o, Random& random)
    : MultiHeadAttention(o, random), reach(o.reach) {
  check(reach >= 0, "attention", "expected a reach of at least 0; got {}", reach);
  key_distances = Parameter(xavier_uniform({2 * reach + 1, head_width()}, random));
  value_distances = Parameter(xavier_uniform({2 * reach + 1, head_width()}, random));
  key_distances.layout().table = true;
  value_distances.layout().table = true;
}

void RelativeAttention::visit(Visitor& v) {
  MultiHeadAttention::visit(v);
  v("key_distances", key_distances);
  v("value_distances", value_distances);
}

Variable RelativeAttention::combine(const Projected& projected, const Spans& queries,
                                    const Spans& keys, const AttendOptions& options) const {
  const auto [q, kv] = separate(projected);
  const Pairing p = pairing(queries, keys, options);
  const Index n = q.rows();
  const Index w = head_width();
  const Index entries = 2 * reach + 1;
  const Variable x = q * (1 / std::sqrt(static_cast<Real>(w)));
  // q_i a^K_r: (n heads, entries)
  const Variable by_entry = linear(reshape(x, Shape{n * heads, w}), key_distances);
  const Variable scores = dot_scores(x, kv.keys, p) +
                          by_distance(reshape(by_entry, Shape{n, heads * entries}), reach, p);
  const Variable weights = dropped(scores_softmax(scores, p), p, dropout, options);
  const Variable shares = reshape(sum_by_distance(weights, reach, p), Shape{n * heads, entries});
  return weighted_values(weights, kv.values, p) +
         reshape(matmul(shares, value_distances), Shape{n, heads * w});
}

AdaptiveSpanAttention::AdaptiveSpanAttention(const AttentionOptions& o, Random& random)
    : MultiHeadAttention(o, random),
      longest(o.longest),
      ramp(o.ramp),
      span(Parameter(zeros({o.heads}))) {
  check(longest >= 1 && ramp > 0, "attention",
        "expected spans of at least 1 and a ramp above 0; got {} and {}", longest, ramp);
}

void AdaptiveSpanAttention::visit(Visitor& v) {
  MultiHeadAttention::visit(v);
  v("span", span);
}

Variable AdaptiveSpanAttention::penalty() const {
  return mean(clamp(span, 0, 1)) * static_cast<Real>(longest);
}

Variable AdaptiveSpanAttention::combine(const Projected& projected, const Spans& queries,
                                        const Spans& keys, const AttendOptions& options) const {
  const auto [q, kv] = separate(projected);
  const Pairing p = pairing(queries, keys, options);
  const Variable x = q * (1 / std::sqrt(static_cast<Real>(head_width())));
  // The value is clamped and the gradient is not, so that a span below 0 can grow again.
  const Variable clamped = span + (clamp(span, 0, 1) - span).detach();
  const Variable weights =
      span_softmax(dot_scores(x, kv.keys, p), clamped * static_cast<Real>(longest), ramp, p);
  return weighted_values(dropped(weights, p, dropout, options), kv.values, p);
}

}  // namespace heed
