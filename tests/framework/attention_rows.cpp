#include "tests/framework/ops_table.h"

namespace heed::test {

namespace {

struct Case {
  const char* what;
  Pairing pairing;
  Index width = 4;
};

std::vector<Case> cases() {
  const Spans two = packed({3, 4}), longer = packed({5, 4}), with_empty = packed({2, 0, 3});
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
      {"a selection", {.queries = two, .keys = packed({2, 5, 1, 4}).select(std::vector<Index>{3, 0})}},
      {"nothing", {.queries = packed({0}), .keys = packed({0})}},
  };
}

}  // namespace

void add_attention_pieces(std::vector<OpRow>& t) {
  for (const Case& c : cases())
    for (int heads : {1, 2, 4}) {
      const Index n = c.pairing.queries.rows(), m = c.pairing.keys.rows(), w = c.width;
      Pairing p = c.pairing;
      p.heads = heads;
      const auto draw = [](Index rows, Index columns) { return Input{{rows, columns}, -1, 1}; };
      const std::string what = fmt::format("{}, {} heads", c.what, heads);
      const Input pairs{Shape{p.size()}, -1, 1};
      t.push_back({"scores_softmax", what, {pairs}, [=](Xs x) { return scores_softmax(x[0], p); }});
      if (heads == 1)
        t.push_back({"additive_scores", c.what, {draw(n, w), draw(m, w), {w}}, [=](Xs x) { return additive_scores(x[0], x[1], x[2], p); }, 3});
      for (int kv_heads = heads; kv_heads >= 1; kv_heads /= 2) {
        p.kv_heads = kv_heads;
        const std::string shared = fmt::format("{}, {} of keys", what, kv_heads);
        t.push_back({"dot_scores", shared, {draw(n, heads * w), draw(m, kv_heads * w)}, [=](Xs x) { return dot_scores(x[0], x[1], p); }});
        t.push_back({"weighted_values", shared, {pairs, draw(m, kv_heads * w)}, [=](Xs x) { return weighted_values(x[0], x[1], p); }});
      }
    }
  const Spans long_one = packed({40}), wide = packed({30});
  t.push_back({"dot_scores", "past a BLAS call", {{40, 80}, {30, 80}}, [=](Xs x) { return dot_scores(x[0], x[1], {.queries = long_one, .keys = wide}); }, 3});
}

}  // namespace heed::test
