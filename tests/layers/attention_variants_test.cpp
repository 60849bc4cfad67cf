#include "layers/attention/attentions.h"
#include "layers/attention/co_attention.h"
#include "layers/attention/multi_head.h"
#include "layers/attention/sentinel.h"
#include "tests/layers/rows.h"

// Attentions with signatures of their own, and what single attentions promise besides, against
// loops over doubles.

namespace heed {
namespace {

Row product(const Linear& f, const Row& x) {
  Row y;
  for (const Row& w : rows_of(f.weight.value()))
    y.push_back(dot(w, x));
  return y;
}
void add(Row& to, const Row& x, double factor) {
  for (std::size_t c = 0; c < to.size(); ++c)
    to[c] += factor * x[c];
}
Row softmax_of(Row x) {
  double total = 0;
  for (double& v : x) {
    v = std::exp(v);
    total += v;
  }
  for (double& v : x)
    v /= total;
  return x;
}

/// sum_i weights_i x_i, of that many columns.
Row weighted_sum(const Row& weights, const Rows& x, std::size_t columns) {
  Row y(columns, 0);
  for (std::size_t i = 0; i < x.size(); ++i)
    add(y, x[i], weights[i]);
  return y;
}

/// Random rows of sequences. Padding is huge, so that reading it shows.
Parameter scattered(const Spans& spans, Index d, std::uint64_t seed) {
  Tensor x = Tensor::full({spans.rows(), d}, 1000);
  const Tensor values = random_tensor({spans.rows(), d}, seed);
  for (Index i = 0; i < spans.count(); ++i)
    std::copy_n(values.data() + spans.begin(i) * d, spans.length(i) * d,
                x.data() + spans.begin(i) * d);
  return Parameter(x);
}

void expect_row(const Tensor& y, Index row, const Row& expected, const std::string& what) {
  for (std::size_t c = 0; c < expected.size(); ++c)
    EXPECT_NEAR(static_cast<double>(y[row * y.columns() + static_cast<Index>(c)]), expected[c],
                10 * close)
        << what << ": row " << row << ", column " << c;
}

struct Layout {
  const char* name;
  std::vector<Index> a;
  std::vector<Index> b;
  Index a_width;  // 0: packed
  Index b_width;  // 0: packed
};
const std::vector<Layout>& layouts() {
  static const std::vector<Layout> all = {{"one", {1}, {1}, 0, 0},
                                          {"packed", {3, 5, 1}, {4, 2, 19}, 0, 0},
                                          {"padded", {3, 1}, {2, 4}, 5, 4},
                                          {"empty sequences", {2, 0, 3, 0}, {0, 2, 1, 0}, 0, 0},
                                          {"empty sequences, padded", {2, 0}, {0, 2}, 3, 3}};
  return all;
}
// Co-attention -----------------------------------------------------------------------------------

struct CoParts {
  CoAttention& layer;
  Parameter& a;
  Parameter& b;
  void visit(Visitor& v) {
    v("layer", layer);
    v("a", a);
    v("b", b);
  }
};

/// The weights over the rows x of one sequence, whose rows enter H by `own`; those of the other, y,
/// by `other` and by the affinities c(i, j).
Row co_attention_weights(const Rows& x, const Rows& y, const Linear& own, const Linear& other,
                         const Parameter& energy,
                         const std::function<double(std::size_t i, std::size_t j)>& c) {
  Row scores;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Row map = product(own, x[i]);
    for (std::size_t j = 0; j < y.size(); ++j)
      add(map, product(other, y[j]), c(i, j));
    scores.push_back(dot(rows_of(energy.value())[0], tanh_of(map)));
  }
  return softmax_of(scores);
}

void expect_weights(const Tensor& got, const Row& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(static_cast<double>(got[static_cast<Index>(i)]), expected[i], close);
}

TEST(CoAttention, EqualsItsDefinition) {
  Random random(1);
  CoAttention layer(6, 5, 4, random);
  randomize(layer);
  for (const Layout& layout : layouts()) {
    const Spans as = spans_of(layout.a, layout.a_width);
    const Spans bs = spans_of(layout.b, layout.b_width);
    Parameter a = scattered(as, 6, 2);
    Parameter b = scattered(bs, 5, 3);
    std::vector<Tensor> a_weights;
    std::vector<Tensor> b_weights;
    const auto result = layer(a, as, b, bs, &a_weights, &b_weights);
    ASSERT_EQ(to_string(result.a.shape()), to_string(Shape{as.count(), 6}));
    ASSERT_EQ(to_string(result.b.shape()), to_string(Shape{as.count(), 5}));
    for (Index s = 0; s < as.count(); ++s) {
      const Rows x = rows_of(a.value(), as.begin(s), as.length(s));
      const Rows y = rows_of(b.value(), bs.begin(s), bs.length(s));
      const auto c = [&](std::size_t i, std::size_t j) {
        return std::tanh(dot(x[i], product(layer.affinity, y[j])));
      };
      const auto transposed = [&](std::size_t j, std::size_t i) { return c(i, j); };
      const Row wa = co_attention_weights(x, y, layer.first, layer.second, layer.energy_a, c);
      const Row wb =
          co_attention_weights(y, x, layer.second, layer.first, layer.energy_b, transposed);
      expect_row(result.a.value(), s, weighted_sum(wa, x, 6), layout.name);
      expect_row(result.b.value(), s, weighted_sum(wb, y, 5), layout.name);
      expect_weights(a_weights[static_cast<std::size_t>(s)], wa);
      expect_weights(b_weights[static_cast<std::size_t>(s)], wb);
    }
  }
}

TEST(CoAttention, GradientsMatchDifferences) {
  Random random(1);
  CoAttention layer(6, 5, 4, random);
  randomize(layer);
  for (const Layout& layout : layouts()) {
    const Spans as = spans_of(layout.a, layout.a_width);
    const Spans bs = spans_of(layout.b, layout.b_width);
    Parameter a = scattered(as, 6, 2);
    Parameter b = scattered(bs, 5, 3);
    CoParts parts{layer, a, b};
    expect_gradients(
        parts,
        [&] {
          const auto r = layer(a, as, b, bs);
          return sum(r.a * random_tensor(r.a.shape(), 4)) +
                 sum(r.b * random_tensor(r.b.shape(), 5));
        },
        layout.name);
  }
}

// Sentinel ---------------------------------------------------------------------------------------

struct SentinelParts {
  SentinelAttention& layer;
  Parameter& input;
  Parameter& previous;
  Parameter& state;
  Parameter& cell;
  Parameter& memory;
  void visit(Visitor& v) {
    v("layer", layer);
    v("input", input);
    v("previous", previous);
    v("state", state);
    v("cell", cell);
    v("memory", memory);
  }
};

constexpr Index sentinel_width = 5;

SentinelAttention sentinel_layer() {
  Random random(1);
  SentinelAttention layer(3, sentinel_width, 4, random);
  randomize(layer);
  return layer;
}

/// The inputs of a layer of SentinelAttention.
struct SentinelCase {
  Spans queries;
  Spans keys;
  Parameter x;
  Parameter before;  // h'
  Parameter h;
  Parameter m;
  Parameter v;

  explicit SentinelCase(const Layout& layout)
      : queries(spans_of(layout.a, layout.a_width)),
        keys(spans_of(layout.b, layout.b_width)),
        x(scattered(queries, 3, 1)),
        before(scattered(queries, sentinel_width, 2)),
        h(scattered(queries, sentinel_width, 3)),
        m(scattered(queries, sentinel_width, 4)),
        v(scattered(keys, sentinel_width, 5)) {}
  SentinelAttention::Result run(const SentinelAttention& layer,
                                std::vector<Tensor>* weights = nullptr) const {
    return layer({x, before, h, m}, queries, layer.remember(v), keys, weights);
  }
};

struct SentinelAnswer {
  Row y;
  double beta;
  Row weights;  // and beta
};

/// For a query at a row, and the rows v of its memory.
SentinelAnswer sentinel_answer(const SentinelAttention& layer, const SentinelCase& c, Index row,
                               const Rows& v) {
  const auto of = [&](const Parameter& p) { return rows_of(p.value(), row, 1)[0]; };
  Row s = product(layer.gate_input, of(c.x));
  add(s, product(layer.gate_state, of(c.before)), 1);
  for (std::size_t k = 0; k < s.size(); ++k)
    s[k] = 1 / (1 + std::exp(-s[k])) * std::tanh(of(c.m)[k]);
  const Row g = product(layer.state, of(c.h));
  const auto score = [&](Row x) {
    add(x, g, 1);
    return dot(rows_of(layer.energy.value())[0], tanh_of(x));
  };
  Row scores;
  for (const Row& value : v)
    scores.push_back(score(product(layer.value, value)));
  const Row without_sentinel = softmax_of(scores);
  scores.push_back(score(product(layer.sentinel, s)));
  const Row weights = softmax_of(scores);
  // The paper's form: attention without the sentinel, mixed with it.
  const double beta = weights.back();
  Row y(s.size(), 0);
  add(y, weighted_sum(without_sentinel, v, s.size()), 1 - beta);
  add(y, s, beta);
  return {y, beta, weights};
}

TEST(SentinelAttention, EqualsItsDefinition) {
  const SentinelAttention layer = sentinel_layer();
  for (const Layout& layout : layouts()) {
    const SentinelCase c(layout);
    std::vector<Tensor> weights;
    const auto result = c.run(layer, &weights);
    for (Index s = 0; s < c.queries.count(); ++s) {
      const Index length = c.keys.length(s);
      const Rows v = rows_of(c.v.value(), c.keys.begin(s), length);
      for (Index i = 0; i < c.queries.length(s); ++i) {
        const Index row = c.queries.begin(s) + i;
        const SentinelAnswer expected = sentinel_answer(layer, c, row, v);
        expect_row(result.y.value(), row, expected.y, layout.name);
        expect_row(result.beta.value(), row, {expected.beta}, layout.name);
        for (Index j = 0; j < length; ++j)
          EXPECT_NEAR(static_cast<double>(weights[static_cast<std::size_t>(s)][i * length + j]),
                      expected.weights[static_cast<std::size_t>(j)], 10 * close);
      }
    }
  }
}

TEST(SentinelAttention, GradientsMatchDifferences) {
  SentinelAttention layer = sentinel_layer();
  for (const Layout& layout : layouts()) {
    SentinelCase c(layout);
    SentinelParts parts{layer, c.x, c.before, c.h, c.m, c.v};
    const Index d = sentinel_width;
    Tensor kept = Tensor::zeros({c.queries.rows(), d});
    for (Index s = 0; s < c.queries.count(); ++s)
      for (Index t = 0; t < c.queries.length(s) * d; ++t)
        kept[c.queries.begin(s) * d + t] = static_cast<Real>(std::cos(static_cast<double>(t)));
    expect_gradients(
        parts, [&] { return sum(c.run(layer).y * kept); }, layout.name);
  }
}

// Single attentions ------------------------------------------------------------------------------

TEST(AdaptiveSpan, PenaltyIsTheMeanSpanWithinBounds) {
  Random random(1);
  MultiHeadAttention layer(
      {.query = 8, .memory = 8, .weighing = Weighing::span, .longest = 10, .ramp = 2}, random);
  layer.span.value() = Tensor({4}, {Real(-0.5), Real(0.25), Real(0.75), Real(1.5)});
  EXPECT_NEAR(static_cast<double>(layer.penalty().item()), 10 * (0 + 0.25 + 0.75 + 1) / 4, close);
  const Gradients g = gradients(layer, [&] { return layer.penalty(); });
  const std::vector<double> expected = {0, 2.5, 2.5, 0};
  for (std::size_t h = 0; h < 4; ++h)
    EXPECT_NEAR(static_cast<double>(g.values.back()[h]), expected[h], close) << h;
}

TEST(AdaptiveSpan, ASpanBelowZeroCanGrowAgain) {
  Random random(1);
  MultiHeadAttention layer(
      {.query = 8, .memory = 8, .weighing = Weighing::span, .longest = 10, .ramp = 3}, random);
  randomize(layer);
  layer.span.value() = Tensor::full({4}, Real(-0.1));
  const Parameter x(random_tensor({6, 8}, 2));
  const Spans spans = Spans::packed(std::vector<Index>{6});
  const Gradients g = gradients(layer, [&] {
    return sum(layer(x, spans) * random_tensor({6, 8}, 3));
  });
  for (Real value : g.values.back())
    EXPECT_NE(value, 0);
}

TEST(Rotary, ProductsDependOnTheDistanceAlone) {
  const Parameter q(random_tensor({1, 12}, 1));
  const Parameter k(random_tensor({1, 12}, 2));
  const Spans one = Spans::packed(std::vector<Index>{1});
  const auto at = [&](const Parameter& x, Index place) {
    return rotary(x, one, {.heads = 2, .offset = place}).value();
  };
  for (Index head = 0; head < 2; ++head)
    for (Index distance : {0, 1, 7}) {
      const auto product_at = [&](Index place) {
        const Tensor a = at(q, place + distance);
        const Tensor b = at(k, place);
        double total = 0;
        for (Index c = 6 * head; c < 6 * head + 6; ++c)
          total += static_cast<double>(a[c] * b[c]);
        return total;
      };
      EXPECT_NEAR(product_at(0), product_at(100), 10 * close) << distance;
    }
  // Columns c and c + 3 of a head are rotated by the position times 10000^(-2c/6).
  const Tensor rotated = at(q, 2);
  for (Index c = 0; c < 3; ++c) {
    const double angle = 2 * std::pow(10000.0, -2.0 * static_cast<double>(c) / 6);
    const double a = static_cast<double>(q.value()[c]);
    const double b = static_cast<double>(q.value()[c + 3]);
    EXPECT_NEAR(static_cast<double>(rotated[c]), a * std::cos(angle) - b * std::sin(angle), close);
    EXPECT_NEAR(static_cast<double>(rotated[c + 3]), a * std::sin(angle) + b * std::cos(angle),
                close);
  }
}

TEST(HeadsAttention, DropsWeightsInTrainingAlone) {
  const Spans spans = Spans::packed(std::vector<Index>{30, 20});
  const Parameter x(random_tensor({50, 8}, 2));
  Random random(1);
  for (const char* name : {"multi_head", "relative", "adaptive_span", "rotary"}) {
    const auto layer =
        make_attention(name, {.query = 8, .memory = 8, .heads = 2, .dropout = Real(0.5)}, random);
    step_random() = Random(4);
    const Tensor dropped = (*layer)(x, spans).value();
    step_random() = Random(4);
    const Tensor again = (*layer)(x, spans).value();
    EXPECT_EQ(dropped.to_vector(), again.to_vector());
    Evaluating evaluating(*layer);
    EXPECT_NE((*layer)(x, spans).value().to_vector(), dropped.to_vector());
    EXPECT_EQ((*layer)(x, spans).value().to_vector(), (*layer)(x, spans).value().to_vector());
  }
}

}  // namespace
}  // namespace heed
