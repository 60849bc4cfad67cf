#include "tests/framework/ops_table/table.h"

// Rows that are large enough for the work to be divided into several pieces.

namespace heed::test {

namespace {

/// `forward` and `backward` say whether that pass is divided.
struct Divided {
  OpRow row;
  bool forward = true;
  bool backward = true;
};

Ids many_ids(Index count, Index below) {
  Ids ids({count});
  for (Index i = 0; i < count; ++i)
    ids[i] =
        static_cast<Id>(mix(static_cast<std::uint64_t>(i), 7) % static_cast<std::uint64_t>(below));
  return ids;
}

const Shape wide{211, 333};
const Shape row{333};
const Shape column{211, 1};
const Shape vast{600, 450};

void add_elementwise(std::vector<Divided>& t) {
  const auto two = [&](const char* op, Input b, std::function<Variable(Xs)> f) {
    t.push_back({{op, to_string(b.shape), {any(wide), b}, std::move(f)}});
  };
  for (const Shape& b : {wide, row, column}) {
    two("operator+", any(b), OP(x[0] + x[1]));
    // Where nothing broadcasts, the gradient is passed on as it is.
    t.back().backward = !(b == wide);
    two("operator-", any(b), OP(x[0] - x[1]));
    two("operator*", any(b), OP(x[0] * x[1]));
    two("operator/", away(b), OP(x[0] / x[1]));
    two("maximum", any(b), OP(maximum(x[0], x[1])));
    two("minimum", any(b), OP(minimum(x[0], x[1])));
    two("where", any(b), OP(where(stripes(row), x[0], x[1])));
  }
  two("add_scaled", any(wide), OP(add_scaled(x[0], x[1], Real(0.7))));
  two("add_dropout", any(wide), OP(add_dropout(x[0], x[1], Real(0.4), {7, 2})));
  const auto one = [&](const char* op, std::function<Variable(Xs)> f) {
    t.push_back({{op, "", {positive(wide)}, std::move(f)}});
  };
  one("operator-", OP(-x[0]));
  one("masked_fill", OP(masked_fill(x[0], stripes(row), 5)));
  one("exp", OP(exp(x[0])));
  one("log", OP(log(x[0])));
  one("sqrt", OP(sqrt(x[0])));
  one("square", OP(square(x[0])));
  one("abs", OP(abs(x[0])));
  one("power", OP(power(x[0], Real(2.5))));
  one("clamp", OP(clamp(x[0], 1, Real(1.5))));
  one("sin", OP(sin(x[0])));
  one("cos", OP(cos(x[0])));
  one("tanh", OP(tanh(x[0])));
  one("sigmoid", OP(sigmoid(x[0])));
  one("relu", OP(relu(x[0] - 1)));
  one("gelu", OP(gelu(x[0])));
  one("silu", OP(silu(x[0])));
  one("softplus", OP(softplus(x[0])));
  one("dropout", OP(dropout(x[0], Real(0.4), {7, 1})));
  one("relu_dropout", OP(relu_dropout(x[0] - 1, Real(0.4), {7, 3})));
  one("softmax", OP(softmax(x[0])));
  one("log_softmax", OP(log_softmax(x[0])));
  one("recompute", OP(recompute([](Xs y) { return tanh(y[0]); }, operands(x))));
}

void add_norms(std::vector<Divided>& t) {
  t.push_back({{"glu", "", {any({211, 334})}, OP(glu(x[0]))}});
  t.push_back(
      {{"layer_norm", "", {any(wide), any(row), any(row)}, OP(layer_norm(x[0], x[1], x[2]))}});
  t.push_back({{"rms_norm", "", {any(wide), any(row)}, OP(rms_norm(x[0], x[1]))}});
  t.push_back({{"weight_norm", "", {any({210, 3, 111}), any({210})}, OP(weight_norm(x[0], x[1]))}});
}

struct ReductionCase {
  const char* what;
  Shape shape;
  Axes axes;
};

void add_reductions(std::vector<Divided>& t) {
  for (const ReductionCase& c : std::vector<ReductionCase>{{"all", vast, {}},
                                                           {"rows", wide, {1}},
                                                           {"columns", wide, {0}},
                                                           {"middle", {20, 70, 50}, {1}},
                                                           {"ends", {20, 70, 50}, {0, 2}}}) {
    const Input x = any(c.shape);
    t.push_back({{"sum", c.what, {x}, [c](Xs v) { return sum(v[0], c.axes); }}});
    t.push_back({{"mean", c.what, {x}, [c](Xs v) { return mean(v[0], c.axes); }}});
    t.push_back({{"variance", c.what, {x}, [c](Xs v) { return variance(v[0], c.axes); }}});
    // One task finds the largest of all elements.
    const bool whole = c.axes.empty();
    const bool outer = c.shape.rank() == 2 && !whole && c.axes[0] == 1;
    t.push_back({{"max", c.what, {x}, [c](Xs v) { return max(v[0], c.axes); }},
                 !whole,
                 outer || c.shape.rank() == 3});
  }
  t.push_back({{"argmax", "", {any(vast)}, OP(numbers(argmax(x[0])))}, true, false});
  for (int axis : {0, 1})
    t.push_back({{"cumsum", "", {any(wide)}, [axis](Xs x) { return cumsum(x[0], axis); }}});
}

struct ProductCase {
  const char* what;
  Index m;
  Index n;
  Index k;
  bool forward = true;
  bool backward = true;
};

// clang-format off
const std::vector<ProductCase> product_cases{
    {"square", 211, 203, 199},
    {"tall", 5003, 41, 47},
    {"wide", 41, 5003, 47},
    // Threads never share a sum: only the gradients are divided.
    {"deep", 31, 47, 9001, false, true},
    {"row", 1, 3001, 3001},
    {"column", 3001, 1, 3001},
    {"large", 530, 517, 260},
    {"tiny", 3, 5, 7, false, false},
};
// clang-format on

void add_products(std::vector<Divided>& t) {
  for (const ProductCase& c : product_cases) {
    for (int flags = 0; flags < 4; ++flags) {
      const Transpose tr{.a = (flags & 1) != 0, .b = (flags & 2) != 0};
      if (flags > 0 && (c.m == 1 || c.n == 1 || c.k == 260)) continue;
      const Shape a = tr.a ? Shape{c.k, c.m} : Shape{c.m, c.k};
      const Shape b = tr.b ? Shape{c.n, c.k} : Shape{c.k, c.n};
      const auto product = [tr](Xs x) { return matmul(x[0], x[1], tr); };
      t.push_back({{"matmul", fmt::format("{} {}", c.what, flags), {any(a), any(b)}, product},
                   c.forward,
                   c.backward});
    }
    const Input weight = any({c.n, c.k});
    t.push_back(
        {{"linear", c.what, {any({c.m, c.k}), weight, any({c.n})}, OP(linear(x[0], x[1], x[2]))},
         c.forward,
         c.backward || c.n > 64});
  }
}

void add_feed_forward(std::vector<Divided>& t) {
  for (const Index rows : {Index{211}, Index{3001}})  // one block of rows, and several
    for (const Activation f : {Activation::relu, Activation::gelu})
      t.push_back({{"feed_forward",
                    fmt::format("{} rows, {}", rows, f == Activation::relu ? "relu" : "gelu"),
                    {any({rows, 130}), any({211, 130}), any({211}), any({131, 211}), any({131})},
                    [f](Xs x) {
                      return feed_forward(x[0], x[1], x[2], x[3], x[4], f, Real(0.4), {7, 3});
                    }}});
}

void add_batched_products(std::vector<Divided>& t) {
  const auto batched = [&](const char* what, Shape a, Shape b, Transpose tr = {}) {
    t.push_back(
        {{"matmul", what, {any(a), any(b)}, [tr](Xs x) { return matmul(x[0], x[1], tr); }}});
  };
  batched("many small", {70, 23, 21}, {70, 21, 19});
  batched("many small, one a", {23, 21}, {70, 21, 19});
  batched("many small, one b transposed", {700, 23, 21}, {1, 31, 21}, {.b = true});
  batched("a few large", {3, 211, 260}, {3, 260, 190});
}

void add_moves(std::vector<Divided>& t) {
  const auto one = [&](const char* op, const char* what, Shape shape,
                       std::function<Variable(Xs)> f) {
    t.push_back({{op, what, {any(shape)}, std::move(f)}});
  };
  t.push_back({{"reshape", "a view", {any(wide)}, OP(reshape(x[0], {333, 211}))}, false, false});
  one("slice", "columns", {211, 700}, OP(slice(x[0], 1, 100, 533)));
  one("permute", "", {40, 50, 41}, OP(permute(x[0], {2, 0, 1})));
  one("transpose", "", wide, OP(transpose(x[0])));
  one("broadcast_to", "", row, OP(broadcast_to(x[0], wide)));
  one("gather", "rows", wide, OP(gather(x[0], many_ids(300, 211))));
  one("gather", "columns", wide, OP(gather(x[0], many_ids(400, 333), 1)));
  one("scatter_add", "", wide, OP(scatter_add(x[0], many_ids(211, 150), 150)));
  one("embedding", "", {500, 130}, OP(embedding(many_ids(900, 500), x[0], 3)));
  one("pick", "", {70001, 2}, OP(pick(x[0], many_ids(70001, 2))));
  t.back().forward = false;
  const Input half = any({211, 170});
  t.push_back({{"concat", "", {half, half}, OP(concat({x[0], x[1]}, 1))}});
  t.push_back({{"stack", "", {half, half}, OP(stack({x[0], x[1]}, 1))}});
}

void add_losses(std::vector<Divided>& t) {
  for (const CrossEntropy& o :
       {CrossEntropy{}, CrossEntropy{.label_smoothing = Real(0.1), .ignore = 3}}) {
    t.push_back({{"cross_entropy", "", {any({150, 1003})}, [o](Xs x) {
                    return cross_entropy(x[0], many_ids(150, 1003), o);
                  }}});
    t.push_back({{"symmetric_kl", "", {any({150, 1003}), any({150, 1003})}, [o](Xs x) {
                    return symmetric_kl(x[0], x[1], many_ids(150, 1003), o);
                  }}});
    t.push_back(
        {{"linear_cross_entropy", "", {any({300, 64}), any({1003, 64}), any({1003})}, [o](Xs x) {
            return linear_cross_entropy(x[0], x[1], x[2], many_ids(300, 1003), o);
          }}});
    t.push_back(
        {{"copy_cross_entropy",
          "",
          {any({300, 64}), any({1003, 64}), any({1003}), any({300}), Input{Shape{300}, 0.1, 0.9}},
          [o](Xs x) {
            return copy_cross_entropy(x[0], x[1], x[2], x[3], x[4], many_ids(300, 1100), o);
          }}});
  }
}

/// The queries and keys of all rows of attention.
struct AttentionSpans {
  Spans queries = mixed(40, 40);
  Spans keys = mixed(40, 70);
};

void add_attention(std::vector<Divided>& t) {
  const AttentionSpans spans;
  const Spans q = spans.queries;
  const Spans k = spans.keys;
  const Tensor slopes({4}, {Real(0.5), Real(0.25), Real(0.1), 0});
  struct Case {
    const char* what;
    Attention options;
  };
  // clang-format off
  const std::vector<Case> cases{
    {"plain", {.heads = 4, .queries = q, .keys = k}},
    {"causal", {.heads = 4, .queries = q, .keys = k, .causal = true}},
    {"shared keys, dropout",
     {.heads = 4, .kv_heads = 2, .queries = q, .keys = k, .dropout = Real(0.3), .key = {5, 9}}},
    {"window, slopes", {.heads = 4, .queries = q, .keys = k, .window = 9, .slopes = slopes}},
  };
  // clang-format on
  for (const Case& c : cases) {
    const Attention o = c.options;
    const Index d = 4 * 19;
    const Index e = o.kv_heads > 0 ? 2 * 19 : d;
    const Input queries = any({q.rows(), d});
    const Input keys = any({k.rows(), e});
    const Input joined = any({k.rows(), 2 * e});
    t.push_back({{"attention", c.what, {queries, keys, keys}, [=](Xs x) {
                    return attention(x[0], x[1], x[2], o);
                  }}});
    t.push_back(
        {{"attention", "kv", {queries, joined}, [=](Xs x) { return attention(x[0], x[1], o); }}});
    Attention same = o;
    same.keys = q;
    t.push_back({{"attention", "qkv", {any({q.rows(), d + 2 * e})}, [=](Xs x) {
                    return attention(x[0], same);
                  }}});
  }
}

void add_attention_pieces(std::vector<Divided>& t, int heads) {
  const AttentionSpans spans;
  const Pairing p{
      .heads = heads, .queries = spans.queries, .keys = spans.keys, .causal = heads > 1};
  const Index n = p.queries.rows();
  const Index m = p.keys.rows();
  const Index w = 19;
  const Input scores = any({p.size()});
  const Input queries = any({n, heads * w});
  const Input keys = any({m, heads * w});
  const Input reaches{Shape{heads}, 0.6, 20};
  const auto one = [&](const char* op, const char* what, std::vector<Input> inputs, Compute f) {
    t.push_back({{op, what, std::move(inputs), std::move(f)}});
  };
  one("dot_scores", "", {queries, keys}, [=](Xs x) { return dot_scores(x[0], x[1], p); });
  one("scores_softmax", "", {scores}, [=](Xs x) { return scores_softmax(x[0], p); });
  one("scores_softmax", "rest", {scores, any({n, heads})},
      [=](Xs x) { return scores_softmax(x[0], x[1], p); });
  one("span_softmax", "", {scores, reaches},
      [=](Xs x) { return span_softmax(x[0], x[1], Real(7.5), p); });
  one("weighted_values", "", {scores, keys}, [=](Xs x) { return weighted_values(x[0], x[1], p); });
  one("weighted_queries", "", {scores, queries},
      [=](Xs x) { return weighted_queries(x[0], x[1], p); });
  one("by_distance", "", {any({n, heads * 13})}, [=](Xs x) { return by_distance(x[0], 6, p); });
  one("sum_by_distance", "", {scores}, [=](Xs x) { return sum_by_distance(x[0], 6, p); });
  one("linear_attention", "", {away({n, heads * w}), away({m, heads * w}), away({m, heads * w})},
      [=](Xs x) { return linear_attention(x[0], x[1], x[2], p); });
  if (heads > 1) return;
  one("additive_scores", "", {queries, keys, any({w})},
      [=](Xs x) { return additive_scores(x[0], x[1], x[2], p); });
  one("additive_scores", "coverage", {queries, keys, any({w}), scores, any({w})},
      [=](Xs x) { return additive_scores(x[0], x[1], x[2], x[3], x[4], p); });
  one("copy_probability", "", {scores},
      [=](Xs x) { return copy_probability(x[0], many_ids(m, 9), many_ids(n, 12), p); });
}

void add_all_attention(std::vector<Divided>& t) {
  add_attention(t);
  add_attention_pieces(t, 1);
  add_attention_pieces(t, 4);
  const Spans turned = mixed(40, 30);
  t.push_back({{"rotary", "", {any({turned.rows(), 76})}, [=](Xs x) {
                  return rotary(x[0], turned, {.heads = 2});
                }}});
}

void add_recurrences(std::vector<Divided>& t, bool reverse) {
  const Index h = 35;
  const Recurrence o{.spans = mixed(51, 9),
                     .reverse = reverse,
                     .dropout = reverse ? Real(0.3) : Real(0),
                     .key = {5, 9}};
  const Index rows = o.spans.rows();
  const Index count = o.spans.count();
  const auto small = [](const Shape& shape) { return Input{shape, -0.8, 0.8}; };
  const auto x = [&](Index gates) { return small({rows, gates * h}); };
  const auto weight = [&](Index gates) { return small({gates * h, h}); };
  const auto bias = [&](Index gates) { return small({gates * h}); };
  const Input state = small({count, h});
  t.push_back({{"elman", "", {x(1), weight(1), bias(1), state}, [o](Xs v) {
                  return elman(v[0], v[1], v[2], v[3], o);
                }}});
  t.push_back({{"lstm", "", {x(4), weight(4), bias(4), state, state}, [o](Xs v) {
                  return lstm(v[0], v[1], v[2], v[3], v[4], o);
                }}});
  const std::vector<Input> normed{x(4), weight(4), bias(4), bias(1), bias(1), state, state};
  t.push_back({{"norm_lstm", "", normed,
                [o](Xs v) { return norm_lstm(v[0], v[1], v[2], v[3], v[4], v[5], v[6], o); }}});
  t.push_back({{"gru", "", {x(3), weight(3), bias(3), state}, [o](Xs v) {
                  return gru(v[0], v[1], v[2], v[3], o);
                }}});
  const auto last = [o](Xs v) { return final_states(v[0], o.spans, o.reverse, v[1]); };
  t.push_back({{"final_states", "", {small({rows, 800}), small({count, 800})}, last}, true, false});
}

void add_cells(std::vector<Divided>& t) {
  const Index h = 35;
  const Input state = any({101, h});
  const Input gates = any({101, 3 * h});
  t.push_back({{"lstm_cell", "", {any({101, 4 * h}), state}, OP(lstm_cell(x[0], x[1]))}});
  t.push_back({{"gru_cell", "", {gates, gates, state}, OP(gru_cell(x[0], x[1], x[2]))}});
}

void add_convolutions(std::vector<Divided>& t) {
  const Spans spans = mixed(60, 30);
  const Input x = any({spans.rows(), 75});
  t.push_back({{"sequence_dropout", "", {x}, [=](Xs v) {
                  return sequence_dropout(v[0], spans, Real(0.4), {3, 4});
                }}});
  for (bool causal : {false, true}) {
    const Window w{spans, causal, causal ? 2 : 1};
    t.push_back({{"conv1d", "", {x, any({80, 3, 75}), any({80})}, [=](Xs v) {
                    return conv1d(v[0], v[1], v[2], w);
                  }}});
    t.push_back({{"depthwise_conv1d", "", {x, any({3, 75}), any({75})}, [=](Xs v) {
                    return depthwise_conv1d(v[0], v[1], v[2], w);
                  }}});
  }
}

void add_images(std::vector<Divided>& t) {
  const Input images = any({5, 40, 31, 17});
  t.push_back({{"conv2d",
                "",
                {any({3, 29, 31, 13}), any({33, 3, 3, 13}), any({33})},
                OP(conv2d(x[0], x[1], x[2], {.stride = {1, 1}, .padding = {1, 0}}))}});
  t.push_back({{"max_pool2d", "", {images}, OP(max_pool2d(x[0], {3, 2}, {1, 2}))}});
  t.push_back({{"mean_pool2d", "", {images}, OP(mean_pool2d(x[0], {3, 2}, {1, 2}))}});
}

void add_sequences(std::vector<Divided>& t) {
  add_recurrences(t, false);
  add_recurrences(t, true);
  add_cells(t);
  add_convolutions(t);
  add_images(t);
}

}  // namespace

void add_divided(std::vector<OpRow>& rows) {
  std::vector<Divided> all;
  for (auto add : {add_elementwise, add_norms, add_reductions, add_products, add_feed_forward,
                   add_batched_products, add_moves, add_losses, add_all_attention, add_sequences})
    add(all);
  for (Divided& d : all) {
    d.row.size = Size::divided;
    d.row.cuts_forward = d.forward;
    d.row.cuts_backward = d.backward;
    rows.push_back(std::move(d.row));
  }
}

}  // namespace heed::test
