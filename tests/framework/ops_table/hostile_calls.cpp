#include <limits>

#include "tests/framework/ops_table/table.h"

// Ids, spans, numbers and other options that no op expects.

namespace heed::test {

namespace {

constexpr Real infinity = std::numeric_limits<Real>::infinity();
constexpr Real nan = std::numeric_limits<Real>::quiet_NaN();
constexpr Index huge = Index{1} << 40;
constexpr Index lowest = std::numeric_limits<Index>::min();

Tensor filled(const Shape& shape, Real value) { return Tensor::full(shape, value); }

std::vector<Ids> ids_for(Index count) {
  std::vector<Ids> result{Ids(), Ids({0}), Ids({count, 1})};
  for (const Id id :
       {-1, 0, 3, 4, 1000, std::numeric_limits<Id>::min(), std::numeric_limits<Id>::max()}) {
    result.push_back(Ids::full({count}, id));
    result.push_back(Ids::full({count + 1}, id));
  }
  return result;
}

void add_reductions(std::vector<HostileCall>& calls, int axis) {
  const Variable x = parameter({3, 4});
  for (const auto& reduce : {+[](const Operand& v, const Axes& a) { return sum(v, a); },
                             +[](const Operand& v, const Axes& a) { return mean(v, a); },
                             +[](const Operand& v, const Axes& a) { return max(v, a); },
                             +[](const Operand& v, const Axes& a) { return variance(v, a); }}) {
    for (const char* op : {"sum", "mean", "max", "variance"}) {
      calls.push_back({op, [=] { return reduce(x, {axis}); }});
      calls.push_back({op, [=] { return reduce(x, {axis, axis}); }});
      calls.push_back({op, [=] { return reduce(parameter({0, 4}), {axis}); }});
      calls.push_back({op, [=] { return reduce(parameter({0}), {}); }});
    }
  }
}

void add_axes(std::vector<HostileCall>& calls, int axis) {
  const Variable x = parameter({3, 4});
  calls.push_back({"cumsum", [=] { return cumsum(x, axis); }});
  calls.push_back({"gather", [=] { return gather(x, ids({0, 2}), axis); }});
  calls.push_back({"concat", [=] { return concat({x, x}, axis); }});
  calls.push_back({"concat", [=] { return concat(std::vector<Variable>{x, Variable()}, axis); }});
  calls.push_back({"stack", [=] { return stack({x, x}, axis); }});
  calls.push_back({"stack", [=] { return stack(std::vector<Variable>{}, axis); }});
  calls.push_back({"transpose", [=] { return transpose(x, axis, 0); }});
  calls.push_back({"permute", [=] { return permute(x, {axis, 0}); }});
  calls.push_back({"permute", [=] { return permute(x, {axis}); }});
  for (const Index bound : {lowest, Index{-1}, Index{0}, Index{2}, Index{5}, huge}) {
    calls.push_back({"slice", [=] { return slice(x, axis, bound, 3); }});
    calls.push_back({"slice", [=] { return slice(x, axis, 0, bound); }});
  }
}

void add_extents(std::vector<HostileCall>& calls) {
  const Variable x = parameter({3, 4});
  calls.push_back({"concat", [] { return concat(std::vector<Variable>{}, 0); }});
  for (const Index extent : {lowest, Index{-2}, Index{-1}, Index{0}, Index{5}, huge}) {
    calls.push_back({"reshape", [=] { return reshape(x, {extent, 4}); }});
    calls.push_back({"reshape", [=] { return reshape(x, {-1, extent}); }});
    calls.push_back({"reshape", [=] { return reshape(parameter({0, 4}), {-1, extent}); }});
    calls.push_back({"broadcast_to", [=] {
                       Shape shape{1, 4};
                       shape[0] = extent;
                       return broadcast_to(parameter({1, 4}), shape);
                     }});
    calls.push_back({"scatter_add", [=] { return scatter_add(x, ids({0, 1, 2}), extent); }});
    calls.push_back({"scatter_add", [=] {
                       return scatter_add(parameter({0, 2}), Ids({0}), extent);
                     }});
  }
}

void add_shapes(std::vector<HostileCall>& calls) {
  for (const int axis : {-100, -3, -2, 0, 1, 2, 100}) {
    add_reductions(calls, axis);
    add_axes(calls, axis);
  }
  add_extents(calls);
}

void add_numbers(std::vector<HostileCall>& calls) {
  const Variable x = parameter({3, 4});
  for (const Real value : {Real(-1), Real(0), Real(1), Real(2), nan, infinity, -infinity}) {
    calls.push_back({"power", [=] { return power(x, value); }});
    calls.push_back({"clamp", [=] { return clamp(x, value, -value); }});
    calls.push_back({"masked_fill", [=] { return masked_fill(x, filled({3, 1}, 1), value); }});
    calls.push_back(
        {"layer_norm", [=] { return layer_norm(x, parameter({4}), parameter({4}), value); }});
    calls.push_back({"rms_norm", [=] { return rms_norm(x, parameter({4}), value); }});
    calls.push_back({"dropout", [=] { return dropout(x, value, {}); }});
    calls.push_back({"add_dropout", [=] { return add_dropout(x, x, value, {}); }});
    calls.push_back({"relu_dropout", [=] { return relu_dropout(x, value, {}); }});
    calls.push_back({"feed_forward", [=] {
                       return feed_forward(x, parameter({5, 4}), Variable(), parameter({2, 5}),
                                           Variable(), Activation::gelu, value, {});
                     }});
    calls.push_back({"add_scaled", [=] { return add_scaled(x, x, value); }});
    calls.push_back({"embedding", [=] { return embedding(ids({0}), x, value); }});
    calls.push_back(
        {"sequence_dropout", [=] { return sequence_dropout(x, packed({3}), value, {}); }});
  }
}

void add_masks_and_products(std::vector<HostileCall>& calls) {
  const Variable x = parameter({3, 4});
  const Tensor none;
  calls.push_back({"where", [=] { return where(none, x, x); }});
  calls.push_back({"where", [=] { return where(filled({7}, 1), x, x); }});
  calls.push_back({"masked_fill", [=] { return masked_fill(x, none, 1); }});
  calls.push_back({"masked_fill", [=] { return masked_fill(x, filled({2, 3, 4}, 1), 1); }});
  calls.push_back({"matmul", [=] { return matmul(x, x, {.a = true, .b = true}); }});
  calls.push_back({"matmul", [=] { return matmul(parameter({3, 0}), parameter({0, 2})); }});
  calls.push_back({"linear", [=] {
                     return linear(parameter({2, 0}), parameter({4, 0}), parameter({4}));
                   }});
  calls.push_back({"recompute", [=] {
                     const auto fn = [](std::span<const Variable>) { return Variable(); };
                     const std::vector<Operand> inputs{x};
                     return recompute(fn, inputs);
                   }});
  calls.push_back({"recompute", [] {
                     const auto fn = [](std::span<const Variable> v) { return v[0] + v[1]; };
                     return recompute(fn, std::vector<Operand>{Operand(1), Operand(2)});
                   }});
}

void add_ids(std::vector<HostileCall>& calls) {
  const Variable x = parameter({3, 4});
  for (const Ids& bad : ids_for(3)) {
    calls.push_back({"gather", [=] { return gather(x, bad, 0); }});
    calls.push_back({"scatter_add", [=] { return scatter_add(x, bad, 3); }});
    calls.push_back({"embedding", [=] { return embedding(bad, x); }});
    calls.push_back({"pick", [=] { return pick(x, bad); }});
    calls.push_back({"cross_entropy", [=] { return cross_entropy(x, bad); }});
    calls.push_back({"symmetric_kl", [=] { return symmetric_kl(x, x, bad); }});
    calls.push_back({"linear_cross_entropy", [=] {
                       return linear_cross_entropy(x, parameter({5, 4}), bad);
                     }});
    calls.push_back({"copy_cross_entropy", [=] {
                       return copy_cross_entropy(x, parameter({5, 4}), Variable(), parameter({3}),
                                                 parameter({3}), bad);
                     }});
    Pairing p;
    p.queries = packed({3});
    p.keys = packed({3});
    calls.push_back({"copy_probability",
                     [=] { return copy_probability(parameter({9}), bad, Ids::zeros({3}), p); }});
    calls.push_back({"copy_probability",
                     [=] { return copy_probability(parameter({9}), Ids::zeros({3}), bad, p); }});
  }
  for (const Real value : {Real(-1), Real(0), Real(1), nan, infinity}) {
    calls.push_back({"cross_entropy", [=] {
                       return cross_entropy(x, ids({0, 1, 2}), {.label_smoothing = value});
                     }});
    calls.push_back({"cross_entropy", [=] {
                       return cross_entropy(x, ids({0, 1, 2}), {.divisor = value});
                     }});
    calls.push_back(
        {"linear_cross_entropy", [=] {
           return linear_cross_entropy(x, parameter({5, 4}), ids({0, 1, 2}), {.divisor = value});
         }});
  }
  calls.push_back({"cross_entropy", [=] { return cross_entropy(parameter({0, 0}), Ids({0})); }});
  calls.push_back({"symmetric_kl", [=] {
                     return symmetric_kl(parameter({0, 0}), parameter({0, 0}), Ids({0}));
                   }});
  calls.push_back({"cross_entropy", [=] { return cross_entropy(parameter({2, 0}), ids({0, 0})); }});
}

void add_attention(std::vector<HostileCall>& calls, const Spans& queries, const Spans& keys,
                   int heads, int kv_heads, Index window) {
  const Variable q = parameter({3, 4});
  const Variable k = parameter({5, 4});
  Attention o;
  o.heads = heads;
  o.kv_heads = kv_heads;
  o.queries = queries;
  o.keys = keys;
  o.causal = true;
  o.window = window;
  auto weights = std::make_shared<std::vector<Tensor>>();
  Attention biased = o;
  biased.sinks = 1;
  biased.softcap = 2;
  biased.rotation = Rotation{.width = 2};
  biased.bias.pairs = parameter({15});
  biased.bias.shared = parameter({1, 3, 5});
  biased.bias.keys = parameter({5});
  calls.push_back({"attention", [=] { return attention(q, k, k, o); }});
  calls.push_back({"attention", [=] { return attention(q, k, parameter({5, 12}), biased); }});
  calls.push_back({"attention", [=] { return attention(q, parameter({5, 8}), o); }});
  calls.push_back({"attention", [=] {
                     Attention kept = o;
                     kept.keys = kept.queries;
                     kept.weights = weights.get();
                     return attention(parameter({3, 12}), kept);
                   }});
}

void add_attention_pieces(std::vector<HostileCall>& calls, const Pairing& p) {
  const Variable q = parameter({3, 4});
  const Variable k = parameter({5, 4});
  auto weights = std::make_shared<std::vector<Tensor>>();
  const auto scores = [p] {  // as many as the op expects, where they can be counted
    return parameter({std::max<Index>(0, std::min<Index>(p.size(), 1000))});
  };
  calls.push_back({"dot_scores", [=] { return dot_scores(q, k, p); }});
  calls.push_back({"additive_scores", [=] { return additive_scores(q, k, parameter({4}), p); }});
  calls.push_back({"additive_scores", [=] {
                     return additive_scores(q, k, parameter({4}), scores(), parameter({4}), p);
                   }});
  calls.push_back({"scores_softmax", [=] { return scores_softmax(scores(), p); }});
  calls.push_back({"scores_softmax", [=] {
                     return scores_softmax(scores(), parameter({3, 1}), p);
                   }});
  calls.push_back({"weighted_values", [=] { return weighted_values(scores(), k, p); }});
  calls.push_back({"weighted_queries", [=] { return weighted_queries(scores(), q, p); }});
  calls.push_back({"copy_probability", [=] {
                     return copy_probability(scores(), Ids::zeros({5}), Ids::zeros({3}), p);
                   }});
  calls.push_back(
      {"linear_attention", [=] { return linear_attention(q, k, k, p, weights.get()); }});
  for (const Real ramp : {Real(-1), Real(0), Real(2), nan}) {
    calls.push_back(
        {"span_softmax", [=] { return span_softmax(scores(), parameter({1}), ramp, p); }});
  }
  for (const Index reach : {lowest, Index{-1}, Index{0}, Index{2}, huge}) {
    calls.push_back({"by_distance", [=] { return by_distance(parameter({3, 5}), reach, p); }});
    calls.push_back({"sum_by_distance", [=] { return sum_by_distance(scores(), reach, p); }});
  }
}

void add_all_attention(std::vector<HostileCall>& calls, const Spans& queries, const Spans& keys,
                       int heads, int kv_heads, Index window) {
  add_attention(calls, queries, keys, heads, kv_heads, window);
  add_attention_pieces(calls, {.heads = heads,
                               .kv_heads = kv_heads,
                               .queries = queries,
                               .keys = keys,
                               .causal = true,
                               .window = window});
}

void add_attention_options(std::vector<HostileCall>& calls) {
  const Variable q = parameter({3, 4});
  Attention plain;
  plain.heads = 2;
  plain.queries = plain.keys = packed({3});
  plain.window = 1;
  const auto with = [&](auto change) {
    Attention o = plain;
    change(o);
    calls.push_back({"attention", [=] { return attention(q, q, q, o); }});
  };
  for (const Index i : {lowest, Index{-1}, Index{0}, Index{3}, huge, -(lowest + 1)}) {
    with([=](Attention& o) { o.sinks = i; });
    with([=](Attention& o) { o.rotation = Rotation{.width = i}; });
  }
  for (const Real x : {Real(-1), Real(0), nan, infinity, -infinity}) {
    with([=](Attention& o) { o.softcap = x; });
    with([=](Attention& o) { o.rotation = Rotation{.base = x}; });
    with([=](Attention& o) { o.bias.keys = filled({3}, x); });
    with([=](Attention& o) { o.bias.shared = filled({2, 3, 3}, x); });
  }
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{3}, Shape{18}, Shape{1, 3, 3}, Shape{3, 3}}) {
    with([=](Attention& o) { o.bias.pairs = parameter(shape); });
    with([=](Attention& o) { o.bias.shared = parameter(shape); });
    with([=](Attention& o) { o.bias.keys = parameter(shape); });
  }
}

void add_attention_family(std::vector<HostileCall>& calls) {
  add_attention_options(calls);
  for (const Spans& queries : spans_for(3)) {
    for (const Spans& keys : spans_for(5))
      add_all_attention(calls, queries, keys, 1, 0, 0);
  }
  for (const int heads : {-4, -1, 0, 1, 2, 3, 1 << 30}) {
    for (const int kv_heads : {-1, 0, 1, 2, 3})
      add_all_attention(calls, packed({3}), packed({5}), heads, kv_heads, 0);
  }
  for (const Index window : {lowest, Index{-1}, Index{0}, Index{1}, huge}) {
    add_all_attention(calls, packed({1, 2}), packed({5, 0}), 1, 0, window);
  }
}

void add_recurrences(std::vector<HostileCall>& calls, const Spans& spans, Real p) {
  const Variable x = parameter({3, 4});
  const Recurrence o{.spans = spans, .reverse = true, .dropout = p};
  const Variable none;
  calls.push_back({"elman", [=] { return elman(x, parameter({4, 4}), none, none, o); }});
  calls.push_back({"lstm", [=] {
                     return lstm(x, parameter({4, 1}), none, none, parameter({2, 1}), o);
                   }});
  calls.push_back({"gru", [=] {
                     return gru(parameter({3, 6}), parameter({6, 2}), none, parameter({1, 2}), o);
                   }});
  calls.push_back({"norm_lstm", [=] {
                     return norm_lstm(x, parameter({4, 1}), parameter({4}), parameter({1}),
                                      parameter({1}), none, none, o);
                   }});
  calls.push_back({"sequence_dropout", [=] { return sequence_dropout(x, spans, p, {}); }});
}

void add_convolutions(std::vector<HostileCall>& calls, const Spans& spans) {
  const Variable x = parameter({3, 4});
  for (const Index dilation : {lowest, Index{-1}, Index{0}, Index{1}, huge}) {
    const Window window{.spans = spans, .causal = true, .dilation = dilation};
    calls.push_back({"conv1d", [=] {
                       return conv1d(x, parameter({2, 3, 4}), Variable(), window);
                     }});
    calls.push_back({"conv1d", [=] {
                       return conv1d(x, parameter({2, 0, 4}), Variable(), window);
                     }});
    calls.push_back({"depthwise_conv1d", [=] {
                       return depthwise_conv1d(x, parameter({3, 4}), Variable(), window);
                     }});
  }
}

void add_rotary(std::vector<HostileCall>& calls, const Spans& spans) {
  const Variable x = parameter({3, 4});
  for (const Index offset : {lowest, -huge, Index{-1}, Index{0}, huge}) {
    for (const Spans& end : spans_for(4)) {
      calls.push_back({"rotary", [=] {
                         return rotary(x, spans, {.heads = 2, .offset = offset, .end_of = end});
                       }});
    }
  }
  for (const int heads : {-1, 0, 3})
    calls.push_back({"rotary", [=] { return rotary(x, spans, {.heads = heads}); }});
  for (const Real base : {Real(-1), Real(0), nan, infinity}) {
    calls.push_back({"rotary", [=] { return rotary(x, spans, {.base = base}); }});
  }
  for (const Index width : {lowest, Index{-2}, Index{1}, Index{2}, Index{6}, huge}) {
    calls.push_back({"rotary", [=] { return rotary(x, spans, {.heads = 2, .width = width}); }});
  }
}

void add_spans(std::vector<HostileCall>& calls) {
  const Variable x = parameter({3, 4});
  for (const Spans& spans : spans_for(3)) {
    for (const Real p : {Real(-1), Real(0), Real(0.5), Real(1), nan}) {
      add_recurrences(calls, spans, p);
    }
    calls.push_back({"final_states", [=] { return final_states(x, spans, false, Variable()); }});
    calls.push_back({"final_states", [=] {
                       return final_states(x, spans, true, parameter({2, 4}));
                     }});
    add_convolutions(calls, spans);
    add_rotary(calls, spans);
  }
}

void add_images(std::vector<HostileCall>& calls) {
  const Variable x = parameter({2, 3, 4, 2});
  for (const Index i : {lowest, Index{-1}, Index{0}, Index{1}, Index{5}, huge}) {
    calls.push_back({"max_pool2d", [=] { return max_pool2d(x, {i, 1}); }});
    calls.push_back({"max_pool2d", [=] { return max_pool2d(x, {1, 2}, {1, i}); }});
    calls.push_back({"mean_pool2d", [=] { return mean_pool2d(x, {2, i}); }});
    calls.push_back({"mean_pool2d", [=] { return mean_pool2d(x, {2, 2}, {i, i}); }});
    calls.push_back({"conv2d", [=] {
                       return conv2d(x, parameter({3, 2, 2, 2}), Variable(), {.stride = {i, 1}});
                     }});
    calls.push_back({"conv2d", [=] {
                       return conv2d(x, parameter({3, 2, 2, 2}), Variable(), {.padding = {1, i}});
                     }});
  }
}

}  // namespace

void add_hostile(std::vector<HostileCall>& calls) {
  add_shapes(calls);
  add_numbers(calls);
  add_masks_and_products(calls);
  add_ids(calls);
  add_attention_family(calls);
  add_spans(calls);
  add_images(calls);
}

}  // namespace heed::test
