#include <algorithm>

#include "tests/framework/ops_table/references.h"

namespace heed::test {

namespace {

struct Case {
  const char* what;
  Pairing pairing;
  Index width = 4;
};

std::vector<Case> cases() {
  const Spans two = packed({3, 4});
  const Spans longer = packed({5, 4});
  const Spans with_empty = packed({2, 0, 3});
  return {
      {"one pair", {.queries = packed({1}), .keys = packed({1})}, 1},
      {"packed", {.queries = two, .keys = longer}, 16},
      {"one query a sequence", {.queries = packed({1, 1}), .keys = packed({5, 2})}, 16},
      {"odd width", {.queries = two, .keys = two}, 19},
      {"padded", {.queries = padded({3, 1}, 4), .keys = padded({2, 3}, 5)}, 3},
      {"causal", {.queries = two, .keys = longer, .causal = true}},
      {"causal, more queries than keys", {.queries = longer, .keys = two, .causal = true}},
      {"window", {.queries = packed({6, 2}), .keys = packed({6, 4}), .window = 2}},
      {"causal window", {.queries = packed({6}), .keys = packed({6}), .causal = true, .window = 3}},
      {"an empty sequence", {.queries = with_empty, .keys = with_empty}},
      {"no keys for a query", {.queries = packed({2, 1, 3}), .keys = with_empty}},
      {"a selection",
       {.queries = two, .keys = packed({2, 5, 1, 4}).select(std::vector<Index>{3, 0})}},
      {"nothing", {.queries = packed({0}), .keys = packed({0})}},
  };
}

Input between(double low, double high, const Shape& shape) { return {shape, low, high}; }
Input from_one_to_one(Index rows, Index columns) { return between(-1, 1, {rows, columns}); }

/// Softmaxes of scores and what depends on distances.
void add_scores(std::vector<OpRow>& t, const Pairing& p, const std::string& what) {
  const Index n = p.queries.rows();
  const Index heads = p.heads;
  const Input scores = between(-1, 1, {p.size()});
  const Input rest = from_one_to_one(n, heads);
  const Input table = from_one_to_one(n, heads * 5);
  const Input reaches = between(0.6, 0.9, {heads});  // off the kinks of the masks
  t.push_back({"scores_softmax",
               what,
               {scores},
               [=](Xs x) { return scores_softmax(x[0], p); },
               1,
               scores_softmax_of(p)});
  t.push_back({"scores_softmax",
               what + ", rest",
               {scores, rest},
               [=](Xs x) { return scores_softmax(x[0], x[1], p); },
               1,
               scores_softmax_of(p)});
  const auto span = [=](Xs x) { return span_softmax(x[0], x[1], Real(2.5), p); };
  t.push_back({"span_softmax", what, {scores, reaches}, span, 3, span_softmax_of(2.5, p)});
  t.push_back({"by_distance",
               what,
               {table},
               [=](Xs x) { return by_distance(x[0], 2, p); },
               1,
               by_distance_of(2, p)});
  t.push_back({"sum_by_distance",
               what,
               {scores},
               [=](Xs x) { return sum_by_distance(x[0], 2, p); },
               1,
               sum_by_distance_of(2, p)});
}

/// 0, 1 ... count - 1, each modulo `period`.
Ids repeating(Index count, Index period) {
  Ids result({count});
  for (Index i = 0; i < count; ++i)
    result[i] = static_cast<Id>(i % period);
  return result;
}

/// Ops that take one head only.
void add_one_head(std::vector<OpRow>& t, const Pairing& p, const std::string& what, Index w) {
  const Index n = p.queries.rows();
  const Index m = p.keys.rows();
  const Input scores = between(-1, 1, {p.size()});
  const Input queries = from_one_to_one(n, w);
  const Input keys = from_one_to_one(m, w);
  const auto plain = [=](Xs x) { return additive_scores(x[0], x[1], x[2], p); };
  const auto coverage = [=](Xs x) { return additive_scores(x[0], x[1], x[2], x[3], x[4], p); };
  t.push_back({"additive_scores", what, {queries, keys, {w}}, plain, 3, additive_scores_of(p)});
  t.push_back({"additive_scores",
               what + ", with coverage",
               {queries, keys, {w}, scores, {w}},
               coverage,
               3,
               additive_scores_of(p)});
  // Some wanted tokens stand twice in a source, some not at all.
  const Ids tokens = repeating(m, 3);
  const Ids wanted = repeating(n, 4);
  t.push_back({"copy_probability",
               what,
               {scores},
               [=](Xs x) { return copy_probability(x[0], tokens, wanted, p); },
               1,
               copy_probability_of(tokens, wanted, p)});
}

/// Products, with as many heads of keys as of queries and with fewer.
void add_shared_heads(std::vector<OpRow>& t, Pairing p, const std::string& what, Index w) {
  const Input scores = between(-1, 1, {p.size()});
  const Input queries = from_one_to_one(p.queries.rows(), p.heads * w);
  for (int kv_heads = p.heads; kv_heads >= 1; kv_heads /= 2) {
    p.kv_heads = kv_heads;
    const std::string shared = fmt::format("{}, {} of keys", what, kv_heads);
    const Input keys = from_one_to_one(p.keys.rows(), kv_heads * w);
    t.push_back({"dot_scores",
                 shared,
                 {queries, keys},
                 [=](Xs x) { return dot_scores(x[0], x[1], p); },
                 1,
                 dot_scores_of(p)});
    t.push_back({"weighted_values",
                 shared,
                 {scores, keys},
                 [=](Xs x) { return weighted_values(x[0], x[1], p); },
                 1,
                 weighted_values_of(p)});
    t.push_back({"weighted_queries",
                 shared,
                 {scores, queries},
                 [=](Xs x) { return weighted_queries(x[0], x[1], p); },
                 1,
                 weighted_queries_of(p)});
  }
}

void add_attention_pieces(std::vector<OpRow>& t) {
  for (const Case& c : cases())
    for (int heads : {1, 2, 4}) {
      Pairing p = c.pairing;
      p.heads = heads;
      const std::string what = fmt::format("{}, {} heads", c.what, heads);
      add_scores(t, p, what);
      if (heads == 1) add_one_head(t, p, c.what, c.width);
      add_shared_heads(t, p, what, c.width);
    }
  const Pairing large{.queries = packed({40}), .keys = packed({30})};
  const auto scores = [=](Xs x) { return dot_scores(x[0], x[1], large); };
  t.push_back(
      {"dot_scores", "past a BLAS call", {{40, 80}, {30, 80}}, scores, 3, dot_scores_of(large)});
}

struct Variant {
  const char* what;
  Attention options;
};

std::vector<Variant> variants() {
  const Tensor slopes({4}, {Real(0.5), Real(0.25), Real(0.1), 0});
  // clang-format off
  return {
    {"two heads of keys",
     {.heads = 4, .kv_heads = 2, .queries = packed({6, 4}), .keys = packed({6, 4})}},
    {"one head of keys, causal",
     {.heads = 4, .kv_heads = 1, .queries = packed({6, 4}), .keys = packed({6, 4}),
      .causal = true}},
    {"one head of keys, dropout",
     {.heads = 4, .kv_heads = 1, .queries = packed({6, 4}), .keys = packed({6, 4}),
      .dropout = Real(0.3), .key = {5, 9}}},
    {"window", {.heads = 4, .queries = packed({6, 4}), .keys = packed({6, 4}), .window = 2}},
    {"window, causal, cross",
     {.heads = 4, .queries = packed({6, 4}), .keys = packed({9, 4}), .causal = true, .window = 3}},
    {"window, more queries than keys",
     {.heads = 4, .queries = packed({9, 4}), .keys = packed({6, 4}), .window = 2}},
    {"window, empty sequences",
     {.heads = 4, .queries = packed({0, 4, 3}), .keys = packed({5, 0, 3}), .window = 2}},
    {"slopes", {.heads = 4, .queries = packed({6, 4}), .keys = packed({9, 4}), .slopes = slopes}},
    {"slopes, causal",
     {.heads = 4, .queries = packed({6, 4}), .keys = packed({6, 4}), .causal = true,
      .slopes = slopes}},
    {"all at once",
     {.heads = 4, .kv_heads = 2, .queries = packed({6, 4}), .keys = packed({9, 4}), .causal = true,
      .window = 4, .slopes = slopes, .dropout = Real(0.3), .key = {5, 9}}},
    {"window past a tile",
     {.heads = 1, .queries = packed({3}), .keys = packed({150}), .window = 20}},
    {"causal window past a tile, dropout",
     {.heads = 1, .queries = packed({3}), .keys = packed({150}), .causal = true, .window = 20,
      .dropout = Real(0.3), .key = {5, 9}}},
  };
  // clang-format on
}

void add_attention_variants(std::vector<OpRow>& t) {
  for (const Variant& v : variants()) {
    const Attention o = v.options;
    const Index n = o.queries.rows();
    const Index m = o.keys.rows();
    const Index d = 3 * o.heads;
    const Index e = 3 * (o.kv_heads > 0 ? o.kv_heads : o.heads);
    const std::string what = v.what;
    const Input queries = from_one_to_one(n, d);
    const Input keys = from_one_to_one(m, e);
    // The definition of dropout has other tests.
    const Reference reference = o.dropout > 0 ? nullptr : attention_of(o);
    const auto separate = [=](Xs x) { return attention(x[0], x[1], x[2], o); };
    const auto joined_kv = [=](Xs x) { return attention(x[0], x[1], o); };
    t.push_back({"attention", what, {queries, keys, keys}, separate, 2, reference});
    t.push_back({"attention",
                 what + ", kv",
                 {queries, from_one_to_one(m, 2 * e)},
                 joined_kv,
                 2,
                 reference});
    if (n != m) continue;
    Attention same = o;
    same.keys = same.queries;
    const auto joined_qkv = [=](Xs x) { return attention(x[0], same); };
    t.push_back(
        {"attention", what + ", qkv", {from_one_to_one(n, d + 2 * e)}, joined_qkv, 2, reference});
  }
}

void add_linear_attention(std::vector<OpRow>& t) {
  const auto linear = [&](const std::string& what, const Pairing& p, Index d) {
    const Input queries{Input::away_from_zero, {p.queries.rows(), d}};
    const Input keys{Input::away_from_zero, {p.keys.rows(), d}};
    const auto run = [=](Xs x) { return linear_attention(x[0], x[1], x[2], p); };
    t.push_back({"linear_attention", what, {queries, keys, keys}, run, 2, linear_attention_of(p)});
  };
  for (const Case& c : cases())
    for (int heads : {1, 2}) {
      if (c.pairing.window > 0) continue;
      Pairing p = c.pairing;
      p.heads = heads;
      linear(fmt::format("{}, {} heads", c.what, heads), p, heads * std::min<Index>(c.width, 5));
    }
  Pairing tiles{.heads = 1, .queries = packed({70}), .keys = packed({140})};
  linear("past a tile", tiles, 2);
  tiles.causal = true;
  linear("past a tile, causal", tiles, 2);
}

void add_rotary(std::vector<OpRow>& t) {
  for (const Spans& spans : {packed({3, 4}), packed({2, 0, 1}), padded({3, 1}, 4),
                             packed({2, 5, 3}).select(std::vector<Index>{2, 0}), packed({0})})
    for (Index d : {2, 12, 36}) {
      const Rotary options{.heads = d > 2 ? 2 : 1, .base = 100, .offset = 3};
      const std::string what = fmt::format("{} rows, {} columns", spans.rows(), d);
      t.push_back({"rotary",
                   what,
                   {{spans.rows(), d}},
                   [=](Xs x) { return rotary(x[0], spans, options); },
                   1,
                   rotary_of(spans, options)});
    }
  const auto at_end = OP(rotary(x[0], packed({2, 3}), {.base = 10, .end_of = packed({6, 2})}));
  t.push_back({"rotary",
               "at the end",
               {{5, 4}},
               at_end,
               1,
               rotary_of(packed({2, 3}), {.base = 10, .end_of = packed({6, 2})})});
}

struct AttentionCase {
  const char* what;
  Attention options;
  Index d = 8;
};

std::vector<AttentionCase> attention_cases() {
  const Spans two = packed({3, 4});
  const Spans with_empty = packed({2, 0, 3});
  const Spans long_one = packed({5, 4});
  // clang-format off
  return {
    {"one head", {.heads = 1, .queries = packed({4}), .keys = packed({4})}},
    {"two heads, packed", {.heads = 2, .queries = two, .keys = two}},
    {"causal", {.heads = 2, .queries = two, .keys = two, .causal = true}},
    {"padded", {.heads = 2, .queries = padded({3, 1}, 4), .keys = padded({3, 1}, 4)}},
    {"padded, causal",
     {.heads = 4, .queries = padded({3, 4}, 4), .keys = padded({3, 4}, 4), .causal = true}},
    {"cross", {.heads = 2, .queries = two, .keys = long_one}},
    {"cross, padded keys", {.heads = 2, .queries = two, .keys = padded({2, 3}, 4)}},
    {"cross, causal", {.heads = 2, .queries = two, .keys = long_one, .causal = true}},
    {"cross, causal, more queries than keys",
     {.heads = 2, .queries = long_one, .keys = two, .causal = true}},
    {"an empty sequence", {.heads = 2, .queries = with_empty, .keys = with_empty}},
    {"no keys for a query", {.heads = 2, .queries = packed({2, 1, 3}), .keys = with_empty}},
    {"scaled", {.heads = 1, .queries = two, .keys = two, .scale = Real(0.7)}, 6},
    {"odd head width", {.heads = 3, .queries = two, .keys = two}, 15},
    {"dropout", {.heads = 2, .queries = two, .keys = two, .dropout = Real(0.3), .key = {5, 9}}},
    {"dropout, causal",
     {.heads = 2, .queries = two, .keys = two, .causal = true, .dropout = Real(0.3),
      .key = {5, 9}}},
  };
  // clang-format on
}

void add_attention(std::vector<OpRow>& t) {
  const auto from_one_to_one = [](Index rows, Index columns) {
    return Input{{rows, columns}, -1, 1};
  };
  for (const AttentionCase& c : attention_cases()) {
    const Attention o = c.options;
    const Index n = o.queries.rows();
    const Index m = o.keys.rows();
    const std::string what = c.what;
    const Reference reference = o.dropout > 0 ? nullptr : attention_of(o);
    const Input queries = from_one_to_one(n, c.d);
    const Input keys = from_one_to_one(m, c.d);
    const Input joined = from_one_to_one(m, 2 * c.d);
    t.push_back({"attention",
                 what,
                 {queries, keys, keys},
                 [=](Xs x) { return attention(x[0], x[1], x[2], o); },
                 1,
                 reference});
    t.push_back({"attention",
                 what + ", kv",
                 {queries, joined},
                 [=](Xs x) { return attention(x[0], x[1], o); },
                 1,
                 reference});
    if (n != m) continue;
    Attention same = o;
    same.keys = same.queries;
    t.push_back({"attention",
                 what + ", qkv",
                 {from_one_to_one(n, 3 * c.d)},
                 [=](Xs x) { return attention(x[0], same); },
                 1,
                 reference});
  }
}

}  // namespace

void add_attention_family(std::vector<OpRow>& t) {
  add_attention(t);
  add_attention_pieces(t);
  add_attention_variants(t);
  add_linear_attention(t);
  add_rotary(t);
}

}  // namespace heed::test
