#include "layers/attention/multi_head.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace heed {

namespace {

/// Heads of keys and values.
int kv_heads_of(const AttentionOptions& o) { return o.kv_heads > 0 ? o.kv_heads : o.heads; }

/// Columns of keys, and of values.
Index kv_width_of(const AttentionOptions& o) {
  check_argument(o.heads >= 1 && o.query % o.heads == 0, "attention", "heads", o.heads,
                 "of a number that shares a width of {} evenly", o.query);
  check(o.kv_heads >= 0 && o.heads % kv_heads_of(o) == 0, "attention",
        "expected heads of queries that those of keys divide; got {} and {}", o.heads, o.kv_heads);
  return o.query / o.heads * kv_heads_of(o);
}

/// A layer of the products that are not fused into another one.
std::optional<Linear> product(bool needed, Index in, Index out, Random& random) {
  if (!needed) return std::nullopt;
  return Linear(in, out, random);
}

std::optional<RmsNorm> head_norm(const AttentionOptions& o) {
  if (!o.qk_norm) return std::nullopt;
  return RmsNorm(o.query / o.heads);
}

/// Rows [begin, end) of a layer's product alone.
Variable part(const Linear& layer, Index begin, Index end, const Operand& x) {
  return linear(x, slice(layer.weight, 0, begin, end), slice(layer.bias, 0, begin, end));
}

/// 2^(-8 h / heads), h = 1 ... heads
Tensor alibi_slopes(int heads) {
  Tensor slopes({heads});
  for (Index i = 0; i < heads; ++i)
    slopes[i] = static_cast<Real>(
        std::exp2(-8.0 * static_cast<double>(i + 1) / static_cast<double>(heads)));
  return slopes;
}

/// -slope_h |p_i - j| of every score.
Tensor penalties(const Tensor& slopes, const Pairing& p) {
  Tensor result({p.size()});
  Real* to = result.data();
  for (Index s = 0; s < p.queries.count(); ++s) {
    const Index n = p.queries.length(s);
    const Index m = p.keys.length(s);
    for (Index h = 0; h < p.heads; ++h)
      for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < m; ++j)
          *to++ = -slopes[h] * static_cast<Real>(std::abs(i + m - n - j));
  }
  return result;
}

void check_distances(const AttentionOptions& o) {
  check(o.window >= 0, "attention", "expected a window of at least 1, or 0 for none; got {}",
        o.window);
  check(o.distances != Distances::rotary || (o.query % (2 * o.heads) == 0 && o.base > 0),
        "attention",
        "expected a width that {} heads share in pairs, and a base above 0; got {} and {}", o.heads,
        o.query, o.base);
  check(o.distances != Distances::relative || o.reach >= 0, "attention",
        "expected a reach of at least 0; got {}", o.reach);
}

void check_weighing(const AttentionOptions& o) {
  check(o.weighing != Weighing::span || (o.longest >= 1 && o.ramp > 0), "attention",
        "expected spans of at least 1 and a ramp above 0; got {} and {}", o.longest, o.ramp);
  const bool blind = o.distances == Distances::none && o.window == 0 && kv_heads_of(o) == o.heads;
  check(o.weighing != Weighing::linear || blind, "attention",
        "expected no distances, no window and no shared keys of linear attention: it has no scores "
        "of single keys");
}

}  // namespace

// Weights are drawn in the order of the members.
MultiHeadAttention::MultiHeadAttention(const AttentionOptions& o, Random& random)
    : heads(o.heads),
      kv_heads(kv_heads_of(o)),
      weighing(o.weighing),
      distances(o.distances),
      window(o.window),
      reach(o.reach),
      base(o.base),
      longest(o.longest),
      ramp(o.ramp),
      input(product(o.fused == Fused::all, o.query, o.query + 2 * kv_width_of(o), random)),
      query(product(o.fused != Fused::all, o.query, o.query, random)),
      key(product(o.fused == Fused::none, o.memory, kv_width_of(o), random)),
      value(product(o.fused == Fused::none, o.memory, kv_width_of(o), random)),
      memory(product(o.fused == Fused::memory, o.memory, 2 * kv_width_of(o), random)),
      output(o.query, o.query, random),
      dropout(o.weighing == Weighing::linear ? 0 : o.dropout),
      query_norm(head_norm(o)),
      key_norm(head_norm(o)) {
  check(o.fused != Fused::all || o.memory == o.query, "attention",
        "expected a memory as wide as the queries for one product of both; got {} and {}", o.memory,
        o.query);
  const Index kv_rows = kv_width_of(o);
  if (input) input->weight.layout().blocks = {o.query, kv_rows, kv_rows};
  if (memory) memory->weight.layout().blocks = {kv_rows, kv_rows};
  check_distances(o);
  check_weighing(o);
  if (distances == Distances::alibi) slopes = alibi_slopes(heads);
  if (distances == Distances::relative) {
    key_distances = Parameter(xavier_uniform({2 * reach + 1, head_width()}, random));
    value_distances = Parameter(xavier_uniform({2 * reach + 1, head_width()}, random));
    key_distances.layout().table = true;
    value_distances.layout().table = true;
  }
  if (weighing == Weighing::span) span = Parameter(zeros({heads}));
}

void MultiHeadAttention::visit(Visitor& v) {
  v("input", input);
  v("query", query);
  v("key", key);
  v("value", value);
  v("memory", memory);
  v("output", output);
  v("dropout", dropout);
  v("query_norm", query_norm);
  v("key_norm", key_norm);
  v("key_distances", key_distances);
  v("value_distances", value_distances);
  v("span", span);
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
          .causal = options.causal,
          .window = window};
}

Attention MultiHeadAttention::fused(const Spans& queries, const Spans& keys,
                                    const AttendOptions& options) const {
  Attention o{.heads = heads,
              .kv_heads = kv_heads,
              .queries = queries,
              .keys = keys,
              .causal = options.causal,
              .window = window,
              .slopes = slopes,
              .weights = options.weights};
  if (dropout.drops()) {
    o.dropout = dropout.p;
    o.key = step_random().next_key();
  }
  return o;
}

Projected MultiHeadAttention::separate(const Projected& x) const {
  const Index d = width();
  const Index e = kv_width();
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

namespace {

/// x (rows, heads w) with each head normalised.
Variable normed_heads(const RmsNorm& norm, const Variable& x, Index heads) {
  const Shape shape = x.shape();
  return reshape(norm(reshape(x, Shape{x.rows() * heads, x.columns() / heads})), shape);
}

}  // namespace

Variable MultiHeadAttention::placed_queries(const Variable& queries, const Spans& rows,
                                            const Spans& end_of) const {
  const Variable q = query_norm ? normed_heads(*query_norm, queries, heads) : queries;
  if (distances != Distances::rotary) return q;
  return rotary(q, rows, {.heads = heads, .base = base, .end_of = end_of});
}

Variable MultiHeadAttention::placed_keys(const Variable& keys, const Spans& rows,
                                         const Spans& end_of) const {
  const Variable k = key_norm ? normed_heads(*key_norm, keys, kv_heads) : keys;
  if (distances != Distances::rotary) return k;
  return rotary(k, rows, {.heads = kv_heads, .base = base, .end_of = end_of});
}

Projected MultiHeadAttention::place(const Projected& x, const Spans& queries,
                                    const Spans& keys) const {
  if (!query_norm && distances != Distances::rotary) return x;
  const Projected p = separate(x);
  const Variable q = placed_queries(p.queries, queries, keys);
  const Variable k = placed_keys(p.memory.keys, keys);
  return {q, {k, p.memory.values}};
}

Variable MultiHeadAttention::combine_placed(const Projected& x, const Spans& queries,
                                            const Spans& keys, const AttendOptions& options) const {
  if (weighing == Weighing::softmax && distances != Distances::relative)
    return weigh(x, fused(queries, keys, options));
  const Pairing p = pairing(queries, keys, options);
  if (weighing != Weighing::linear) return combine_pieces(separate(x), p, options);
  const auto [q, kv] = separate(x);
  return linear_attention(q, kv.keys, kv.values, p, options.weights);
}

Variable MultiHeadAttention::scores(const Variable& scaled, const Variable& keys,
                                    const Pairing& p) const {
  const Variable products = dot_scores(scaled, keys, p);
  if (distances == Distances::alibi) return products + penalties(slopes, p);
  if (distances != Distances::relative) return products;
  // q_i a^K_r: (n heads, entries)
  const Index n = scaled.rows();
  const Variable by_entry = linear(reshape(scaled, Shape{n * heads, head_width()}), key_distances);
  return products + by_distance(reshape(by_entry, Shape{n, heads * (2 * reach + 1)}), reach, p);
}

Variable MultiHeadAttention::weights_of(const Variable& scores, const Pairing& p,
                                        const AttendOptions& options) const {
  Variable weights;
  if (weighing == Weighing::span) {
    // The value is clamped and the gradient is not, so that a span below 0 can grow again.
    const Variable clamped = span + (clamp(span, 0, 1) - span).detach();
    weights = span_softmax(scores, clamped * static_cast<Real>(longest), ramp, p);
  } else {
    weights = scores_softmax(scores, p);
  }
  if (options.weights) *options.weights = split(weights.value(), p);
  return dropout(weights);
}

Variable MultiHeadAttention::combine_pieces(const Projected& x, const Pairing& p,
                                            const AttendOptions& options) const {
  const auto& [q, kv] = x;
  const Variable scaled = q * (1 / std::sqrt(static_cast<Real>(head_width())));
  const Variable weights = weights_of(scores(scaled, kv.keys, p), p, options);
  const Variable values = weighted_values(weights, kv.values, p);
  if (distances != Distances::relative) return values;
  const Index n = q.rows();
  const Index entries = 2 * reach + 1;
  const Variable shares = reshape(sum_by_distance(weights, reach, p), Shape{n * heads, entries});
  return values + reshape(matmul(shares, value_distances), Shape{n, heads * head_width()});
}

Variable MultiHeadAttention::penalty() const {
  if (weighing != Weighing::span) return {};
  return mean(clamp(span, 0, 1)) * static_cast<Real>(longest);
}

bool MultiHeadAttention::is_plain() const {
  return weighing == Weighing::softmax && distances == Distances::none && kv_heads == heads &&
         window == 0 && !query_norm;
}

Index MultiHeadAttention::sight() const {
  if (weighing != Weighing::span) return window;
  Real widest = 0;
  for (const Real z : span.value().span())
    widest = std::max(widest, std::clamp(z, Real{0}, Real{1}) * static_cast<Real>(longest));
  return static_cast<Index>(std::ceil(widest + ramp));
}

namespace {

AttentionOptions of_self(AttentionOptions o) {
  o.memory = o.query;
  o.fused = Fused::all;
  return o;
}

AttentionOptions of_cross(AttentionOptions o) {
  o.fused = Fused::memory;
  o.window = 0;
  o.distances = Distances::none;
  if (o.weighing == Weighing::span) o.weighing = Weighing::softmax;
  return o;
}

}  // namespace

SelfAttention::SelfAttention(AttentionOptions o, Random& random)
    : MultiHeadAttention(of_self(o), random) {}

CrossAttention::CrossAttention(AttentionOptions o, Random& random)
    : MultiHeadAttention(of_cross(o), random) {}

}  // namespace heed
