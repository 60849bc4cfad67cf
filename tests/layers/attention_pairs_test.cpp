#include "layers/attention/co_attention.h"
#include "layers/attention/multi_head.h"
#include "layers/attention/sentinel.h"
#include "tests/layers/tiny.h"

// Attention with signatures of its own, against loops over doubles.

namespace heed {
namespace {

using Row = std::vector<double>;
using Rows = std::vector<Row>;

Rows rows_of(const Tensor& x, Index begin, Index count) {
  Rows rows;
  for (Index i = begin; i < begin + count; ++i) {
    rows.emplace_back();
    for (Index c = 0; c < x.columns(); ++c)
      rows.back().push_back(static_cast<double>(x[i * x.columns() + c]));
  }
  return rows;
}
Rows rows_of(const Parameter& p) { return rows_of(p.value(), 0, p.value().rows()); }

double dot(const Row& a, const Row& b) {
  double total = 0;
  for (std::size_t c = 0; c < a.size(); ++c)
    total += a[c] * b[c];
  return total;
}
Row product(const Linear& f, const Row& x) {
  Row y;
  for (const Row& w : rows_of(f.weight))
    y.push_back(dot(w, x));
  return y;
}
void add(Row& to, const Row& x, double factor) {
  for (std::size_t c = 0; c < to.size(); ++c)
    to[c] += factor * x[c];
}
Row tanh_of(Row x) {
  for (double& v : x)
    v = std::tanh(v);
  return x;
}
/// Each over their sum.
Row shares(Row x) {
  double total = 0;
  for (double& v : x)
    total += v = std::exp(v);
  for (double& v : x)
    v /= total;
  return x;
}

/// Rows of sequences at random, what is between them huge.
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

/// The tape's gradients against central differences of the loss.
void expect_gradients(AnyModule module, const std::function<Variable()>& f,
                      const std::string& what) {
  const Gradients got = gradients(module, f);
  const double step = sizeof(Real) == 8 ? 1e-5 : 1e-2;
  const double tolerance = sizeof(Real) == 8 ? 1e-6 : 2e-2;
  std::size_t number = 0;
  for (const auto& [name, p] : parameters(module)) {
    std::vector<Real> expected;
    for (Real& x : p.value().span()) {
      const Real kept = x;
      x = kept + static_cast<Real>(step);
      const double above = static_cast<double>(f().item());
      x = kept - static_cast<Real>(step);
      const double below = static_cast<double>(f().item());
      x = kept;
      expected.push_back(static_cast<Real>((above - below) / (2 * step)));
    }
    EXPECT_LE(difference(got.values[number], expected), tolerance) << what << ": " << name;
    ++number;
  }
}

struct Layout {
  const char* name;
  std::vector<Index> a;
  std::vector<Index> b;
  // 0: packed
  Index a_width;
  Index b_width;
};
const std::vector<Layout>& layouts() {
  static const std::vector<Layout> all = {{"one", {1}, {1}, 0, 0},
                                          {"packed", {3, 5, 1}, {4, 2, 19}, 0, 0},
                                          {"padded", {3, 1}, {2, 4}, 5, 4},
                                          {"empty sequences", {2, 0, 3, 0}, {0, 2, 1, 0}, 0, 0},
                                          {"empty sequences, padded", {2, 0}, {0, 2}, 3, 3}};
  return all;
}
Spans spans_of(const std::vector<Index>& lengths, Index width) {
  return width == 0 ? Spans::packed(lengths) : Spans::padded(lengths, width);
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
      Row a_scores;
      Row b_scores;
      for (std::size_t i = 0; i < x.size(); ++i) {
        Row map = product(layer.first, x[i]);
        for (std::size_t j = 0; j < y.size(); ++j)
          add(map, product(layer.second, y[j]), c(i, j));
        a_scores.push_back(dot(rows_of(layer.energy_a)[0], tanh_of(map)));
      }
      for (std::size_t j = 0; j < y.size(); ++j) {
        Row map = product(layer.second, y[j]);
        for (std::size_t i = 0; i < x.size(); ++i)
          add(map, product(layer.first, x[i]), c(i, j));
        b_scores.push_back(dot(rows_of(layer.energy_b)[0], tanh_of(map)));
      }
      const Row wa = shares(a_scores);
      const Row wb = shares(b_scores);
      Row ya(6, 0);
      Row yb(5, 0);
      for (std::size_t i = 0; i < x.size(); ++i)
        add(ya, x[i], wa[i]);
      for (std::size_t j = 0; j < y.size(); ++j)
        add(yb, y[j], wb[j]);
      expect_row(result.a.value(), s, ya, layout.name);
      expect_row(result.b.value(), s, yb, layout.name);
      for (std::size_t i = 0; i < x.size(); ++i)
        EXPECT_NEAR(
            static_cast<double>(a_weights[static_cast<std::size_t>(s)][static_cast<Index>(i)]),
            wa[i], close);
      for (std::size_t j = 0; j < y.size(); ++j)
        EXPECT_NEAR(
            static_cast<double>(b_weights[static_cast<std::size_t>(s)][static_cast<Index>(j)]),
            wb[j], close);
    }
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

TEST(SentinelAttention, EqualsItsDefinition) {
  Random random(1);
  const Index d = 5;
  SentinelAttention layer(3, d, 4, random);
  randomize(layer);
  for (const Layout& layout : layouts()) {
    const Spans queries = spans_of(layout.a, layout.a_width);

    const Spans keys = spans_of(layout.b, layout.b_width);
    Parameter x = scattered(queries, 3, 1);
    Parameter before = scattered(queries, d, 2);

    Parameter h = scattered(queries, d, 3);
    Parameter m = scattered(queries, d, 4);
    Parameter v = scattered(keys, d, 5);
    std::vector<Tensor> weights;
    const auto result = layer({x, before, h, m}, queries, layer.remember(v), keys, &weights);
    for (Index s = 0; s < queries.count(); ++s) {
      const auto of = [&](const Parameter& p) {
        return rows_of(p.value(), queries.begin(s), queries.length(s));
      };
      const Rows xs = of(x);
      const Rows befores = of(before);
      const Rows hs = of(h);
      const Rows ms = of(m);

      const Rows vs = rows_of(v.value(), keys.begin(s), keys.length(s));
      const Row w = rows_of(layer.energy)[0];
      for (std::size_t i = 0; i < xs.size(); ++i) {
        Row sentinel = product(layer.gate_input, xs[i]);
        add(sentinel, product(layer.gate_state, befores[i]), 1);
        for (std::size_t c = 0; c < sentinel.size(); ++c)
          sentinel[c] = 1 / (1 + std::exp(-sentinel[c])) * std::tanh(ms[i][c]);
        const Row g = product(layer.state, hs[i]);
        const auto score = [&](Row of_row) {
          add(of_row, g, 1);
          return dot(w, tanh_of(of_row));
        };
        Row scores;
        for (const Row& row : vs)
          scores.push_back(score(product(layer.value, row)));
        scores.push_back(score(product(layer.sentinel, sentinel)));
        const Row all = shares(scores);
        // The paper's form: attention without the sentinel, mixed with it.
        const double beta = all.back();
        scores.pop_back();
        Row y(static_cast<std::size_t>(d), 0);
        Row alone = shares(scores);
        for (std::size_t j = 0; j < vs.size(); ++j)
          add(y, vs[j], (1 - beta) * alone[j]);
        add(y, sentinel, beta);
        const Index row = queries.begin(s) + static_cast<Index>(i);
        expect_row(result.y.value(), row, y, layout.name);
        expect_row(result.beta.value(), row, {beta}, layout.name);
        for (std::size_t j = 0; j < vs.size(); ++j)
          EXPECT_NEAR(
              static_cast<double>(
                  weights[static_cast<std::size_t>(s)][static_cast<Index>(i * vs.size() + j)]),
              all[j], 10 * close);
      }
    }
    SentinelParts parts{layer, x, before, h, m, v};
    Tensor kept = Tensor::zeros({queries.rows(), d});
    for (Index s = 0; s < queries.count(); ++s)
      for (Index t = 0; t < queries.length(s) * d; ++t)
        kept[queries.begin(s) * d + t] = static_cast<Real>(std::cos(static_cast<double>(t)));
    expect_gradients(
        parts,
        [&] {
          return sum(layer({x, before, h, m}, queries, layer.remember(v), keys).y * kept);
        },
        layout.name);
  }
}

// What members have to themselves ----------------------------------------------------------------

TEST(AdaptiveSpan, PenaltyIsTheMeanSpanWithinBounds) {
  Random random(1);
  AdaptiveSpanAttention layer(8, 8, 4, 10, 2, 0, random);
  layer.span.value() = Tensor({4}, {Real(-0.5), Real(0.25), Real(0.75), Real(1.5)});
  EXPECT_NEAR(static_cast<double>(layer.penalty().item()), 10 * (0 + 0.25 + 0.75 + 1) / 4, close);
  const Gradients g = gradients(layer, [&] { return layer.penalty(); });
  const std::vector<double> expected = {0, 2.5, 2.5, 0};
  for (std::size_t h = 0; h < 4; ++h)
    EXPECT_NEAR(static_cast<double>(g.values.back()[h]), expected[h], close) << h;
}

TEST(AdaptiveSpan, ASpanBelowZeroCanGrowAgain) {
  Random random(1);
  AdaptiveSpanAttention layer(8, 8, 4, 10, 3, 0, random);
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
  // Columns c and c + 3 of a head turn by the position times 10000^(-2c/6).
  const Tensor turned = at(q, 2);
  for (Index c = 0; c < 3; ++c) {
    const double angle = 2 * std::pow(10000.0, -2.0 * static_cast<double>(c) / 6);
    const double a = static_cast<double>(q.value()[c]);
    const double b = static_cast<double>(q.value()[c + 3]);
    EXPECT_NEAR(static_cast<double>(turned[c]), a * std::cos(angle) - b * std::sin(angle), close);
    EXPECT_NEAR(static_cast<double>(turned[c + 3]), a * std::sin(angle) + b * std::cos(angle),
                close);
  }
}

TEST(HeadsAttention, DropsWeightsInTrainingAlone) {
  const Spans spans = Spans::packed(std::vector<Index>{30, 20});
  const Parameter x(random_tensor({50, 8}, 2));
  Random random(1);
  for (AttentionLayer* layer : std::initializer_list<AttentionLayer*>{
           new MultiHeadAttention(8, 8, 2, Real(0.5), random),
           new RelativeAttention(8, 8, 2, 3, Real(0.5), random),
           new AdaptiveSpanAttention(8, 8, 2, 9, 3, Real(0.5), random),
           new RotaryAttention(8, 8, 2, 100, Real(0.5), random)}) {
    const std::unique_ptr<AttentionLayer> owner(layer);
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
