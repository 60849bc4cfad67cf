#include "tests/framework/ops_table.h"

namespace heed::test {

namespace {

struct ShapePair {
  const char* what;
  Shape a;
  Shape b;
};

std::vector<ShapePair> broadcasting_shapes() {
  // clang-format off
  return {
    {"same shape", {3, 5}, {3, 5}},
    {"scalar", {3, 5}, {}},
    {"scalar first", {}, {3, 5}},
    {"row", {4, 19}, {19}},
    {"row first", {19}, {4, 19}},
    {"column", {4, 19}, {4, 1}},
    {"outer", {4, 1}, {1, 5}},
    {"middle", {2, 3, 4}, {2, 1, 4}},
    {"ends", {2, 3, 4}, {1, 3, 1}},
    {"both ways", {2, 1, 3, 1}, {3, 1, 2}},
    {"extent one", {1, 1}, {1}},
    {"empty", {0, 3}, {3}},
  };
  // clang-format on
}

void add_broadcasting(std::vector<OpRow>& t) {
  for (const ShapePair& p : broadcasting_shapes()) {
    const std::vector<Input> any{{Input::uniform, p.a}, {Input::uniform, p.b}};
    const std::vector<Input> apart{distinct(p.a), distinct(p.b)};
    t.push_back({"operator+", p.what, any, OP(x[0] + x[1])});
    t.push_back({"operator-", p.what, any, OP(x[0] - x[1])});
    t.push_back({"operator*", p.what, any, OP(x[0] * x[1])});
    t.push_back({"operator/", p.what, {{Input::uniform, p.a}, away(p.b)}, OP(x[0] / x[1])});
    t.push_back({"maximum", p.what, apart, OP(maximum(x[0], x[1]))});
    t.push_back({"minimum", p.what, apart, OP(minimum(x[0], x[1]))});
    t.push_back({"where", p.what, any, OP(where(stripes(x[0].shape()), x[0], x[1]))});
  }
}

void add_arithmetic(std::vector<OpRow>& t) {
  t.push_back({"operator+", "itself", {{3, 4}}, OP(x[0] + x[0])});
  t.push_back({"operator*", "itself", {{3, 4}}, OP(x[0] * x[0])});
  t.push_back(
      {"operator*", "itself, repeated", {{4}}, OP(x[0] * (x[0] * Tensor::full({3, 1}, 2)))});
  t.push_back({"operator-", "unary", {{3, 20}}, OP(-x[0])});
  t.push_back({"operator-", "number first", {{3, 4}}, OP(2 - x[0])});
  t.push_back({"operator/", "number first", {positive({3, 4})}, OP(2 / x[0])});
  t.push_back({"where", "broad condition", {{3}, {}}, OP(where(stripes({2, 4, 1}), x[0], x[1]))});
  t.push_back({"masked_fill", "full mask", {{3, 7}}, OP(masked_fill(x[0], stripes({3, 7}), -9))});
  t.push_back({"masked_fill", "row mask", {{2, 3, 4}}, OP(masked_fill(x[0], stripes({4}), 5))});
  t.push_back(
      {"masked_fill", "column mask", {{2, 3, 4}}, OP(masked_fill(x[0], stripes({3, 1}), 5))});
}

void add_unary(std::vector<OpRow>& t) {
  for (const Shape& shape : {Shape{3, 7}, Shape{}, Shape{2, 0}, Shape{41}}) {
    const Input any{Input::uniform, shape, -2, 2};
    const Input above{shape, 0.5, 2};
    const std::string what = to_string(shape);
    t.push_back({"exp", what, {any}, OP(exp(x[0]))});
    t.push_back({"log", what, {above}, OP(log(x[0]))});
    t.push_back({"sqrt", what, {above}, OP(sqrt(x[0]))});
    t.push_back({"square", what, {any}, OP(square(x[0]))});
    t.push_back({"abs", what, {away(shape)}, OP(abs(x[0]))});
    t.push_back({"power", what, {above}, OP(power(x[0], Real(2.5)))});
    t.push_back({"power", what + " inverse", {away(shape)}, OP(power(x[0], -1)), 3});
    t.push_back({"power", what + " zero", {any}, OP(power(x[0], 0))});
    t.push_back({"clamp", what, {away(shape)}, OP(clamp(x[0], Real(-0.2), Real(0.2)))});
    t.push_back({"clamp", what + " one side", {away(shape)}, OP(clamp(x[0], 0, 9))});
    t.push_back({"sin", what, {any}, OP(sin(x[0]))});
    t.push_back({"cos", what, {any}, OP(cos(x[0]))});
    t.push_back({"tanh", what, {any}, OP(tanh(x[0]))});
    t.push_back({"sigmoid", what, {any}, OP(sigmoid(x[0]))});
    t.push_back({"relu", what, {away(shape)}, OP(relu(x[0]))});
    t.push_back({"gelu", what, {any}, OP(gelu(x[0]))});
    t.push_back({"silu", what, {any}, OP(silu(x[0]))});
    t.push_back({"softplus", what, {any}, OP(softplus(x[0]))});
  }
}

void add_reductions(std::vector<OpRow>& t) {
  struct Case {
    Shape shape;
    Axes axes;
    bool keep;
  };
  for (const Case& c : std::vector<Case>{{{3, 4}, {}, false},
                                         {{3, 4}, {1}, false},
                                         {{3, 4}, {0}, true},
                                         {{2, 3, 4}, {-2}, false},
                                         {{2, 3, 4}, {0, 2}, false},
                                         {{2, 3, 4}, {2, 0}, true},
                                         {{2, 3, 2, 3}, {1, 3}, false},
                                         {{2, 3, 2, 3}, {0, 2}, false},
                                         {{2, 1, 3}, {1}, false},
                                         {{5, 70}, {0}, false},
                                         {{}, {}, false}}) {
    const std::string what = fmt::format("{} number {}", c.shape, t.size());
    t.push_back({"sum", what, {{Input::uniform, c.shape}}, [c](Xs x) {
                   return sum(x[0], c.axes, c.keep);
                 }});
    t.push_back({"mean", what, {{Input::uniform, c.shape}}, [c](Xs x) {
                   return mean(x[0], c.axes, c.keep);
                 }});
    t.push_back(
        {"max", what, {distinct(c.shape)}, [c](Xs x) { return max(x[0], c.axes, c.keep); }});
    t.push_back({"variance", what, {{Input::uniform, c.shape}}, [c](Xs x) {
                   return variance(x[0], c.axes, c.keep);
                 }});
  }
  t.push_back({"sum", "nothing", {{2, 0}}, OP(sum(x[0], {1}))});
  t.push_back({"mean", "an axis, nothing kept", {{0, 3}}, OP(mean(x[0], {1}))});
  t.push_back({"cumsum", "last", {{3, 5}}, OP(cumsum(x[0], -1))});
  t.push_back({"cumsum", "first", {{5, 70}}, OP(cumsum(x[0], 0))});
  t.push_back({"cumsum", "middle", {{2, 3, 4}}, OP(cumsum(x[0], 1))});
}

void add_products(std::vector<OpRow>& t) {
  for (int flags = 0; flags < 4; ++flags) {
    const Transpose tr{.a = (flags & 1) != 0, .b = (flags & 2) != 0};
    const auto a = [&](std::vector<Index> leading) {
      leading.insert(leading.end(), {tr.a ? 4 : 3, tr.a ? 3 : 4});
      return Input{Input::uniform, Shape(leading)};
    };
    const auto b = [&](std::vector<Index> leading) {
      leading.insert(leading.end(), {tr.b ? 5 : 4, tr.b ? 4 : 5});
      return Input{Input::uniform, Shape(leading)};
    };
    const std::string what = fmt::format("transposed {} {}", tr.a, tr.b);
    const auto product = [tr](Xs x) { return matmul(x[0], x[1], tr); };
    t.push_back({"matmul", what, {a({}), b({})}, product});
    t.push_back({"matmul", what + ", batched", {a({2, 3}), b({2, 3})}, product});
    t.push_back({"matmul", what + ", one b", {a({2, 2}), b({})}, product});
    t.push_back({"matmul", what + ", one a", {a({}), b({3})}, product});
    t.push_back({"matmul", what + ", crossed", {a({2, 1}), b({1, 3})}, product});
    t.push_back({"matmul", what + ", first axis shared", {a({1, 2}), b({3, 2})}, product});
    t.push_back({"matmul", what + ", none", {a({0}), b({})}, product});
  }
  t.push_back({"matmul", "with itself", {{3, 3}}, OP(matmul(x[0], x[0]))});
  t.push_back({"matmul", "inner extent 0", {{3, 0}, {0, 2}}, OP(matmul(x[0], x[1]))});
  t.push_back({"linear", "matrix", {{3, 4}, {5, 4}, {5}}, OP(linear(x[0], x[1], x[2]))});
  t.push_back({"linear", "three axes", {{2, 3, 4}, {5, 4}, {5}}, OP(linear(x[0], x[1], x[2]))});
  t.push_back({"linear", "vector", {{4}, {5, 4}, {5}}, OP(linear(x[0], x[1], x[2]))});
  t.push_back({"linear", "without bias", {{3, 4}, {5, 4}}, OP(linear(x[0], x[1]))});
  t.push_back({"linear", "undefined bias", {{3, 4}, {5, 4}}, OP(linear(x[0], x[1], Variable()))});
  t.push_back({"linear", "no rows", {{0, 4}, {5, 4}, {5}}, OP(linear(x[0], x[1], x[2]))});
}

void add_shapes(std::vector<OpRow>& t) {
  t.push_back({"reshape", "merge", {{2, 3, 4}}, OP(reshape(x[0], {6, 4}))});
  t.push_back({"reshape", "open extent", {{2, 3, 4}}, OP(square(reshape(x[0], {4, -1})))});
  t.push_back({"slice", "first axis", {{5, 3}}, OP(slice(x[0], 0, 1, 4))});
  t.push_back({"slice", "last axis", {{5, 6}}, OP(slice(x[0], -1, 2, 5))});
  t.push_back({"slice", "middle axis", {{2, 5, 3}}, OP(slice(x[0], 1, 2, 3))});
  t.push_back({"slice", "nothing", {{2, 5}}, OP(slice(x[0], 1, 2, 2))});
  t.push_back({"slice", "overlapping", {{4, 6}}, OP(slice(x[0], 1, 0, 4) * slice(x[0], 1, 2, 6))});
  t.push_back({"slice",
               "overlapping, first axis",
               {{6, 2}},
               OP(slice(x[0], 0, 0, 4) * slice(x[0], 0, 2, 6))});
  t.push_back(
      {"concat", "first axis", {{2, 3}, {1, 3}, {0, 3}}, OP(concat({x[0], x[1], x[2]}, 0))});
  t.push_back({"concat", "last axis", {{2, 3}, {2, 1}}, OP(concat({x[0], x[1]}, -1))});
  t.push_back({"concat",
               "middle axis, twice the same",
               {{2, 3, 2}, {2, 1, 2}},
               OP(concat({x[0], x[1], x[0]}, 1))});
  t.push_back(
      {"concat", "first axis, twice the same", {{2, 3}}, OP(square(concat({x[0], x[0]}, 0)))});
  t.push_back({"stack", "first", {{2, 3}, {2, 3}}, OP(stack({x[0], x[1]}, 0))});
  t.push_back({"stack", "last", {{2, 3}, {2, 3}}, OP(stack({x[0], x[1]}, -1))});
  t.push_back({"stack", "scalars", {{}, {}}, OP(stack({x[0], x[1]}, 0))});
  t.push_back({"permute", "matrix", {{3, 20}}, OP(permute(x[0], {1, 0}))});
  t.push_back({"permute", "heads", {{2, 3, 4, 2}}, OP(permute(x[0], {0, 2, 1, 3}))});
  t.push_back({"permute", "turn", {{2, 3, 4}}, OP(permute(x[0], {2, 0, 1}))});
  t.push_back({"permute", "reverse", {{2, 3, 1, 4}}, OP(permute(x[0], {-1, 2, 1, 0}))});
  t.push_back({"permute", "nothing moves", {{2, 1, 4}}, OP(square(permute(x[0], {1, 0, 2})))});
  t.push_back({"transpose", "last two", {{2, 3, 4}}, OP(transpose(x[0]))});
  t.push_back({"transpose", "outer two", {{2, 3, 4}}, OP(transpose(x[0], 0, 2))});
  t.push_back({"broadcast_to", "rows", {{3}}, OP(broadcast_to(x[0], {4, 3}))});
  t.push_back({"broadcast_to", "columns", {{4, 1}}, OP(broadcast_to(x[0], {2, 4, 3}))});
  t.push_back({"broadcast_to", "same size", {{3}}, OP(broadcast_to(x[0], {1, 3}))});
}

void add_rows(std::vector<OpRow>& t) {
  t.push_back({"gather", "first axis, repeated", {{4, 3}}, OP(gather(x[0], ids({2, 0, 2, 2})))});
  t.push_back({"gather", "last axis", {{2, 4}}, OP(gather(x[0], ids({3, 1, 1}), -1))});
  t.push_back({"gather", "middle axis", {{2, 4, 3}}, OP(gather(x[0], ids({3, 1, 3}), 1))});
  t.push_back({"gather", "nothing", {{4, 3}}, OP(gather(x[0], ids({})))});
  t.push_back({"scatter_add", "matrix", {{4, 3}}, OP(scatter_add(x[0], ids({1, 5, 1, 0}), 6))});
  t.push_back({"scatter_add", "vector", {{4}}, OP(scatter_add(x[0], ids({1, 1, 1, 0}), 2))});
  t.push_back({"embedding", "ids of one axis", {{5, 3}}, OP(embedding(ids({4, 0, 4}), x[0]))});
  t.push_back({"embedding",
               "ids of two axes, scaled",
               {{5, 3}},
               OP(embedding(Ids({2, 2}, {4, 0, 4, 1}), x[0], 3))});
  t.push_back({"pick", "", {{3, 4}}, OP(pick(x[0], ids({3, 0, 2})))});
}

void add_normalisation(std::vector<OpRow>& t) {
  for (const Shape& shape : {Shape{3, 5}, Shape{2, 2, 37}, Shape{3, 1}, Shape{7}, Shape{0, 4}}) {
    const std::string what = to_string(shape);
    const Input input{Input::uniform, shape};
    const Input row{Input::uniform, Shape{shape.columns()}};
    t.push_back({"softmax", what, {input}, OP(softmax(x[0]))});
    t.push_back({"log_softmax", what, {input}, OP(log_softmax(x[0]))});
    t.push_back({"dropout", what, {input}, OP(dropout(x[0], Real(0.4), {7, 1}))});
    t.push_back(
        {"add_dropout", what, {input, input}, OP(add_dropout(x[0], x[1], Real(0.4), {7, 2}))});
    t.push_back({"relu_dropout", what, {away(shape)}, OP(relu_dropout(x[0], Real(0.4), {7, 3}))});
    t.push_back({"rms_norm", what, {input, row}, OP(rms_norm(x[0], x[1], Real(0.1))), 2});
    t.push_back(
        {"layer_norm", what, {input, row, row}, OP(layer_norm(x[0], x[1], x[2], Real(0.1))), 2});
  }
  t.push_back({"dropout", "none", {{3, 4}}, OP(dropout(x[0], 0, {7, 1}))});
  t.push_back({"add_dropout", "none", {{3, 4}, {3, 4}}, OP(add_dropout(x[0], x[1], 0, {7, 1}))});
  t.push_back({"add_dropout", "itself", {{3, 4}}, OP(add_dropout(x[0], x[0], Real(0.5), {7, 1}))});
  t.push_back({"relu_dropout", "none", {away({3, 4})}, OP(relu_dropout(x[0], 0, {7, 1}))});
}

void add_feed_forward(std::vector<OpRow>& t) {
  const auto small = [](const Shape& shape) { return Input(shape, -0.4, 0.4); };
  for (const Activation f : {Activation::gelu, Activation::relu}) {
    const bool gelu = f == Activation::gelu;
    // The kink of relu is at 0. Large biases keep the sums away from it.
    const Input b1 = gelu ? Input{19} : Input(Input::away_from_zero, {19}, 2, 3);
    const auto plain = [f](Xs v) { return feed_forward(v[0], v[1], v[2], v[3], v[4], f); };
    const auto dropped = [f](Xs v) {
      return feed_forward(v[0], v[1], v[2], v[3], v[4], f, Real(0.4), {7, 4});
    };
    for (const Shape& shape : {Shape{4, 5}, Shape{2, 2, 5}, Shape{5}, Shape{0, 5}}) {
      const std::string what = fmt::format("{}, {}", gelu ? "gelu" : "relu", to_string(shape));
      const std::vector<Input> inputs{
          Input(shape, -0.5, 0.5), small({19, 5}), b1, small({3, 19}), {3}};
      t.push_back({"feed_forward", what, inputs, plain, 2});
      t.push_back({"feed_forward", what + ", dropped", inputs, dropped, 2});
    }
  }
  const auto no_biases =
      OP(feed_forward(x[0], x[1], Variable(), x[2], Variable(), Activation::gelu));
  const auto twice = OP(feed_forward(x[0], x[1], x[2], x[1], x[2], Activation::gelu));
  t.push_back({"feed_forward", "no biases", {{4, 5}, {7, 5}, {3, 7}}, no_biases});
  t.push_back({"feed_forward", "one weight twice", {{3, 4}, {4, 4}, {4}}, twice});
}

struct LossCase {
  const char* what;
  CrossEntropy options;
};

void add_losses(std::vector<OpRow>& t) {
  for (const LossCase& c :
       std::vector<LossCase>{{"plain", {}},
                             {"smoothed", {.label_smoothing = Real(0.2)}},
                             {"ignoring", {.ignore = 2}},
                             {"divided", {.divisor = 7}},
                             {"smoothed, ignoring, divided", {Real(0.1), 0, 3}}}) {
    const std::string what = c.what;
    const CrossEntropy o = c.options;
    const auto gold = [] { return ids({2, 0, 3, 2}); };
    const auto biased = [=](Xs x) { return linear_cross_entropy(x[0], x[1], x[2], gold(), o); };
    const auto no_bias = [=](Xs x) { return linear_cross_entropy(x[0], x[1], gold(), o); };
    t.push_back(
        {"cross_entropy", what, {{4, 5}}, [=](Xs x) { return cross_entropy(x[0], gold(), o); }});
    t.push_back({"linear_cross_entropy", what, {{4, 3}, {5, 3}, {5}}, biased});
    t.push_back({"linear_cross_entropy", what + ", no bias", {{4, 3}, {5, 3}}, no_bias});
  }
  const auto ignored = OP(cross_entropy(x[0], ids({1, 1}), {.ignore = 1}));
  t.push_back({"cross_entropy", "all ignored", {{2, 3}}, ignored});
}

void add_copying_losses(std::vector<OpRow>& t) {
  const auto probability = [](Shape shape) { return Input{shape, 0.1, 0.9}; };
  for (const LossCase& c :
       std::vector<LossCase>{{"plain", {}},
                             {"smoothed", {.label_smoothing = Real(0.2)}},
                             {"ignoring", {.label_smoothing = Real(0.1), .ignore = 2}},
                             {"divided", {.divisor = 3}}}) {
    const std::vector<Input> inputs{{5, 3}, {4, 3}, {4}, {5}, probability({5})};
    // The vocabulary has 4 classes: ids 4 and 6 can only be copied.
    t.push_back({"copy_cross_entropy", c.what, inputs, [o = c.options](Xs x) {
                   return copy_cross_entropy(x[0], x[1], x[2], x[3], x[4], ids({1, 4, 2, 6, 0}), o);
                 }});
  }
  const auto copied = OP(copy_cross_entropy(x[0], x[1], x[2], x[3], x[4], ids({7})));
  const auto ignored = OP(linear_cross_entropy(x[0], x[1], ids({1, 1}), {.ignore = 1}));
  t.push_back(
      {"copy_cross_entropy", "only copied", {{1, 3}, {2, 3}, {2}, {1}, probability({1})}, copied});
  t.push_back({"linear_cross_entropy", "all ignored", {{2, 3}, {4, 3}}, ignored});
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
    const Input queries = from_one_to_one(n, c.d);
    const Input keys = from_one_to_one(m, c.d);
    const Input joined = from_one_to_one(m, 2 * c.d);
    t.push_back({"attention", what, {queries, keys, keys}, [=](Xs x) {
                   return attention(x[0], x[1], x[2], o);
                 }});
    t.push_back({"attention", what + ", kv", {queries, joined}, [=](Xs x) {
                   return attention(x[0], x[1], o);
                 }});
    if (n != m) continue;
    Attention same = o;
    same.keys = same.queries;
    t.push_back({"attention", what + ", qkv", {from_one_to_one(n, 3 * c.d)}, [=](Xs x) {
                   return attention(x[0], same);
                 }});
  }
}

void add_control(std::vector<OpRow>& t) {
  t.push_back({"recompute",
               "two inputs",
               {{3, 4}, {4}},
               OP(recompute([](Xs y) { return tanh(y[0] * y[1]); }, operands(x)))});
  t.push_back({"recompute",
               "an input it gives back",
               {{3, 4}},
               OP(recompute([](Xs y) { return y[0]; }, operands(x)))});
  t.push_back({"recompute",
               "an input it does not use",
               {{3}, {2}},
               OP(recompute([](Xs y) { return square(y[0]); }, operands(x)))});
}

}  // namespace

const std::vector<OpRow>& op_table() {
  static const std::vector<OpRow> table = [] {
    std::vector<OpRow> t;
    for (auto add : {add_broadcasting, add_arithmetic, add_unary, add_reductions, add_products,
                     add_shapes, add_rows, add_normalisation, add_feed_forward, add_losses,
                     add_copying_losses, add_attention, add_attention_family, add_recurrence,
                     add_convolution, add_pooling, add_control})
      add(t);
    return t;
  }();
  return table;
}

namespace {

/// Element k of the input of index i, before shuffling.
double draw_element(const Input& input, std::size_t i, Index k, Random& random) {
  const double u = random.uniform(input.low, input.high);
  switch (input.kind) {
    case Input::distinct: {
      // A grid that no other input shares: no two elements are within a difference step.
      const auto place = static_cast<double>(k - input.shape.size() / 2);
      return (place + 0.4 * static_cast<double>(i)) / 8;
    }
    case Input::away_from_zero:
      return random.chance(0.5) ? u : -u;
    default:
      return u;
  }
}

}  // namespace

std::vector<Tensor> draw(const OpRow& row, std::uint64_t seed) {
  Random random(seed);
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < row.inputs.size(); ++i) {
    const Input& input = row.inputs[i];
    Tensor x(input.shape);
    for (Index k = 0; k < x.size(); ++k)
      x[k] = static_cast<Real>(draw_element(input, i, k, random));
    if (input.kind == Input::distinct) random.shuffle(x.span());
    result.push_back(x);
  }
  return result;
}

}  // namespace heed::test
