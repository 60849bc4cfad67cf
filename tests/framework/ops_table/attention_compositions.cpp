#include <algorithm>
#include <cmath>

#include "tests/framework/ops_table/compositions.h"

// Attention, whole and in pieces, from plain ops: batched products over (sequences, heads) that
// keep every score. The sequences of a batch have equal lengths here.
// tests/framework/attention_test.cpp has unequal ones.

namespace heed::test {

namespace {

/// `count` sequences of n queries and m keys, with d columns.
struct Extents {
  const char* what;
  Index count;
  Index n;
  Index m;
  Index d;
  int heads;

  Spans queries() const {
    return Spans::packed(std::vector<Index>(static_cast<std::size_t>(count), n));
  }
  Spans keys() const {
    return Spans::packed(std::vector<Index>(static_cast<std::size_t>(count), m));
  }
  Pairing pairing(bool causal = false, int h = 0) const {
    return {.heads = h > 0 ? h : heads, .queries = queries(), .keys = keys(), .causal = causal};
  }
  /// The key at the place of query i: the last query and the last key are at the same place.
  Index place(Index i) const { return i + m - n; }
};

/// (sequences * rows, heads * w) -> (sequences, heads, rows, w)
Variable split_heads(const Variable& x, Index count, int heads) {
  return permute(reshape(x, {count, x.rows() / count, heads, x.columns() / heads}), {0, 2, 1, 3});
}
/// The inverse of split_heads.
Variable join_heads(const Variable& x) {
  const Index count = x.extent(0);
  const Index heads = x.extent(1);
  const Index rows = x.extent(2);
  const Index w = x.extent(3);
  return reshape(permute(x, {0, 2, 1, 3}), {count * rows, heads * w});
}

/// (n, m): 1 where a query does not see a key.
Tensor hidden_keys(const Extents& e, bool causal, Index window) {
  Tensor hidden({e.n, e.m});
  for (Index i = 0; i < e.n; ++i)
    for (Index j = 0; j < e.m; ++j)
      hidden[i * e.m + j] = static_cast<Real>((causal && j > e.place(i)) ||
                                              (window > 0 && std::abs(e.place(i) - j) >= window));
  return hidden;
}
/// (n, m): how far each key is from the place of a query.
Tensor distances(const Extents& e) {
  Tensor result({e.n, e.m});
  for (Index i = 0; i < e.n; ++i)
    for (Index j = 0; j < e.m; ++j)
      result[i * e.m + j] = static_cast<Real>(std::abs(e.place(i) - j));
  return result;
}

/// The softmax of scores, with zeros where `hidden` is 1 and where a query sees no key.
Variable hide(const Variable& scores, const Tensor& hidden) {
  return masked_fill(softmax(masked_fill(scores, hidden, Real(-1e30))), hidden, 0);
}

void add_fused(std::vector<Composition>& t, const Extents& e, bool causal, Index window = 0,
               const Tensor& slopes = {}) {
  const Attention o{.heads = e.heads,
                    .queries = e.queries(),
                    .keys = e.keys(),
                    .causal = causal,
                    .window = window,
                    .slopes = slopes};
  const Tensor hidden = hidden_keys(e, causal, window);
  const Tensor far = distances(e);
  const Real scale = 1 / std::sqrt(static_cast<Real>(e.d / e.heads));
  std::string what = e.what;
  if (causal) what += ", causal";
  if (window > 0) what += ", window";
  if (slopes.defined()) what += ", slopes";
  const auto fused = [=](Xs x) { return attention(x[0], x[1], x[2], o); };
  const auto composed = [=](Xs x) {
    const auto part = [&](const Variable& y) { return split_heads(y, e.count, e.heads); };
    Variable scores = matmul(part(x[0]), part(x[1]), {.b = true}) * scale;
    if (slopes.defined())
      scores = scores - Variable(slopes.reshape({slopes.size(), 1, 1})) * Variable(far);
    const bool hides = causal || window > 0;
    return join_heads(matmul(hides ? hide(scores, hidden) : softmax(scores), part(x[2])));
  };
  t.push_back({"attention",
               what,
               {{e.count * e.n, e.d}, {e.count * e.m, e.d}, {e.count * e.m, e.d}},
               fused,
               composed});
}

void add_linear_attention(std::vector<Composition>& t, const Extents& e, bool causal) {
  const Pairing p = e.pairing(causal);
  const Tensor hidden = hidden_keys(e, causal, 0);
  // elu(x) + 1
  const auto feature = [](const Variable& x) { return relu(x) + exp(minimum(x, 0)); };
  const auto fused = [=](Xs x) { return linear_attention(x[0], x[1], x[2], p); };
  const auto composed = [=](Xs x) {
    const auto part = [&](const Variable& y) { return split_heads(y, e.count, e.heads); };
    const Variable products = matmul(feature(part(x[0])), feature(part(x[1])), {.b = true});
    const Variable a = masked_fill(products, hidden, 0);
    return join_heads(matmul(a, part(x[2])) / sum(a, {3}, true));
  };
  t.push_back(within(4, {"linear_attention",
                         fmt::format("{}{}", e.what, causal ? ", causal" : ""),
                         {{e.count * e.n, e.d}, {e.count * e.m, e.d}, {e.count * e.m, e.d}},
                         fused,
                         composed}));
}

/// Attention of one head whose scores are v . tanh(q + k).
void add_additive(std::vector<Composition>& t, const Extents& e) {
  const Pairing p = e.pairing(false, 1);
  const Shape queries{e.count * e.n, e.d};
  const Shape keys{e.count * e.m, e.d};
  const Shape scores{e.count * e.n * e.m};
  const auto inside = [=](Xs x) {
    return reshape(x[0], {e.count, e.n, 1, e.d}) + reshape(x[1], {e.count, 1, e.m, e.d});
  };
  const auto fused = [=](Xs x) { return additive_scores(x[0], x[1], x[2], p); };
  const auto composed = [=](Xs x) { return reshape(sum(tanh(inside(x)) * x[2], {3}), scores); };
  t.push_back(within(4, {"additive_scores", e.what, {queries, keys, {e.d}}, fused, composed}));

  const auto fused_coverage = [=](Xs x) {
    return additive_scores(x[0], x[1], x[2], x[3], x[4], p);
  };
  const auto composed_coverage = [=](Xs x) {
    const Variable covered = reshape(x[3], {e.count, e.n, e.m, 1}) * x[4];
    return reshape(sum(tanh(inside(x) + covered) * x[2], {3}), scores);
  };
  t.push_back(within(4, {"additive_scores",
                         fmt::format("{}, coverage", e.what),
                         {queries, keys, {e.d}, scores, {e.d}},
                         fused_coverage,
                         composed_coverage}));
}

/// What the pieces of attention have in common: shapes, and scores as (sequences, heads, n, m).
struct Pieces {
  Extents e;
  Shape queries;
  Shape keys;
  Shape scores;

  explicit Pieces(const Extents& extents)
      : e(extents),
        queries{e.count * e.n, e.d},
        keys{e.count * e.m, e.d},
        scores{e.pairing().size()} {}
  Variable heads(const Variable& y) const { return split_heads(y, e.count, e.heads); }
  Variable blocks(const Variable& y) const { return reshape(y, {e.count, e.heads, e.n, e.m}); }
};

void add_products(std::vector<Composition>& t, const Pieces& s) {
  const Pairing p = s.e.pairing();
  const std::string what = s.e.what;
  t.push_back(
      {"dot_scores",
       what,
       {s.queries, s.keys},
       [=](Xs x) { return dot_scores(x[0], x[1], p); },
       [=](Xs x) { return reshape(matmul(s.heads(x[0]), s.heads(x[1]), {.b = true}), s.scores); }});
  const auto values = [=](Xs x) { return weighted_values(x[0], x[1], p); };
  const auto composed_values = [=](Xs x) {
    return join_heads(matmul(s.blocks(x[0]), s.heads(x[1])));
  };
  t.push_back(within(4, {"weighted_values", what, {s.scores, s.keys}, values, composed_values}));
  const auto queries = [=](Xs x) { return weighted_queries(x[0], x[1], p); };
  const auto composed_queries = [=](Xs x) {
    return join_heads(matmul(s.blocks(x[0]), s.heads(x[1]), {.a = true}));
  };
  t.push_back(
      within(4, {"weighted_queries", what, {s.scores, s.queries}, queries, composed_queries}));
}

void add_softmaxes(std::vector<Composition>& t, const Pieces& s, bool causal) {
  const Extents e = s.e;
  const Pairing p = e.pairing(causal);
  const Tensor hidden = hidden_keys(e, causal, 0);
  const std::string what = fmt::format("{}{}", e.what, causal ? ", causal" : "");
  const auto fused = [=](Xs x) { return scores_softmax(x[0], p); };
  const auto composed = [=](Xs x) {
    const Variable blocks = s.blocks(x[0]);
    return reshape(causal ? hide(blocks, hidden) : softmax(blocks), s.scores);
  };
  t.push_back({"scores_softmax", what, {s.scores}, fused, composed});

  const auto fused_rest = [=](Xs x) { return scores_softmax(x[0], x[1], p); };
  const auto composed_rest = [=](Xs x) {
    const Variable rest = permute(reshape(x[1], {e.count, e.n, e.heads, 1}), {0, 2, 1, 3});
    const Variable seen = masked_fill(s.blocks(x[0]), hidden, Real(-1e30));
    return reshape(slice(softmax(concat({seen, rest}, 3)), 3, 0, e.m), s.scores);
  };
  t.push_back({"scores_softmax",
               what + ", rest",
               {s.scores, {e.count * e.n, e.heads}},
               fused_rest,
               composed_rest});
}

void add_span_softmax(std::vector<Composition>& t, const Pieces& s) {
  const Pairing p = s.e.pairing();
  const Index heads = s.e.heads;
  const Tensor far = distances(s.e);
  const Real ramp = 4;
  const auto fused = [=](Xs x) { return span_softmax(x[0], x[1], ramp, p); };
  const auto composed = [=](Xs x) {
    const Variable reach = reshape(x[1], {heads, 1, 1});
    const Variable seen = clamp((reach + ramp - Variable(far)) / ramp, 0, 1);
    const Variable weight = exp(s.blocks(x[0])) * seen;
    return reshape(weight / sum(weight, {3}, true), s.scores);
  };
  t.push_back(within(4, {"span_softmax", s.e.what, {s.scores, {heads}}, fused, composed}));
}

/// For each score the entry of the table of by_distance that it reads.
Ids entries_by_distance(const Extents& e, Index reach) {
  Ids entry({e.pairing().size()});
  Index k = 0;
  for (Index s = 0; s < e.count; ++s)
    for (Index h = 0; h < e.heads; ++h)
      for (Index i = 0; i < e.n; ++i)
        for (Index j = 0; j < e.m; ++j) {
          const Index row = (s * e.n + i) * e.heads + h;
          const Index distance = std::clamp(j - e.place(i), -reach, reach);
          entry[k++] = static_cast<Id>(row * (2 * reach + 1) + distance + reach);
        }
  return entry;
}

void add_distances(std::vector<Composition>& t, const Pieces& s) {
  const Pairing p = s.e.pairing();
  const Index reach = 3;
  const Shape table{s.e.count * s.e.n, s.e.heads * (2 * reach + 1)};
  const Index entries = table.size();
  const Ids entry = entries_by_distance(s.e, reach);
  const auto read = [=](Xs x) { return by_distance(x[0], reach, p); };
  const auto composed_read = [=](Xs x) { return gather(reshape(x[0], {entries}), entry); };
  t.push_back({"by_distance", s.e.what, {table}, read, composed_read});
  const auto summed = [=](Xs x) { return sum_by_distance(x[0], reach, p); };
  const auto composed_sum = [=](Xs x) { return reshape(scatter_add(x[0], entry, entries), table); };
  t.push_back({"sum_by_distance", s.e.what, {s.scores}, summed, composed_sum});
}

void add_copying(std::vector<Composition>& t, const Extents& e) {
  const Pairing p = e.pairing(false, 1);
  const Index n = e.count * e.n;
  const Index m = e.count * e.m;
  // Some wanted tokens stand twice in a source, some not at all.
  Ids tokens({m});
  Ids wanted({n});
  for (Index j = 0; j < m; ++j)
    tokens[j] = static_cast<Id>(j % 5);
  for (Index i = 0; i < n; ++i)
    wanted[i] = static_cast<Id>(i % 7);
  Tensor match({e.count, e.n, e.m});
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < e.m; ++j)
      match[i * e.m + j] = static_cast<Real>(tokens[i / e.n * e.m + j] == wanted[i]);
  const auto fused = [=](Xs x) { return copy_probability(x[0], tokens, wanted, p); };
  const auto composed = [=](Xs x) {
    const Variable weights = reshape(x[0], {e.count, e.n, e.m});
    return reshape(sum(weights * Variable(match), {2}), {n});
  };
  t.push_back({"copy_probability", e.what, {{n * e.m}}, fused, composed});
}

void add_pieces(std::vector<Composition>& t, const Extents& e) {
  const Pieces s(e);
  add_products(t, s);
  add_softmaxes(t, s, false);
  if (e.n <= e.m) add_softmaxes(t, s, true);
  add_span_softmax(t, s);
  add_distances(t, s);
  add_copying(t, e);
}

void add_rotary(std::vector<Composition>& t, const Extents& e) {
  const Index w = e.d / e.heads;
  const Index half = w / 2;
  const Index rows = e.count * e.n;
  const Spans spans = e.queries();
  const int heads = e.heads;
  Tensor cosines({rows, 1, half});
  Tensor sines({rows, 1, half});
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < half; ++c) {
      const double angle =
          static_cast<double>(r % e.n) *
          std::pow(10000.0, -2.0 * static_cast<double>(c) / static_cast<double>(w));
      cosines[r * half + c] = static_cast<Real>(std::cos(angle));
      sines[r * half + c] = static_cast<Real>(std::sin(angle));
    }
  const auto fused = [=](Xs x) { return rotary(x[0], spans, {.heads = heads}); };
  const auto composed = [=](Xs x) {
    const Variable y = reshape(x[0], {rows, heads, w});
    const Variable a = slice(y, 2, 0, half);
    const Variable b = slice(y, 2, half, w);
    const Variable c(cosines);
    const Variable s(sines);
    return reshape(concat({a * c - b * s, a * s + b * c}, 2), {rows, heads * w});
  };
  t.push_back({"rotary", e.what, {{rows, e.d}}, fused, composed});
}

/// Shapes that are difficult for kernels.
void add_small(std::vector<Composition>& t) {
  for (const Extents& e : {Extents{"one pair", 1, 1, 1, 2, 1},
                           {"odd width", 3, 5, 7, 38, 2},
                           {"tiles", 2, 70, 140, 12, 2},
                           {"four heads", 2, 6, 6, 16, 4},
                           {"no queries", 2, 0, 3, 8, 2}}) {
    add_fused(t, e, false);
    add_fused(t, e, true);
    add_fused(t, e, false, 4);
    add_linear_attention(t, e, false);
    add_linear_attention(t, e, true);
    add_additive(t, e);
    add_pieces(t, e);
    if (e.d % (2 * e.heads) == 0) add_rotary(t, e);
  }
  add_fused(t, {"two heads", 2, 9, 9, 8, 2}, true, 0, Tensor({2}, {Real(0.5), Real(0.1)}));
}

/// Shapes of benchmarks/README.md's cases.
void add_cases(std::vector<Composition>& t) {
  const Extents tiny{"tiny", 64, 15, 15, 128, 4};
  const Extents summ{"summ", 16, 300, 300, 256, 4};
  const Extents cross{"summ, cross", 16, 22, 300, 256, 4};
  const Extents gpt{"gptlong", 4, 1024, 1024, 256, 4};
  const Extents step{"rnn, one step", 64, 1, 15, 256, 1};
  const Extents all{"rnn, all steps", 64, 15, 15, 256, 1};
  const Tensor slopes({4}, {Real(0.25), Real(0.06), Real(0.02), Real(0.004)});
  add_fused(t, tiny, false);
  add_fused(t, tiny, true);
  add_fused(t, summ, false);
  add_fused(t, cross, false);
  add_fused(t, gpt, true);
  add_fused(t, gpt, true, 128);
  add_fused(t, gpt, true, 0, slopes);
  add_linear_attention(t, gpt, false);
  add_linear_attention(t, gpt, true);
  add_additive(t, step);
  add_additive(t, all);
  add_pieces(t, {"small", 64, 15, 15, 256, 4});
  add_pieces(t, cross);
  add_rotary(t, gpt);
}

}  // namespace

void add_attention_compositions(std::vector<Composition>& t, bool small) {
  if (small)
    add_small(t);
  else
    add_cases(t);
}

}  // namespace heed::test
