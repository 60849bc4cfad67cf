#include <cmath>

#include <gtest/gtest.h>

#include "framework/kernels/parallel.h"  // set_threads
#include "framework/memory.h"
#include "framework/module.h"
#include "framework/ops.h"
#include "tests/framework/ops_table/table.h"
#include "tests/framework/threads.h"

// Fused attention against its composition from plain ops: values and every gradient, with lengths
// past the edges of tiles.

namespace heed::test {
namespace {

Parameter random_rows(Index rows, Index columns, std::uint64_t seed) {
  Random random(seed);
  return Parameter(uniform({rows, columns}, random, -1, 1));
}

using OnParameters = std::function<Variable(std::span<const Parameter>)>;

void expect_same(const std::string& what, std::vector<Parameter> inputs, const OnParameters& fused,
                 const OnParameters& composed) {
  std::vector<Tensor> values[2];
  for (int k = 0; k < 2; ++k) {
    for (const Parameter& p : inputs)
      p.clear_gradient();
    Tape tape;
    const Variable y = (k == 0 ? fused : composed)(inputs);
    Random random(9);
    tape.backward(y, uniform(y.shape(), random, -1, 1));
    values[k].push_back(y.value());
    for (const Parameter& p : inputs)
      values[k].push_back(p.gradient());
  }
  for (std::size_t i = 0; i < values[0].size(); ++i) {
    const Tensor& got = values[0][i];
    const Tensor& expected = values[1][i];
    ASSERT_EQ(got.size(), expected.size()) << what;
    double largest = 1;
    double worst = 0;
    for (Index j = 0; j < got.size(); ++j) {
      largest = std::max(largest, std::abs(static_cast<double>(expected[j])));
      const double difference =
          std::abs(static_cast<double>(got[j]) - static_cast<double>(expected[j]));
      if (!(difference <= worst)) worst = std::isnan(difference) ? INFINITY : difference;
    }
    EXPECT_LE(worst / largest, sizeof(Real) == 8 ? 1e-11 : 2e-5)
        << what << ": " << (i == 0 ? "value" : "gradient of input " + std::to_string(i - 1));
  }
}

/// One sequence, head by head, with matmul and softmax.
Variable compose(const Attention& o, const Variable& q, const Variable& k, const Variable& v) {
  const Index n = q.rows();
  const Index m = k.rows();
  const Index w = q.columns() / o.heads;
  const int kv_heads = o.kv_heads > 0 ? o.kv_heads : o.heads;
  std::vector<Operand> parts;
  for (int h = 0; h < o.heads; ++h) {
    const Index shared = h / (o.heads / kv_heads);
    Tensor bias = Tensor::zeros({n, m});
    Tensor hidden = Tensor::zeros({n, m});
    Tensor empty = Tensor::zeros({n, 1});
    for (Index i = 0; i < n; ++i) {
      Index seen = 0;
      for (Index j = 0; j < m; ++j) {
        const Index distance = std::abs(i + m - n - j);
        if (o.slopes.defined()) bias[i * m + j] = -o.slopes[h] * static_cast<Real>(distance);
        hidden[i * m + j] = static_cast<Real>((o.causal && j > i + m - n) ||
                                              (o.window > 0 && distance >= o.window));
        seen += hidden[i * m + j] == 0;
      }
      empty[i] = static_cast<Real>(seen == 0);
    }
    const Variable s = matmul(slice(q, 1, h * w, (h + 1) * w),
                              slice(k, 1, shared * w, (shared + 1) * w), {.b = true}) *
                           (1 / std::sqrt(static_cast<double>(w))) +
                       bias;
    const Variable weights = masked_fill(softmax(masked_fill(s, hidden, Real(-1e4))), empty, 0);
    parts.emplace_back(matmul(weights, slice(v, 1, shared * w, (shared + 1) * w)));
  }
  return concat(parts, 1);
}

TEST(FusedAttention, EqualsItsComposition) {
  struct Extents {
    Index n;
    Index m;
  };
  const Tensor slopes({4}, {Real(0.5), Real(0.1), Real(0.01), 0});
  for (const Extents e : {Extents{1, 1}, {5, 5}, {70, 140}, {140, 70}, {300, 300}, {3, 290}})
    for (int kv_heads : {4, 2, 1})
      for (bool causal : {false, true})
        for (Index window : {0, 1, 7, 64, 130})
          for (bool leaning : {false, true}) {
            if (kv_heads != 2 && (window == 64 || leaning)) continue;
            const Attention o{.heads = 4,
                              .kv_heads = kv_heads,
                              .queries = packed({e.n}),
                              .keys = packed({e.m}),
                              .causal = causal,
                              .window = window,
                              .slopes = leaning ? slopes : Tensor()};
            expect_same(
                fmt::format(
                    "{} queries, {} keys, {} heads of keys, causal {}, window {}, slopes {}", e.n,
                    e.m, kv_heads, causal, window, leaning),
                {random_rows(e.n, 20, 1), random_rows(e.m, 5 * kv_heads, 2),
                 random_rows(e.m, 5 * kv_heads, 3)},
                [&](auto x) { return attention(x[0], x[1], x[2], o); },
                [&](auto x) { return compose(o, x[0], x[1], x[2]); });
          }
}

TEST(FusedAttention, PiecesEqualTheFusedOp) {
  for (bool causal : {false, true})
    for (Index window : {0, 3}) {
      const Spans queries = packed({1, 30, 0, 4});
      const Spans keys = packed({7, 40, 3, 2});
      const Pairing p{.heads = 4,
                      .kv_heads = 2,
                      .queries = queries,
                      .keys = keys,
                      .causal = causal,
                      .window = window};
      for (Index w : {3, 16})
        expect_same(
            fmt::format("causal {}, window {}, width {}", causal, window, w),
            {random_rows(35, 4 * w, 1), random_rows(52, 2 * w, 2), random_rows(52, 2 * w, 3)},
            [&](auto x) {
              return weighted_values(scores_softmax(dot_scores(x[0], x[1], p), p), x[2], p);
            },
            [&](auto x) {
              return attention(x[0], x[1], x[2],
                               {.heads = 4,
                                .kv_heads = 2,
                                .queries = queries,
                                .keys = keys,
                                .causal = causal,
                                .window = window,
                                .scale = 1});
            });
    }
}

/// The weights of a sequence after the other, as the pieces of attention lay them out.
Tensor joined(const std::vector<Tensor>& weights) {
  std::vector<Real> all;
  for (const Tensor& block : weights)
    all.insert(all.end(), block.span().begin(), block.span().end());
  return {{static_cast<Index>(all.size())}, std::span<const Real>(all)};
}

TEST(FusedAttention, WeightsOnRequestGiveTheValues) {
  const Spans queries = packed({1, 65, 0, 130});
  const Spans keys = packed({3, 129, 4, 140});
  const Pairing p{.heads = 4, .kv_heads = 2, .queries = queries, .keys = keys};
  const auto random = [](const Shape& shape, std::uint64_t seed) {
    Random r(seed);
    return uniform(shape, r, -1, 1);
  };
  const Tensor hidden = masked_fill(random({276}, 7), stripes({276}), -INFINITY).value();
  struct Row {
    const char* what;
    std::function<void(Attention&)> change;
  };
  for (const Row& row :
       {Row{"bias of pairs", [&](Attention& o) { o.bias.pairs = random({p.size()}, 4); }},
        {"shared bias",
         [&](Attention& o) {
           o.bias.shared = random({1, 130, 140}, 5);
         }},
        {"mask of keys", [&](Attention& o) { o.bias.keys = hidden; }},
        {"cap", [](Attention& o) { o.softcap = Real(0.5); }},
        {"rotation", [](Attention& o) { o.rotation = Rotation{}; }},
        {"sinks", [](Attention& o) {
           o.window = 3;
           o.sinks = 2;
         }}})
    for (const bool causal : {false, true}) {
      std::vector<Tensor> weights;
      Attention o{.heads = 4,
                  .kv_heads = 2,
                  .queries = queries,
                  .keys = keys,
                  .causal = causal,
                  .weights = &weights};
      row.change(o);
      const Tensor v = random({276, 2 * 7}, 3);
      const Tensor y = attention(random({196, 24}, 1), random({276, 12}, 2), v, o).value();
      const Tensor expected = weighted_values(joined(weights), v, p).value();
      for (Index i = 0; i < y.size(); ++i)
        ASSERT_NEAR(y[i], expected[i], 1e-5) << row.what << ", causal " << causal;
    }
}

/// No option keeps the scores: less than a sixteenth of them would fit.
TEST(FusedAttention, KeepsNoScores) {
  const Index n = 3000;
  const Spans spans = packed({n});
  const Parameter qkv = random_rows(n, 24, 1);
  const Parameter bias(random_rows(n, 1, 2).value().reshape({n}));
  const Threads one(1);
  const std::size_t before = memory::statistics().live;
  memory::reset_peak();
  Tape tape;
  const Variable y = attention(qkv, {.queries = spans,
                                     .keys = spans,
                                     .causal = true,
                                     .window = 700,
                                     .sinks = 300,
                                     .bias = {.keys = bias},
                                     .softcap = 5,
                                     .rotation = Rotation{},
                                     .dropout = Real(0.1),
                                     .key = {1, 2}});
  tape.backward(sum(square(y)));
  EXPECT_LT(memory::statistics().peak - before,
            static_cast<std::size_t>(n * n / 16) * sizeof(Real));
}

TEST(AdditiveScores, EqualTheirComposition) {
  for (Index d : {1, 19, 64, 200}) {
    const Pairing p{.queries = packed({20}), .keys = packed({33})};
    Random random(4);
    expect_same(
        fmt::format("width {}", d),
        {random_rows(20, d, 1), random_rows(33, d, 2), Parameter(uniform({d}, random, -1, 1))},
        [&](auto x) { return additive_scores(x[0], x[1], x[2], p); },
        [&](auto x) {
          return reshape(
              sum(tanh(reshape(x[0], {20, 1, d}) + reshape(x[1], {1, 33, d})) * x[2], {2}), {660});
        });
    expect_same(
        fmt::format("width {}, with coverage", d),
        {random_rows(20, d, 1), random_rows(33, d, 2), Parameter(uniform({d}, random, -1, 1)),
         Parameter(uniform({660}, random, 0, 2)), Parameter(uniform({d}, random, -1, 1))},
        [&](auto x) { return additive_scores(x[0], x[1], x[2], x[3], x[4], p); },
        [&](auto x) {
          const Variable inside = reshape(x[0], {20, 1, d}) + reshape(x[1], {1, 33, d}) +
                                  reshape(x[3], {20, 33, 1}) * x[4];
          return reshape(sum(tanh(inside) * x[2], {2}), {660});
        });
  }
}

TEST(LinearAttention, EqualsItsComposition) {
  const auto feature = [](const Variable& x) {  // elu(x) + 1
    return relu(x) + exp(minimum(x, 0));
  };
  struct Extents {
    Index n;
    Index m;
  };
  for (const Extents e : {Extents{1, 1}, {5, 9}, {64, 64}, {150, 200}, {200, 150}, {129, 129}})
    for (bool causal : {false, true}) {
      Tensor visible = Tensor::full({e.n, e.m}, 1);
      Tensor none = Tensor::zeros({e.n, 1});
      for (Index i = 0; i < e.n; ++i) {
        for (Index j = 0; j < e.m && causal; ++j)
          visible[i * e.m + j] = static_cast<Real>(j <= i + e.m - e.n);
        none[i] = static_cast<Real>(causal && i + e.m - e.n < 0);
      }
      const Index w = 7;
      const Pairing p{
          .heads = 2, .queries = packed({e.n}), .keys = packed({e.m}), .causal = causal};
      expect_same(
          fmt::format("{} queries, {} keys, causal {}", e.n, e.m, causal),
          {random_rows(e.n, 2 * w, 1), random_rows(e.m, 2 * w, 2), random_rows(e.m, 2 * w, 3)},
          [&](auto x) { return linear_attention(x[0], x[1], x[2], p); },
          [&](auto x) {
            std::vector<Operand> parts;
            for (Index h = 0; h < 2; ++h) {
              const auto head = [&](const Variable& y) { return slice(y, 1, h * w, (h + 1) * w); };
              const Variable a =
                  matmul(feature(head(x[0])), feature(head(x[1])), {.b = true}) * visible;
              parts.emplace_back(matmul(a, head(x[2])) / (sum(a, {1}, true) + none));
            }
            return concat(parts, 1);
          });
    }
}

// Two equal scores at distances 1 and 0, with a span of 0 and a ramp of 41. Then
// - the mask is m = (40/41, 1) and y = m / (81/41);
// - for dy = (0, 1), dz = sum over 0 < m < 1 of y (dy - y dy) / (ramp m) = -(41/81)^2 / 41.
// In float, 41 times 1/41 is less than 1.
TEST(SpanSoftmax, IsFlatWhereItsRampEnds) {
  const Parameter scores(Tensor::zeros({2}));
  const Parameter reach(Tensor::zeros({1}));
  Tape tape;
  const Variable y =
      span_softmax(scores, reach, 41, {.heads = 1, .queries = packed({1}), .keys = packed({2})});
  tape.backward(y, Tensor({2}, {0, 1}));
  EXPECT_NEAR(y.value()[0], 40. / 81, 1e-6);
  EXPECT_NEAR(reach.gradient()[0], -41. / 6561, 1e-6);
}

TEST(AttentionFamilyOps, ThreadsChangeNoBit) {
  std::vector<Index> lengths(40, 9);
  lengths[3] = 150;
  lengths[7] = 0;
  const Spans spans = Spans::packed(lengths);
  const Pairing p{.heads = 2, .queries = spans, .keys = spans, .causal = true};
  Pairing one = p;
  one.heads = 1;
  const auto run = [&](int count) {
    set_threads(count);
    std::vector<Parameter> x;
    for (std::uint64_t i = 0; i < 3; ++i)
      x.push_back(random_rows(spans.rows(), 64, i));
    const Parameter energy(random_rows(1, 64, 5).value().reshape({64}));
    const Parameter reaches(Tensor({2}, {Real(3.3), Real(5.7)}));
    Tape tape;
    const Variable scores = dot_scores(x[0], x[1], p) + by_distance(slice(x[2], 1, 0, 10), 2, p);
    const Variable y =
        weighted_values(span_softmax(scores, reaches, Real(2.5), p), x[2], p) +
        linear_attention(x[0], x[1], x[2], p) +
        attention(rotary(x[0], spans, {.heads = 2}), x[1], x[2],
                  {.heads = 2, .queries = spans, .keys = spans, .window = 4}) +
        weighted_queries(scores_softmax(additive_scores(x[0], x[1], energy, one), one), x[2], one);
    tape.backward(sum(square(y)));
    std::vector<std::vector<Real>> result{y.value().to_vector(), energy.gradient().to_vector(),
                                          reaches.gradient().to_vector()};
    for (const Parameter& parameter : x)
      result.push_back(parameter.gradient().to_vector());
    set_threads(0);
    return result;
  };
  const auto alone = run(1);
  for (int count : {2, 5})
    EXPECT_EQ(alone, run(count)) << count << " threads";
}

}  // namespace
}  // namespace heed::test
