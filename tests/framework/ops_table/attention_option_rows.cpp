#include "tests/framework/ops_table/references.h"

// attention() with biases, a cap, wider values, rotations and sinks, and rotary() of some columns.

namespace heed::test {

namespace {

using Kinds = std::vector<BiasKind>;

Input numbers_in(const Shape& shape) { return {shape, -1, 1}; }

/// The options with the biases that follow the first `tensors` inputs.
Attention with_biases(Attention o, const Kinds& kinds, Xs x, std::size_t tensors) {
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const Variable& bias = x[tensors + i];
    if (kinds[i] == BiasKind::pairs) o.bias.pairs = bias;
    if (kinds[i] == BiasKind::shared) o.bias.shared = bias;
    if (kinds[i] == BiasKind::keys) o.bias.keys = bias;
  }
  return o;
}

struct Case {
  const char* what;
  Attention options;
  Kinds biases = {};
  Index width = 3;        // of a head of queries and keys
  Index value_width = 3;  // of a head of values
  Index shared_heads = 1;
};

std::vector<Case> bias_cases() {
  const Spans two = packed({6, 4});
  const Spans more = packed({9, 4});
  const Spans gaps = packed({0, 4, 3});
  const Spans other_gaps = packed({5, 0, 3});
  constexpr BiasKind pairs = BiasKind::pairs;
  constexpr BiasKind shared = BiasKind::shared;
  constexpr BiasKind keys = BiasKind::keys;
  // clang-format off
  return {
    {"bias of pairs", {.heads = 4, .queries = two, .keys = two}, {pairs}},
    {"bias of pairs, causal, fewer heads of keys",
     {.heads = 4, .kv_heads = 2, .queries = two, .keys = more, .causal = true}, {pairs}},
    {"bias of pairs, empty sequences",
     {.heads = 2, .queries = gaps, .keys = other_gaps}, {pairs}},
    {"bias of pairs, padded",
     {.heads = 2, .queries = padded({3, 1}, 4), .keys = padded({2, 3}, 5)}, {pairs}},
    {"shared bias", {.heads = 4, .queries = two, .keys = more}, {shared}},
    {"shared bias, a head each",
     {.heads = 4, .kv_heads = 2, .queries = more, .keys = two}, {shared}, 3, 3, 4},
    {"shared bias, causal, window",
     {.heads = 2, .queries = two, .keys = two, .causal = true, .window = 3}, {shared}},
    {"shared bias, empty sequences",
     {.heads = 2, .queries = gaps, .keys = other_gaps}, {shared}},
    {"bias of keys", {.heads = 4, .kv_heads = 1, .queries = two, .keys = more}, {keys}},
    {"bias of keys, padded, causal",
     {.heads = 2, .queries = padded({3, 1}, 4), .keys = padded({2, 3}, 5), .causal = true}, {keys}},
    {"all biases, dropout",
     {.heads = 2, .queries = two, .keys = two, .dropout = Real(0.3), .key = {5, 9}},
     {pairs, shared, keys}, 3, 3, 2},
    {"all biases, cap",
     {.heads = 2, .queries = two, .keys = more, .softcap = Real(0.4)}, {pairs, shared, keys}},
  };
  // clang-format on
}

std::vector<Case> option_cases() {
  const Spans two = packed({6, 4});
  const Spans more = packed({9, 4});
  const Tensor slopes({4}, {Real(0.5), Real(0.25), Real(0.1), 0});
  // clang-format off
  return {
    {"cap", {.heads = 4, .queries = two, .keys = more, .softcap = Real(0.3)}},
    {"cap, causal, slopes",
     {.heads = 4, .queries = two, .keys = two, .causal = true, .slopes = slopes,
      .softcap = Real(0.3)}},
    {"wider values", {.heads = 4, .kv_heads = 2, .queries = two, .keys = more}, {}, 3, 19},
    {"narrower values, causal",
     {.heads = 4, .queries = two, .keys = two, .causal = true}, {}, 17, 1},
    {"sinks", {.heads = 2, .queries = two, .keys = more, .window = 2, .sinks = 2}},
    {"sinks, causal",
     {.heads = 2, .queries = two, .keys = more, .causal = true, .window = 2, .sinks = 3}},
    {"sinks, more queries than keys",
     {.heads = 2, .queries = more, .keys = two, .window = 1, .sinks = 2}},
    {"sinks, causal, more queries than keys",
     {.heads = 2, .queries = more, .keys = two, .causal = true, .window = 1, .sinks = 2}},
    {"more sinks than keys", {.heads = 1, .queries = two, .keys = two, .window = 1, .sinks = 50}},
    {"sinks without a window", {.heads = 1, .queries = two, .keys = two, .sinks = 2}},
    {"rotation", {.heads = 4, .queries = two, .keys = more, .rotation = Rotation{.base = 10}},
     {}, 4, 4},
    {"rotation, more queries than keys, fewer heads of keys",
     {.heads = 4, .kv_heads = 2, .queries = more, .keys = two, .causal = true,
      .rotation = Rotation{.base = 10}}, {}, 6, 6},
    {"rotation of some columns",
     {.heads = 2, .queries = two, .keys = two, .rotation = Rotation{.base = 10, .width = 4}},
     {}, 7, 7},
    {"rotation of neighbours",
     {.heads = 2, .queries = two, .keys = two,
      .rotation = Rotation{.base = 10, .width = 6, .interleaved = true}}, {}, 7, 7},
    {"everything",
     {.heads = 4, .kv_heads = 2, .queries = two, .keys = more, .causal = true, .window = 3,
      .sinks = 2, .slopes = slopes, .softcap = Real(0.5), .rotation = Rotation{.base = 10},
      .scale = Real(0.7)},
     {BiasKind::pairs, BiasKind::shared, BiasKind::keys}, 4, 3, 4},
  };
  // clang-format on
}

std::vector<Input> inputs_of(const Case& c, std::vector<Input> tensors) {
  const Attention& o = c.options;
  const Pairing p{.heads = o.heads, .queries = o.queries, .keys = o.keys};
  for (const BiasKind kind : c.biases) {
    if (kind == BiasKind::pairs) tensors.push_back(numbers_in({p.size()}));
    if (kind == BiasKind::shared)
      tensors.push_back(numbers_in({c.shared_heads, o.queries.longest(), o.keys.longest()}));
    if (kind == BiasKind::keys) tensors.push_back(numbers_in({o.keys.rows()}));
  }
  return tensors;
}

void add_case(std::vector<OpRow>& t, const Case& c) {
  const Attention o = c.options;
  const Kinds kinds = c.biases;
  const Index n = o.queries.rows();
  const Index m = o.keys.rows();
  const Index kv_heads = o.kv_heads > 0 ? o.kv_heads : o.heads;
  const Index d = c.width * o.heads;
  const Index e = c.width * kv_heads;
  const std::string what = c.what;
  // The definition of dropout has other tests.
  const auto reference = [&](const Attention& a) {
    return a.dropout > 0 ? nullptr : attention_of(a, kinds);
  };
  const Input queries = numbers_in({n, d});
  const auto add = [&](const std::string& form, const std::vector<Input>& tensors,
                       const Attention& options, const Compute& compute) {
    t.push_back({"attention", what + form, inputs_of(c, tensors), compute, 2, reference(options)});
  };
  add("", {queries, numbers_in({m, e}), numbers_in({m, c.value_width * kv_heads})}, o,
      [=](Xs x) { return attention(x[0], x[1], x[2], with_biases(o, kinds, x, 3)); });
  if (c.width != c.value_width) return;
  add(", kv", {queries, numbers_in({m, 2 * e})}, o,
      [=](Xs x) { return attention(x[0], x[1], with_biases(o, kinds, x, 2)); });
  if (n != m || !kinds.empty()) return;
  Attention same = o;
  same.keys = same.queries;
  add(", qkv", {numbers_in({n, d + 2 * e})}, same, [=](Xs x) { return attention(x[0], same); });
}

void add_rotary_of_columns(std::vector<OpRow>& t) {
  const Spans spans = packed({3, 0, 4});
  for (const bool interleaved : {false, true})
    for (const Index width : {0, 4}) {
      const Rotary options{
          .heads = 2, .base = 10, .offset = 3, .width = width, .interleaved = interleaved};
      t.push_back({"rotary",
                   fmt::format("{} columns, interleaved {}", width, interleaved),
                   {{spans.rows(), width > 0 ? 14 : 12}},
                   [=](Xs x) { return rotary(x[0], spans, options); },
                   1,
                   rotary_of(spans, options)});
    }
}

/// Large enough for the work to be divided into several pieces.
void add_divided_options(std::vector<OpRow>& t) {
  const Attention o{.heads = 4, .kv_heads = 2, .queries = mixed(40, 40), .keys = mixed(40, 70)};
  const Pairing p{.heads = 4, .queries = o.queries, .keys = o.keys};
  const Index n = o.queries.longest();
  const Index m = o.keys.longest();
  const auto divided = [&](const char* what, const Kinds& kinds, const Shape& bias,
                           const Attention& options) {
    std::vector<Input> inputs{any({o.queries.rows(), 4 * 18}), any({o.keys.rows(), 2 * 18}),
                              any({o.keys.rows(), 2 * 7})};
    if (!kinds.empty()) inputs.push_back(any(bias));
    t.push_back(
        {.op = "attention",
         .what = what,
         .inputs = inputs,
         .compute =
             [=](Xs x) { return attention(x[0], x[1], x[2], with_biases(options, kinds, x, 3)); },
         .size = Size::divided});
  };
  divided("bias of pairs", {BiasKind::pairs}, {p.size()}, o);
  divided("shared bias", {BiasKind::shared}, {1, n, m}, o);
  divided("shared bias, a head each", {BiasKind::shared}, {4, n, m}, o);
  divided("bias of keys", {BiasKind::keys}, {o.keys.rows()}, o);
  Attention others = o;
  others.window = 9;
  others.sinks = 3;
  others.softcap = 1;
  others.rotation = Rotation{};
  divided("sinks, cap, rotation", {}, {}, others);
}

}  // namespace

void add_attention_options(std::vector<OpRow>& t) {
  for (const Case& c : bias_cases())
    add_case(t, c);
  for (const Case& c : option_cases())
    add_case(t, c);
  add_rotary_of_columns(t);
  add_divided_options(t);
}

}  // namespace heed::test
