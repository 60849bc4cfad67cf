// The options of MultiHeadAttention together, and the kinds of norms and feed-forward layers,
// against their definitions in loops over doubles.

#include "layers/attention/multi_head.h"
#include "layers/feed_forward.h"
#include "tests/layers/rows.h"
#include "tests/message_of.h"

namespace heed {
namespace {

constexpr Index d = 16;
constexpr int heads = 4;
constexpr Index w = d / heads;

Row product(const Linear& f, Index begin, Index count, const Row& x) {
  Row y;
  const Rows weights = rows_of(f.weight.value());
  const Row bias = rows_of(f.bias.value().reshape({1, f.bias.value().size()}))[0];
  for (Index i = begin; i < begin + count; ++i)
    y.push_back(dot(weights[static_cast<std::size_t>(i)], x) + bias[static_cast<std::size_t>(i)]);
  return y;
}

/// Columns [begin, begin + w) of a row.
Row head_of(const Row& x, Index begin) { return {x.begin() + begin, x.begin() + begin + w}; }

Row rms_normed(Row x, const RmsNorm& norm) {
  double squares = 0;
  for (const double v : x)
    squares += v * v;
  const double root = std::sqrt(squares / static_cast<double>(x.size()) + 1e-5);
  for (std::size_t c = 0; c < x.size(); ++c)
    x[c] *= static_cast<double>(norm.gain.value()[static_cast<Index>(c)]) / root;
  return x;
}

Row rotated(const Row& x, Index position, double base) {
  Row y = x;
  for (std::size_t c = 0; c < w / 2; ++c) {
    const double angle =
        static_cast<double>(position) * std::pow(base, -2 * static_cast<double>(c) / double{w});
    y[c] = x[c] * std::cos(angle) - x[c + w / 2] * std::sin(angle);
    y[c + w / 2] = x[c] * std::sin(angle) + x[c + w / 2] * std::cos(angle);
  }
  return y;
}

/// One sequence of self-attention by its definition.
struct Definition {
  const SelfAttention& a;
  const Rows& x;
  bool causal;

  Row query(Index i, int h) const {
    const Row q = head_of(product(*a.input, 0, d, x[i]), h * w);
    return placed(q, a.query_norm, i);
  }
  Row key(Index j, int h) const {
    const int group = h / (heads / a.kv_heads);
    const Row k = head_of(product(*a.input, d, a.kv_width(), x[j]), group * w);
    return placed(k, a.key_norm, j);
  }
  Row value(Index j, int h) const {
    const int group = h / (heads / a.kv_heads);
    return head_of(product(*a.input, d + a.kv_width(), a.kv_width(), x[j]), group * w);
  }
  Row placed(const Row& row, const std::optional<RmsNorm>& norm, Index position) const {
    const Row y = norm ? rms_normed(row, *norm) : row;
    return a.distances == Distances::rotary ? rotated(y, position, static_cast<double>(a.base)) : y;
  }
  Row trained(const Parameter& table, Index distance) const {
    return rows_of(table.value())[std::clamp(distance, -a.reach, a.reach) + a.reach];
  }
  double mass(Index i, Index j, int h) const {
    const Index distance = std::abs(i - j);
    if ((causal && j > i) || (a.window > 0 && distance >= a.window)) return 0;
    Row k = key(j, h);
    if (a.distances == Distances::relative) k = k + trained(a.key_distances, j - i);
    double score = dot(query(i, h), k) / std::sqrt(double{w});
    if (a.distances == Distances::alibi)
      score -= std::pow(2, -8.0 * (h + 1) / heads) * static_cast<double>(distance);
    double mask = 1;
    if (a.weighing == Weighing::span) {
      const double z = static_cast<double>(a.span.value()[h]) * static_cast<double>(a.longest);
      const double ramp = static_cast<double>(a.ramp);
      mask = std::clamp((ramp + z - static_cast<double>(distance)) / ramp, 0.0, 1.0);
    }
    return mask * std::exp(score);
  }
  Row result(Index i) const {
    Row y;
    for (int h = 0; h < heads; ++h) {
      Row sum(w, 0);
      double total = 0;
      for (Index j = 0; j < std::ssize(x); ++j) {
        const double m = mass(i, j, h);
        Row v = value(j, h);
        if (a.distances == Distances::relative) v = v + trained(a.value_distances, j - i);
        for (double& one : v)
          one *= m;
        sum = sum + v;
        total += m;
      }
      for (const double one : sum)
        y.push_back(one / total);
    }
    return product(a.output, 0, d, y);
  }
};

const std::vector<std::pair<std::string, AttentionOptions>>& compositions() {
  static const std::vector<std::pair<std::string, AttentionOptions>> all = {
      {"rotary, grouped, local, normed",
       {.kv_heads = 2, .distances = Distances::rotary, .qk_norm = true, .window = 3}},
      {"rotary of another base, one key head",
       {.kv_heads = 1, .distances = Distances::rotary, .base = 100}},
      {"alibi, grouped, local", {.kv_heads = 2, .distances = Distances::alibi, .window = 4}},
      {"relative, grouped, local, normed",
       {.kv_heads = 2, .distances = Distances::relative, .qk_norm = true, .window = 4, .reach = 2}},
      {"spans, rotary, grouped",
       {.kv_heads = 2,
        .weighing = Weighing::span,
        .distances = Distances::rotary,
        .longest = 6,
        .ramp = 2}},
      {"spans, alibi", {.weighing = Weighing::span, .distances = Distances::alibi, .longest = 6}},
      {"spans, relative",
       {.weighing = Weighing::span, .distances = Distances::relative, .reach = 3, .longest = 6}},
      {"normed", {.qk_norm = true}},
  };
  return all;
}

SelfAttention layer_of(AttentionOptions o) {
  Random random(2);
  o.query = d;
  o.heads = heads;
  SelfAttention layer(o, random);
  randomize(layer);
  if (layer.span.defined())
    layer.span.value() = Tensor({4}, {Real(0.06), Real(0.3), Real(0.55), Real(0.8)});
  return layer;
}

TEST(AttentionComposition, EqualsItsDefinition) {
  for (const auto& [name, options] : compositions()) {
    const SelfAttention layer = layer_of(options);
    for (const bool causal : {false, true}) {
      const std::vector<Index> lengths = {1, 9, 5};
      const Spans spans = Spans::packed(lengths);
      const Tensor x = random_tensor({spans.rows(), d}, 4);
      const Tensor y = layer(Variable(x), spans, {.causal = causal}).value();
      for (Index s = 0; s < spans.count(); ++s) {
        const Rows rows = rows_of(x, spans.begin(s), spans.length(s));
        for (Index i = 0; i < spans.length(s); ++i) {
          const Row expected = Definition{layer, rows, causal}.result(i);
          for (Index c = 0; c < d; ++c)
            ASSERT_NEAR(static_cast<double>(y[(spans.begin(s) + i) * d + c]), expected[c],
                        10 * close)
                << name << (causal ? ", causal" : "") << ", sequence " << s << ", row " << i;
        }
      }
    }
  }
}

TEST(AttentionComposition, GradientsMatchDifferences) {
  const std::vector<Index> lengths = {4, 2};
  const Spans spans = Spans::packed(lengths);
  const Tensor x = random_tensor({spans.rows(), d}, 4);
  for (const auto& [name, options] : compositions()) {
    SelfAttention layer = layer_of(options);
    expect_gradients(
        layer,
        [&] {
          const Variable y = layer(Variable(x), spans, {.causal = true});
          return sum(y * random_tensor(y.shape(), 5));
        },
        name);
  }
}

TEST(AttentionComposition, RefusesWhatLinearAttentionLacks) {
  Random random(1);
  for (const AttentionOptions& o : {AttentionOptions{.kv_heads = 1, .weighing = Weighing::linear},
                                    {.weighing = Weighing::linear, .window = 2},
                                    {.weighing = Weighing::linear, .distances = Distances::alibi}})
    EXPECT_EQ(message_of([&] { MultiHeadAttention(o, random); }),
              "[attention] expected no distances, no window and no shared keys of linear "
              "attention: it has no scores of single keys");
}

TEST(FeedForward, EqualsItsDefinition) {
  using Kind = FeedForwardKind;
  for (const Kind kind : {Kind::relu, Kind::gelu, Kind::swiglu, Kind::relu_squared}) {
    Random random(3);
    FeedForward layer(6, 5, kind, 0, random);
    randomize(layer);
    const Tensor x = random_tensor({3, 6}, 4);
    const Tensor y = layer(Variable(x)).value();
    for (Index r = 0; r < 3; ++r) {
      const Row h = product(layer.up, 0, layer.up.weight.shape()[0], rows_of(x)[r]);
      Row hidden;
      for (std::size_t c = 0; c < 5; ++c) {
        const double v = h[c];
        const double inner = std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v);
        if (kind == Kind::relu) hidden.push_back(std::max(0.0, v));
        if (kind == Kind::gelu) hidden.push_back(v / 2 * (1 + std::tanh(inner)));
        if (kind == Kind::swiglu) hidden.push_back(v / (1 + std::exp(-v)) * h[c + 5]);
        if (kind == Kind::relu_squared) hidden.push_back(std::pow(std::max(0.0, v), 2));
      }
      const Row expected = product(layer.down, 0, 6, hidden);
      for (Index c = 0; c < 6; ++c)
        EXPECT_NEAR(static_cast<double>(y[r * 6 + c]), expected[c], 10 * close) << r;
    }
    expect_gradients(
        layer,
        [&] {
          return sum(layer(Variable(x)) * random_tensor({3, 6}, 5));
        },
        "feed-forward");
  }
}

TEST(Norm, IsOneOfTwo) {
  const Tensor x = random_tensor({3, 8}, 1);
  Norm layer(8);
  Norm rms(8, NormKind::rms);
  EXPECT_EQ(parameters(layer).size(), 2u);
  EXPECT_EQ(parameters(rms).size(), 1u);
  EXPECT_EQ(layer(x).value().to_vector(), LayerNorm(8)(x).value().to_vector());
  EXPECT_EQ(rms(x).value().to_vector(), RmsNorm(8)(x).value().to_vector());
}

}  // namespace
}  // namespace heed
