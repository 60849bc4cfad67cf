#include <algorithm>
#include <cmath>

#include "tests/framework/compositions.h"

// Attention, whole and in pieces, from plain ops: batched products over (sequences, heads), every
// score kept. The sequences of a batch are equally long here; tests/framework/attention_test.cpp
// has the others.

namespace heed::test {

namespace {

using Xs = std::span<const Variable>;

/// So many sequences of n queries and m keys, and d columns.
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
  Index place(Index i) const { return i + m - n; }
};

/// (sequences * rows, heads * w) -> (sequences, heads, rows, w), and back.
Variable split_heads(const Variable& x, Index count, int heads) {
  return permute(reshape(x, {count, x.rows() / count, heads, x.columns() / heads}), {0, 2, 1, 3});
}
Variable join_heads(const Variable& x) {
  const Index count = x.extent(0);
  const Index heads = x.extent(1);
  const Index rows = x.extent(2);
  const Index w = x.extent(3);
  return reshape(permute(x, {0, 2, 1, 3}), {count * rows, heads * w});
}

/// 1 where a query does not see a key: (n, m).
Tensor hidden_keys(const Extents& e, bool causal, Index window) {
  Tensor hidden({e.n, e.m});
  for (Index i = 0; i < e.n; ++i)
    for (Index j = 0; j < e.m; ++j)
      hidden[i * e.m + j] = static_cast<Real>((causal && j > e.place(i)) ||
                                              (window > 0 && std::abs(e.place(i) - j) >= window));
  return hidden;
}
Tensor distances(const Extents& e) {
  Tensor result({e.n, e.m});
  for (Index i = 0; i < e.n; ++i)
    for (Index j = 0; j < e.m; ++j)
      result[i * e.m + j] = static_cast<Real>(std::abs(e.place(i) - j));
  return result;
}

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
  t.push_back(
      {"attention",
       fmt::format("{}{}{}{}", e.what, causal ? ", causal" : "", window > 0 ? ", window" : "",
                   slopes.defined() ? ", slopes" : ""),
       {{e.count * e.n, e.d}, {e.count * e.m, e.d}, {e.count * e.m, e.d}},
       [=](Xs x) { return attention(x[0], x[1], x[2], o); },
       [=](Xs x) {
         const auto part = [&](const Variable& y) { return split_heads(y, e.count, e.heads); };
         Variable scores = matmul(part(x[0]), part(x[1]), {.b = true}) * scale;
         if (slopes.defined())
           scores = scores - Variable(slopes.reshape({slopes.size(), 1, 1})) * Variable(far);
         return join_heads(
             matmul(causal || window > 0 ? hide(scores, hidden) : softmax(scores), part(x[2])));
       }});
}

void add_linear_attention(std::vector<Composition>& t, const Extents& e, bool causal) {
  const Pairing p = e.pairing(causal);
  const Tensor hidden = hidden_keys(e, causal, 0);
  // elu(x) + 1
  const auto feature = [](const Variable& x) { return relu(x) + exp(minimum(x, 0)); };
  t.push_back(
      {"linear_attention",
       fmt::format("{}{}", e.what, causal ? ", causal" : ""),
       {{e.count * e.n, e.d}, {e.count * e.m, e.d}, {e.count * e.m, e.d}},
       [=](Xs x) { return linear_attention(x[0], x[1], x[2], p); },
       [=](Xs x) {
         const auto part = [&](const Variable& y) { return split_heads(y, e.count, e.heads); };
         const Variable a =
             masked_fill(matmul(feature(part(x[0])), feature(part(x[1])), {.b = true}), hidden, 0);
         return join_heads(matmul(a, part(x[2])) / sum(a, {3}, true));
       },
       -1,
       1,
       4});
}

/// Attention of one head whose scores are v . tanh(q + k).
void add_additive(std::vector<Composition>& t, const Extents& e) {
  const Pairing p = e.pairing(false, 1);
  const Index pairs = e.count * e.n * e.m;
  const auto inside = [=](Xs x) {
    return reshape(x[0], {e.count, e.n, 1, e.d}) + reshape(x[1], {e.count, 1, e.m, e.d});
  };
  t.push_back({"additive_scores",
               e.what,
               {{e.count * e.n, e.d}, {e.count * e.m, e.d}, {e.d}},
               [=](Xs x) { return additive_scores(x[0], x[1], x[2], p); },
               [=](Xs x) { return reshape(sum(tanh(inside(x)) * x[2], {3}), {pairs}); },
               -1,
               1,
               4});
  t.push_back(
      {"additive_scores",
       fmt::format("{}, coverage", e.what),
       {{e.count * e.n, e.d}, {e.count * e.m, e.d}, {e.d}, {pairs}, {e.d}},
       [=](Xs x) { return additive_scores(x[0], x[1], x[2], x[3], x[4], p); },
       [=](Xs x) {
         return reshape(
             sum(tanh(inside(x) + reshape(x[3], {e.count, e.n, e.m, 1}) * x[4]) * x[2], {3}),
             {pairs});
       },
       -1,
       1,
       4});
}

void add_pieces(std::vector<Composition>& t, const Extents& e) {
  const Pairing p = e.pairing();
  const Index n = e.count * e.n;
  const Index m = e.count * e.m;
  const Index pairs = p.size();
  const Index heads = e.heads;
  const Index reach = 3;
  const auto part = [=](const Variable& y) { return split_heads(y, e.count, e.heads); };
  const auto blocks = [=](const Variable& y) { return reshape(y, {e.count, e.heads, e.n, e.m}); };
  t.push_back(
      {"dot_scores",
       e.what,
       {{n, e.d}, {m, e.d}},
       [=](Xs x) { return dot_scores(x[0], x[1], p); },
       [=](Xs x) { return reshape(matmul(part(x[0]), part(x[1]), {.b = true}), {pairs}); }});
  t.push_back({"weighted_values",
               e.what,
               {{pairs}, {m, e.d}},
               [=](Xs x) { return weighted_values(x[0], x[1], p); },
               [=](Xs x) { return join_heads(matmul(blocks(x[0]), part(x[1]))); },
               -1,
               1,
               4});
  t.push_back({"weighted_queries",
               e.what,
               {{pairs}, {n, e.d}},
               [=](Xs x) { return weighted_queries(x[0], x[1], p); },
               [=](Xs x) { return join_heads(matmul(blocks(x[0]), part(x[1]), {.a = true})); },
               -1,
               1,
               4});
  for (bool causal : {false, true}) {
    if (causal && e.n > e.m) continue;
    const Pairing q = e.pairing(causal);
    const Tensor hidden = hidden_keys(e, causal, 0);
    const std::string what = fmt::format("{}{}", e.what, causal ? ", causal" : "");
    t.push_back({"scores_softmax",
                 what,
                 {{pairs}},
                 [=](Xs x) { return scores_softmax(x[0], q); },
                 [=](Xs x) {
                   return reshape(causal ? hide(blocks(x[0]), hidden) : softmax(blocks(x[0])),
                                  {pairs});
                 }});
    t.push_back(
        {"scores_softmax",
         what + ", rest",
         {{pairs}, {n, heads}},
         [=](Xs x) { return scores_softmax(x[0], x[1], q); },
         [=](Xs x) {
           const Variable rest = permute(reshape(x[1], {e.count, e.n, heads, 1}), {0, 2, 1, 3});
           return reshape(
               slice(softmax(concat({masked_fill(blocks(x[0]), hidden, Real(-1e30)), rest}, 3)), 3,
                     0, e.m),
               {pairs});
         }});
  }
  const Tensor far = distances(e);
  const Real ramp = 4;
  t.push_back({"span_softmax",
               e.what,
               {{pairs}, {heads}},
               [=](Xs x) { return span_softmax(x[0], x[1], ramp, p); },
               [=](Xs x) {
                 const Variable seen =
                     clamp((reshape(x[1], {heads, 1, 1}) + ramp - Variable(far)) / ramp, 0, 1);

                 const Variable weight = exp(blocks(x[0])) * seen;
                 return reshape(weight / sum(weight, {3}, true), {pairs});
               },
               -1,
               1,
               4});
  Ids entry({pairs});
  for (Index s = 0, k = 0; s < e.count; ++s)
    for (Index h = 0; h < heads; ++h)
      for (Index i = 0; i < e.n; ++i)
        for (Index j = 0; j < e.m; ++j)
          entry[k++] = static_cast<Id>(((s * e.n + i) * heads + h) * (2 * reach + 1) +
                                       std::clamp(j - e.place(i), -reach, reach) + reach);
  const Index entries = n * heads * (2 * reach + 1);
  t.push_back({"by_distance",
               e.what,
               {{n, heads * (2 * reach + 1)}},
               [=](Xs x) { return by_distance(x[0], reach, p); },
               [=](Xs x) { return gather(reshape(x[0], {entries}), entry); }});
  t.push_back({"sum_by_distance",
               e.what,
               {{pairs}},
               [=](Xs x) { return sum_by_distance(x[0], reach, p); },
               [=](Xs x) {
                 return reshape(scatter_add(x[0], entry, entries), {n, heads * (2 * reach + 1)});
               }});
  const Pairing one = e.pairing(false, 1);
  // some twice in a source, some not at all
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
  t.push_back(
      {"copy_probability",
       e.what,
       {{n * e.m}},
       [=](Xs x) { return copy_probability(x[0], tokens, wanted, one); },
       [=](Xs x) {
         return reshape(sum(reshape(x[0], {e.count, e.n, e.m}) * Variable(match), {2}), {n});
       }});
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
  t.push_back({"rotary",
               e.what,
               {{rows, e.d}},
               [=](Xs x) { return rotary(x[0], spans, {.heads = heads}); },
               [=](Xs x) {
                 const Variable y = reshape(x[0], {rows, heads, w});
                 const Variable a = slice(y, 2, 0, half);

                 const Variable b = slice(y, 2, half, w);
                 const Variable cs(cosines);
                 const Variable sn(sines);
                 return reshape(concat({a * cs - b * sn, a * sn + b * cs}, 2), {rows, heads * w});
               }});
}

}  // namespace

void add_attention_compositions(std::vector<Composition>& t, bool small) {
  if (small) {
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
  } else {
    const Extents tiny{"tiny", 64, 15, 15, 128, 4};
    const Extents summ{"summ", 16, 300, 300, 256, 4};

    const Extents cross{"summ, cross", 16, 22, 300, 256, 4};
    const Extents gpt{"gptlong", 4, 1024, 1024, 256, 4};

    const Extents step{"rnn, one step", 64, 1, 15, 256, 1};
    const Extents all{"rnn, all steps", 64, 15, 15, 256, 1};
    add_fused(t, tiny, false);
    add_fused(t, tiny, true);
    add_fused(t, summ, false);
    add_fused(t, cross, false);
    add_fused(t, gpt, true);
    add_fused(t, gpt, true, 128);
    add_fused(t, gpt, true, 0, Tensor({4}, {Real(0.25), Real(0.06), Real(0.02), Real(0.004)}));
    add_linear_attention(t, gpt, false);
    add_linear_attention(t, gpt, true);
    add_additive(t, step);
    add_additive(t, all);
    add_pieces(t, {"small", 64, 15, 15, 256, 4});
    add_pieces(t, cross);
    add_rotary(t, gpt);
  }
}

}  // namespace heed::test
