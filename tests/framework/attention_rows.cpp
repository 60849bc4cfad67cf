#include <algorithm>

#include "tests/framework/ops_table.h"

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

void add_attention_pieces(std::vector<OpRow>& t) {
  for (const Case& c : cases())
    for (int heads : {1, 2, 4}) {
      const Index n = c.pairing.queries.rows();
      const Index m = c.pairing.keys.rows();
      const Index w = c.width;
      Pairing p = c.pairing;
      p.heads = heads;
      const auto draw = [](Index rows, Index columns) { return Input{{rows, columns}, -1, 1}; };
      const std::string what = fmt::format("{}, {} heads", c.what, heads);
      const Input pairs{Shape{p.size()}, -1, 1};
      const Input table = draw(n, heads * 5);
      const Input spans{Shape{heads}, 0.6, 0.9};  // off the kinks of the masks
      t.push_back({"scores_softmax", what, {pairs}, [=](Xs x) { return scores_softmax(x[0], p); }});
      t.push_back({"scores_softmax", what + ", rest", {pairs, draw(n, heads)}, [=](Xs x) {
                     return scores_softmax(x[0], x[1], p);
                   }});
      t.push_back({"span_softmax",
                   what,
                   {pairs, spans},
                   [=](Xs x) { return span_softmax(x[0], x[1], Real(2.5), p); },
                   3});
      t.push_back({"by_distance", what, {table}, [=](Xs x) { return by_distance(x[0], 2, p); }});
      t.push_back(
          {"sum_by_distance", what, {pairs}, [=](Xs x) { return sum_by_distance(x[0], 2, p); }});
      if (heads == 1)
        t.push_back({"additive_scores",
                     c.what,
                     {draw(n, w), draw(m, w), {w}},
                     [=](Xs x) { return additive_scores(x[0], x[1], x[2], p); },
                     3});
      if (heads == 1) {
        t.push_back({"additive_scores",
                     fmt::format("{}, with coverage", c.what),
                     {draw(n, w), draw(m, w), {w}, pairs, {w}},
                     [=](Xs x) { return additive_scores(x[0], x[1], x[2], x[3], x[4], p); },
                     3});
        // some twice in a source, some not at all
        Ids tokens({m});
        Ids wanted({n});
        for (Index j = 0; j < m; ++j)
          tokens[j] = static_cast<Id>(j % 3);
        for (Index i = 0; i < n; ++i)
          wanted[i] = static_cast<Id>(i % 4);
        t.push_back({"copy_probability", c.what, {pairs}, [=](Xs x) {
                       return copy_probability(x[0], tokens, wanted, p);
                     }});
      }
      for (int kv_heads = heads; kv_heads >= 1; kv_heads /= 2) {
        p.kv_heads = kv_heads;
        const std::string shared = fmt::format("{}, {} of keys", what, kv_heads);
        t.push_back({"dot_scores", shared, {draw(n, heads * w), draw(m, kv_heads * w)}, [=](Xs x) {
                       return dot_scores(x[0], x[1], p);
                     }});
        t.push_back({"weighted_values", shared, {pairs, draw(m, kv_heads * w)}, [=](Xs x) {
                       return weighted_values(x[0], x[1], p);
                     }});
        t.push_back({"weighted_queries", shared, {pairs, draw(n, heads * w)}, [=](Xs x) {
                       return weighted_queries(x[0], x[1], p);
                     }});
      }
    }
  const Spans long_one = packed({40});
  const Spans wide = packed({30});
  t.push_back({"dot_scores",
               "past a BLAS call",
               {{40, 80}, {30, 80}},
               [=](Xs x) { return dot_scores(x[0], x[1], {.queries = long_one, .keys = wide}); },
               3});
}

void add_attention_variants(std::vector<OpRow>& t) {
  struct Variant {
    const char* what;
    Attention options;
  };
  const Spans two = packed({6, 4});
  const Spans longer = packed({9, 4});
  const Spans empties = packed({0, 4, 3});

  const Spans others = packed({5, 0, 3});
  const Spans beyond = packed({150});
  const Tensor slopes({4}, {Real(0.5), Real(0.25), Real(0.1), 0});
  for (const Variant& v : std::vector<Variant>{
           {"two heads of keys", {.heads = 4, .kv_heads = 2, .queries = two, .keys = two}},
           {"one head of keys, causal",
            {.heads = 4, .kv_heads = 1, .queries = two, .keys = two, .causal = true}},
           {"one head of keys, dropout",
            {.heads = 4,
            .kv_heads = 1,
            .queries = two,
            .keys = two,
            .dropout = Real(0.3),
            .key = {5, 9}}},
           {"window", {.heads = 4, .queries = two, .keys = two, .window = 2}},
           {"window, causal, cross",
            {.heads = 4, .queries = two, .keys = longer, .causal = true, .window = 3}},
           {"window, more queries than keys",
            {.heads = 4, .queries = longer, .keys = two, .window = 2}},
           {"window, empty sequences",
            {.heads = 4, .queries = empties, .keys = others, .window = 2}},
           {"slopes", {.heads = 4, .queries = two, .keys = longer, .slopes = slopes}},
           {"slopes, causal",
            {.heads = 4, .queries = two, .keys = two, .causal = true, .slopes = slopes}},
           {"all at once",
            {.heads = 4,
            .kv_heads = 2,
            .queries = two,
            .keys = longer,
            .causal = true,
            .window = 4,
            .slopes = slopes,
            .dropout = Real(0.3),
            .key = {5, 9}}},
           {"window past a tile",
            {.heads = 1, .queries = packed({3}), .keys = beyond, .window = 20}},
           {"causal window past a tile, dropout",
            {.heads = 1,
            .queries = packed({3}),
            .keys = beyond,
            .causal = true,
            .window = 20,
            .dropout = Real(0.3),
            .key = {5, 9}}}}) {
    const Index n = v.options.queries.rows();
    const Index m = v.options.keys.rows();
    const Index d = 3 * v.options.heads;
    const Index e = 3 * (v.options.kv_heads > 0 ? v.options.kv_heads : v.options.heads);
    const auto draw = [](Index rows, Index columns) { return Input{{rows, columns}, -1, 1}; };
    const std::string what = v.what;
    t.push_back({"attention",
                 what,
                 {draw(n, d), draw(m, e), draw(m, e)},
                 [=, o = v.options](Xs x) { return attention(x[0], x[1], x[2], o); },
                 2});
    t.push_back({"attention",
                 what + ", kv",
                 {draw(n, d), draw(m, 2 * e)},
                 [=, o = v.options](Xs x) { return attention(x[0], x[1], o); },
                 2});
    if (n == m)
      t.push_back({"attention",
                   what + ", qkv",
                   {draw(n, d + 2 * e)},
                   [=, o = v.options](Xs x) {
                     Attention same = o;
                     same.keys = same.queries;
                     return attention(x[0], same);
                   },
                   2});
  }
}

void add_linear_attention(std::vector<OpRow>& t) {
  for (const Case& c : cases())
    for (int heads : {1, 2}) {
      if (c.pairing.window > 0) continue;
      Pairing p = c.pairing;
      p.heads = heads;
      const Index d = heads * std::min<Index>(c.width, 5);
      const auto draw = [&](Index rows) { return Input{Input::away_from_zero, {rows, d}}; };
      t.push_back({"linear_attention",
                   fmt::format("{}, {} heads", c.what, heads),
                   {draw(p.queries.rows()), draw(p.keys.rows()), draw(p.keys.rows())},
                   [=](Xs x) { return linear_attention(x[0], x[1], x[2], p); },
                   2});
    }
  for (bool causal : {false, true}) {
    const Pairing p{.heads = 1, .queries = packed({70}), .keys = packed({140}), .causal = causal};
    const auto draw = [](Index rows) { return Input{Input::away_from_zero, {rows, 2}}; };
    t.push_back({"linear_attention",
                 causal ? "past a tile, causal" : "past a tile",
                 {draw(70), draw(140), draw(140)},
                 [=](Xs x) { return linear_attention(x[0], x[1], x[2], p); },
                 2});
  }
  for (const Spans& spans : {packed({3, 4}), packed({2, 0, 1}), padded({3, 1}, 4),
                             packed({2, 5, 3}).select(std::vector<Index>{2, 0}), packed({0})})
    for (Index d : {2, 12, 36}) {
      const Rotary options{.heads = d > 2 ? 2 : 1, .base = 100, .offset = 3};
      t.push_back({"rotary",
                   fmt::format("{} rows, {} columns", spans.rows(), d),
                   {{spans.rows(), d}},
                   [=](Xs x) { return rotary(x[0], spans, options); }});
    }
  t.push_back({"rotary",
               "at the end",
               {{5, 4}},
               OP(rotary(x[0], packed({2, 3}), {.base = 10, .end_of = packed({6, 2})}))});
}

}  // namespace

void add_attention_family(std::vector<OpRow>& t) {
  add_attention_pieces(t);
  add_attention_variants(t);
  add_linear_attention(t);
}

}  // namespace heed::test
