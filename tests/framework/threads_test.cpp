#include "tests/framework/threads.h"

#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "framework/kernels/parallel.h"
#include "framework/kernels/top_k.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "tests/framework/ops_table.h"

// The same bits on any number of threads. Every op has rows here, large enough for its work to be
// cut into several pieces.

namespace heed::test {
namespace {

/// `forward`, `backward`: whether that pass is cut. Small ones and views are not.
struct Row {
  OpRow op;
  bool forward = true;
  bool backward = true;
};

/// `count` sequences of 0 to `longest` rows, mixed.
Spans mixed(Index count, Index longest) {
  std::vector<Index> lengths;
  for (Index i = 0; i < count; ++i)
    lengths.push_back((5 * i + 3) % (longest + 1));
  return Spans::packed(lengths);
}
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
Input any(Shape shape) { return {Input::uniform, shape}; }

void add_elementwise(std::vector<Row>& t) {
  const auto two = [&](const char* op, Input b, std::function<Variable(Xs)> f) {
    t.push_back({{op, to_string(b.shape), {any(wide), b}, std::move(f)}});
  };
  for (const Shape& b : {wide, row, column}) {
    two("operator+", any(b), OP(x[0] + x[1]));
    t.back().backward = !(b == wide);  // where nothing broadcasts, the gradient is passed on
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
  t.push_back({{"glu", "", {any({211, 334})}, OP(glu(x[0]))}});
  t.push_back(
      {{"layer_norm", "", {any(wide), any(row), any(row)}, OP(layer_norm(x[0], x[1], x[2]))}});
  t.push_back({{"rms_norm", "", {any(wide), any(row)}, OP(rms_norm(x[0], x[1]))}});
  t.push_back({{"weight_norm", "", {any({210, 3, 111}), any({210})}, OP(weight_norm(x[0], x[1]))}});
}

void add_reductions(std::vector<Row>& t) {
  struct Case {
    const char* what;
    Shape shape;
    Axes axes;
  };
  for (const Case& c : std::vector<Case>{{"all", vast, {}},
                                         {"rows", wide, {1}},
                                         {"columns", wide, {0}},
                                         {"middle", {20, 70, 50}, {1}},
                                         {"ends", {20, 70, 50}, {0, 2}}}) {
    const bool whole = c.axes.empty();
    t.push_back({{"sum", c.what, {any(c.shape)}, [c](Xs x) { return sum(x[0], c.axes); }}});
    t.push_back({{"mean", c.what, {any(c.shape)}, [c](Xs x) { return mean(x[0], c.axes); }}});
    t.push_back(
        {{"variance", c.what, {any(c.shape)}, [c](Xs x) { return variance(x[0], c.axes); }}});
    const bool outer = c.shape.rank() == 2 && !whole && c.axes[0] == 1;
    // one task finds the largest of all
    t.push_back({{"max", c.what, {any(c.shape)}, [c](Xs x) { return max(x[0], c.axes); }},
                 !whole,
                 outer || c.shape.rank() == 3});
  }
  for (int axis : {0, 1})
    t.push_back({{"cumsum", "", {any(wide)}, [axis](Xs x) { return cumsum(x[0], axis); }}});
}

void add_products(std::vector<Row>& t) {
  struct Case {
    const char* what;
    Index m;
    Index n;
    Index k;
    bool forward = true;
    bool backward = true;
  };
  for (const Case& c : std::vector<Case>{{"square", 211, 203, 199},
                                         {"tall", 5003, 41, 47},
                                         {"wide", 41, 5003, 47},
                                         // a sum is never shared: only the gradients are cut
                                         {"deep", 31, 47, 9001, false, true},
                                         {"row", 1, 3001, 3001},
                                         {"column", 3001, 1, 3001},
                                         {"large", 530, 517, 260},
                                         {"tiny", 3, 5, 7, false, false}}) {
    for (int flags = 0; flags < 4; ++flags) {
      const Transpose tr{.a = (flags & 1) != 0, .b = (flags & 2) != 0};
      if (flags > 0 && (c.m == 1 || c.n == 1 || c.k == 260)) continue;
      const Shape a = tr.a ? Shape{c.k, c.m} : Shape{c.m, c.k};

      const Shape b = tr.b ? Shape{c.n, c.k} : Shape{c.k, c.n};
      t.push_back({{"matmul",
                    fmt::format("{} {}", c.what, flags),
                    {any(a), any(b)},
                    [tr](Xs x) { return matmul(x[0], x[1], tr); }},
                   c.forward,
                   c.backward});
    }
    t.push_back({{"linear",
                  c.what,
                  {any({c.m, c.k}), any({c.n, c.k}), any({c.n})},
                  OP(linear(x[0], x[1], x[2]))},
                 c.forward,
                 c.backward || c.n > 64});
  }
  for (const Index rows : {Index{211}, Index{3001}})  // one block of rows, and several
    for (const Activation f : {Activation::relu, Activation::gelu})
      t.push_back({{"feed_forward",
                    fmt::format("{} rows, {}", rows, f == Activation::relu ? "relu" : "gelu"),
                    {any({rows, 130}), any({211, 130}), any({211}), any({131, 211}), any({131})},
                    [f](Xs x) {
                      return feed_forward(x[0], x[1], x[2], x[3], x[4], f, Real(0.4), {7, 3});
                    }}});
  t.push_back(
      {{"matmul", "many small", {any({70, 23, 21}), any({70, 21, 19})}, OP(matmul(x[0], x[1]))}});
  t.push_back({{"matmul",
                "many small, one a",
                {any({23, 21}), any({70, 21, 19})},
                OP(matmul(x[0], x[1]))}});
  t.push_back({{"matmul",
                "many small, one b transposed",
                {any({700, 23, 21}), any({1, 31, 21})},
                OP(matmul(x[0], x[1], {.b = true}))}});
  t.push_back({{"matmul",
                "a few large",
                {any({3, 211, 260}), any({3, 260, 190})},
                OP(matmul(x[0], x[1]))}});
}

void add_moves(std::vector<Row>& t) {
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

void add_losses(std::vector<Row>& t) {
  for (const CrossEntropy& o :
       {CrossEntropy{}, CrossEntropy{.label_smoothing = Real(0.1), .ignore = 3}}) {
    t.push_back({{"cross_entropy", "", {any({150, 1003})}, [o](Xs x) {
                    return cross_entropy(x[0], many_ids(150, 1003), o);
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

void add_attention(std::vector<Row>& t) {
  const Spans q = mixed(40, 40);
  const Spans k = mixed(40, 70);
  struct Case {
    const char* what;
    Attention options;
  };
  for (const Case& c :
       std::vector<Case>{{"plain", {.heads = 4, .queries = q, .keys = k}},
                         {"causal", {.heads = 4, .queries = q, .keys = k, .causal = true}},
                         {"shared keys, dropout",
                          {.heads = 4,
                          .kv_heads = 2,
                          .queries = q,
                          .keys = k,
                          .dropout = Real(0.3),
                          .key = {5, 9}}},
                         {"window, slopes",
                          {.heads = 4,
                          .queries = q,
                          .keys = k,
                          .window = 9,
                          .slopes = Tensor({4}, {Real(0.5), Real(0.25), Real(0.1), 0})}}}) {
    const Index d = 4 * 19;
    const Index e = c.options.kv_heads > 0 ? 2 * 19 : d;
    const Index n = q.rows();
    const Index m = k.rows();
    t.push_back({{"attention", c.what, {any({n, d}), any({m, e}), any({m, e})}, [=](Xs x) {
                    return attention(x[0], x[1], x[2], c.options);
                  }}});
    t.push_back({{"attention", "kv", {any({n, d}), any({m, 2 * e})}, [=](Xs x) {
                    return attention(x[0], x[1], c.options);
                  }}});
    Attention same = c.options;
    same.keys = q;
    t.push_back(
        {{"attention", "qkv", {any({n, d + 2 * e})}, [=](Xs x) { return attention(x[0], same); }}});
  }
  for (int heads : {1, 4}) {
    const Pairing p{.heads = heads, .queries = q, .keys = k, .causal = heads > 1};
    const Index w = 19;
    const Index n = q.rows();
    const Index m = k.rows();
    const Input pairs = any({p.size()});
    const Input queries = any({n, heads * w});
    const Input keys = any({m, heads * w});
    t.push_back(
        {{"dot_scores", "", {queries, keys}, [=](Xs x) { return dot_scores(x[0], x[1], p); }}});
    t.push_back({{"scores_softmax", "", {pairs}, [=](Xs x) { return scores_softmax(x[0], p); }}});
    t.push_back({{"scores_softmax", "rest", {pairs, any({n, heads})}, [=](Xs x) {
                    return scores_softmax(x[0], x[1], p);
                  }}});
    t.push_back({{"span_softmax", "", {pairs, Input{Shape{heads}, 0.6, 20}}, [=](Xs x) {
                    return span_softmax(x[0], x[1], Real(7.5), p);
                  }}});
    t.push_back({{"weighted_values", "", {pairs, keys}, [=](Xs x) {
                    return weighted_values(x[0], x[1], p);
                  }}});
    t.push_back({{"weighted_queries", "", {pairs, queries}, [=](Xs x) {
                    return weighted_queries(x[0], x[1], p);
                  }}});
    t.push_back({{"by_distance", "", {any({n, heads * 13})}, [=](Xs x) {
                    return by_distance(x[0], 6, p);
                  }}});
    t.push_back(
        {{"sum_by_distance", "", {pairs}, [=](Xs x) { return sum_by_distance(x[0], 6, p); }}});
    t.push_back({{"linear_attention",
                  "",
                  {away({n, heads * w}), away({m, heads * w}), away({m, heads * w})},
                  [=](Xs x) { return linear_attention(x[0], x[1], x[2], p); }}});
    if (heads > 1) continue;
    t.push_back({{"additive_scores", "", {queries, keys, any({w})}, [=](Xs x) {
                    return additive_scores(x[0], x[1], x[2], p);
                  }}});
    t.push_back(
        {{"additive_scores", "coverage", {queries, keys, any({w}), pairs, any({w})}, [=](Xs x) {
            return additive_scores(x[0], x[1], x[2], x[3], x[4], p);
          }}});
    t.push_back({{"copy_probability", "", {pairs}, [=](Xs x) {
                    return copy_probability(x[0], many_ids(m, 9), many_ids(n, 12), p);
                  }}});
  }
  const Spans turned = mixed(40, 30);
  t.push_back({{"rotary", "", {any({turned.rows(), 76})}, [=](Xs x) {
                  return rotary(x[0], turned, {.heads = 2});
                }}});
}

void add_sequences(std::vector<Row>& t) {
  const Index h = 35;
  for (bool reverse : {false, true}) {
    const Recurrence o{.spans = mixed(51, 9),
                       .reverse = reverse,
                       .dropout = reverse ? Real(0.3) : Real(0),
                       .key = {5, 9}};
    const Index rows = o.spans.rows();
    const Index count = o.spans.count();
    const auto in = [](Index m, Index n) { return Input{Shape{m, n}, -0.8, 0.8}; };
    const auto vector = [](Index n) { return Input{Shape{n}, -0.8, 0.8}; };
    t.push_back({{"elman", "", {in(rows, h), in(h, h), vector(h), in(count, h)}, [o](Xs x) {
                    return elman(x[0], x[1], x[2], x[3], o);
                  }}});
    t.push_back({{"lstm",
                  "",
                  {in(rows, 4 * h), in(4 * h, h), vector(4 * h), in(count, h), in(count, h)},
                  [o](Xs x) { return lstm(x[0], x[1], x[2], x[3], x[4], o); }}});
    t.push_back({{"norm_lstm",
                  "",
                  {in(rows, 4 * h), in(4 * h, h), vector(4 * h), vector(h), vector(h), in(count, h),
                   in(count, h)},
                  [o](Xs x) { return norm_lstm(x[0], x[1], x[2], x[3], x[4], x[5], x[6], o); }}});
    t.push_back(
        {{"gru", "", {in(rows, 3 * h), in(3 * h, h), vector(3 * h), in(count, h)}, [o](Xs x) {
            return gru(x[0], x[1], x[2], x[3], o);
          }}});
    t.push_back({{"final_states",
                  "",
                  {in(rows, 800), in(count, 800)},
                  [o](Xs x) { return final_states(x[0], o.spans, o.reverse, x[1]); }},
                 true,
                 false});
  }
  t.push_back({{"lstm_cell", "", {any({101, 4 * h}), any({101, h})}, OP(lstm_cell(x[0], x[1]))}});
  t.push_back({{"gru_cell",
                "",
                {any({101, 3 * h}), any({101, 3 * h}), any({101, h})},
                OP(gru_cell(x[0], x[1], x[2]))}});
  const Spans spans = mixed(60, 30);
  const Index n = spans.rows();
  t.push_back({{"sequence_dropout", "", {any({n, 75})}, [=](Xs x) {
                  return sequence_dropout(x[0], spans, Real(0.4), {3, 4});
                }}});
  for (bool causal : {false, true}) {
    const Window w{spans, causal, causal ? 2 : 1};
    t.push_back({{"conv1d", "", {any({n, 75}), any({80, 3, 75}), any({80})}, [=](Xs x) {
                    return conv1d(x[0], x[1], x[2], w);
                  }}});
    t.push_back({{"depthwise_conv1d", "", {any({n, 75}), any({3, 75}), any({75})}, [=](Xs x) {
                    return depthwise_conv1d(x[0], x[1], x[2], w);
                  }}});
  }
  t.push_back({{"conv2d",
                "",
                {any({3, 29, 31, 13}), any({33, 3, 3, 13}), any({33})},
                OP(conv2d(x[0], x[1], x[2], {.stride = {1, 1}, .padding = {1, 0}}))}});
  t.push_back({{"max_pool2d", "", {any({5, 40, 31, 17})}, OP(max_pool2d(x[0], {3, 2}, {1, 2}))}});
  t.push_back({{"mean_pool2d", "", {any({5, 40, 31, 17})}, OP(mean_pool2d(x[0], {3, 2}, {1, 2}))}});
}

const std::vector<Row>& rows() {
  static const std::vector<Row> table = [] {
    std::vector<Row> t;
    for (auto add : {add_elementwise, add_reductions, add_products, add_moves, add_losses,
                     add_attention, add_sequences})
      add(t);
    return t;
  }();
  return table;
}

struct Ran {
  std::vector<Tensor> tensors;  // the output, then the gradient of each input
                                // pieces
  std::uint64_t forward = 0;
  std::uint64_t backward = 0;
};

Ran run(const OpRow& op, const std::vector<Tensor>& inputs) {
  std::vector<Parameter> parameters;
  for (const Tensor& x : inputs)
    parameters.emplace_back(x.clone());
  Tape tape;
  const std::vector<Variable> xs(parameters.begin(), parameters.end());
  const std::uint64_t start = kernels::pieces_cut();
  const Variable y = op.compute(xs);
  const std::uint64_t middle = kernels::pieces_cut();
  Tensor dy(y.shape());
  for (Index k = 0; k < dy.size(); ++k)
    dy[k] = static_cast<Real>(k % 7) * Real(0.3) - Real(0.7);
  tape.backward(y, dy);
  Ran ran{{y.value().clone()}, middle - start, kernels::pieces_cut() - middle};
  for (const Parameter& p : parameters)
    ran.tensors.push_back(p.gradient().defined() ? p.gradient() : Tensor());
  return ran;
}

TEST(Threads, EveryOpGivesTheSameBits) {
  for (const Row& tested : rows()) {
    const std::string what = fmt::format("{}, {}", tested.op.op, tested.op.what);
    const std::vector<Tensor> inputs = draw(tested.op, 3);
    Ran serial;
    for (int count : thread_counts) {
      const Threads threads(count);
      Ran ran = run(tested.op, inputs);
      if (count == 1) {
        serial = std::move(ran);
        EXPECT_EQ(serial.forward > 1, tested.forward)
            << what << ": forward in " << serial.forward << " pieces";
        EXPECT_EQ(serial.backward > 1, tested.backward)
            << what << ": backward in " << serial.backward << " pieces";
        continue;
      }
      EXPECT_EQ(ran.forward, serial.forward) << what << ", on " << count << " threads";
      EXPECT_EQ(ran.backward, serial.backward) << what << ", on " << count << " threads";
      EXPECT_EQ(first_difference(ran.tensors, serial.tensors), "")
          << what << ", on " << count << " threads";
    }
  }
}

TEST(Threads, EveryOpHasARow) {
  std::ifstream in(HEED_SOURCE_DIR "/framework/ops.h");
  std::set<std::string> tested;
  for (const Row& each : rows())
    tested.insert(each.op.op);
  const std::string start = "Variable ";
  int declared = 0;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(start)) continue;
    const std::string op = line.substr(start.size(), line.find('(') - start.size());
    ++declared;
    EXPECT_TRUE(tested.contains(op)) << op << " has no row in tests/framework/threads_test.cpp";
  }
  EXPECT_GT(declared, 50);
}

// What is no op ----------------------------------------------------------------------------------

struct Parameters {
  std::vector<Parameter> all;
  void visit(Visitor& v) { v("p", all); }
};

/// Three steps: what they leave in the parameters and the optimizer, and the norms of the gradients
/// before and after clipping.
template <class Optimizer, class Options>
std::vector<Tensor> steps(const Options& options) {
  Parameters model;
  for (const Shape& shape : {Shape{300, 301}, Shape{7}, Shape{40, 41}, Shape{70001}})
    model.all.emplace_back(uniform_tensor(shape, 5));
  Optimizer optimizer(model, options);
  std::vector<Tensor> results;
  for (std::uint64_t step = 0; step < 3; ++step) {
    for (Parameter& p : model.all)
      p.gradient() = uniform_tensor(p.value().shape(), 6 + step);
    const double norm = optimizer.gradient_norm();
    Tensor bytes({sizeof norm});  // a byte each: a double has more digits than a Real
    for (std::size_t i = 0; i < sizeof norm; ++i)
      bytes[static_cast<Index>(i)] = reinterpret_cast<const unsigned char*>(&norm)[i];
    results.push_back(bytes);
    optimizer.step(options.lr, norm > 1 ? 1 / norm : 1);
  }
  for (const Parameter& p : model.all)
    results.push_back(p.value());
  for (const NamedTensor& t : optimizer.state())
    results.push_back(t.tensor);
  return results;
}

std::vector<Tensor> chosen() {
  const Index m = 53;
  const Index n = 2003;
  const Index k = 17;
  const Tensor x = uniform_tensor({m, n}, 9);
  Tensor values({m, k});
  Tensor places({m, k});
  Tensor sums({m});
  Ids columns({m, k});
  kernels::top_k(m, n, k, x.data(), values.data(), columns.data());
  kernels::log_sum_exp(m, n, x.data(), sums.data());
  for (Index i = 0; i < columns.size(); ++i)
    places[i] = static_cast<Real>(columns[i]);
  return {values, places, sums};
}

std::vector<Tensor> clipped() {
  Parameters model;
  for (const Shape& shape : {Shape{300, 301}, Shape{7}, Shape{70001}}) {
    model.all.emplace_back(zeros(shape));
    model.all.back().gradient() = uniform_tensor(shape, 8);
  }
  clip_gradients(model, 1.0);
  std::vector<Tensor> results;
  for (const Parameter& p : model.all)
    results.push_back(p.gradient());
  return results;
}

TEST(Threads, UpdatesAndChoicesGiveTheSameBits) {
  struct Work {
    const char* what;
    std::vector<Tensor> (*compute)();
  };
  for (const Work& work :
       {Work{"sgd", [] { return steps<Sgd>(SgdOptions{.momentum = 0.9, .weight_decay = 0.01}); }},
        Work{"adam", [] { return steps<Adam>(AdamOptions{}); }},
        Work{"adamw", [] { return steps<AdamW>(AdamWOptions{}); }},
        Work{"top_k and log_sum_exp", chosen}, Work{"clip_gradients", clipped}}) {
    std::vector<Tensor> serial;
    std::uint64_t pieces = 0;
    for (int count : thread_counts) {
      const Threads threads(count);
      const std::uint64_t start = kernels::pieces_cut();
      std::vector<Tensor> results = work.compute();
      if (count == 1) {
        pieces = kernels::pieces_cut() - start;
        EXPECT_GT(pieces, 1u) << work.what << ": not cut";
        serial = std::move(results);
        continue;
      }
      EXPECT_EQ(kernels::pieces_cut() - start, pieces) << work.what;
      EXPECT_EQ(first_difference(results, serial), "")
          << work.what << ", on " << count << " threads";
    }
  }
}

}  // namespace
}  // namespace heed::test
