// Values and gradients of extreme numbers: offsets, long rows, infinities, denormal numbers and
// NaN. The expected values were worked out by hand or in double.

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "framework/module.h"
#include "framework/ops.h"
#include "tests/framework/ops_table/table.h"

namespace heed::test {
namespace {

constexpr Real infinity = std::numeric_limits<Real>::infinity();
const Real nan = std::numeric_limits<Real>::quiet_NaN();
constexpr double ulp = std::numeric_limits<Real>::epsilon();

struct UnaryRow {
  const char* op;
  Variable (*run)(const Operand&);
  double x;
  double y;
  double gradient;
};
const double huge = 2e19;  // its square is too large for a float
const std::vector<UnaryRow> unary_rows = {
    {"gelu", gelu, 1e18, 1e18, 1},
    {"gelu", gelu, huge, huge, 1},
    {"gelu", gelu, -huge, 0, 0},
    {"gelu", gelu, 3e38, 3e38, 1},
    {"gelu", gelu, infinity, infinity, 1},
    {"gelu", gelu, -infinity, 0, 0},
    {"gelu", gelu, 0, 0, 0.5},
    {"silu", silu, huge, huge, 1},
    {"silu", silu, -huge, 0, 0},
    {"silu", silu, infinity, infinity, 1},
    {"silu", silu, -infinity, 0, 0},
    {"sigmoid", sigmoid, infinity, 1, 0},
    {"sigmoid", sigmoid, -infinity, 0, 0},
    {"tanh", tanh, infinity, 1, 0},
    {"tanh", tanh, -infinity, -1, 0},
    {"softplus", softplus, infinity, infinity, 1},
    {"softplus", softplus, -infinity, 0, 0},
    {"relu", relu, infinity, infinity, 1},
    {"relu", relu, -infinity, 0, 0},
    {"exp", exp, -infinity, 0, 0},
    {"log", log, infinity, infinity, 0},
    {"log", log, 1e-38, std::log(double(Real(1e-38))), 1e38},
};

TEST(Extremes, UnaryOpsAtTheEndsOfTheirRange) {
  for (const UnaryRow& row : unary_rows) {
    const Parameter x(Tensor::full({1}, static_cast<Real>(row.x)));
    Tape tape;
    const Variable y = row.run(x);
    tape.backward(y);
    const double scale = std::isfinite(row.y) ? std::abs(row.y) + 1e-30 : 1;
    if (std::isfinite(row.y))
      EXPECT_NEAR(y.item() / scale, row.y / scale, 4e-7) << row.op << " of " << row.x;
    else
      EXPECT_EQ(y.item(), row.y) << row.op << " of " << row.x;
    const double slope = std::abs(row.gradient) + 1;
    EXPECT_NEAR(x.gradient()[0] / slope, row.gradient / slope, 1e-6) << row.op << " of " << row.x;
  }
}

TEST(Extremes, LogOfDenormalNumbers) {
  for (const int exponent : {0, 1, 5, 10, 20, 22}) {
    const Real x = std::ldexp(std::numeric_limits<Real>::denorm_min(), exponent);
    const double right = std::log(static_cast<double>(x));
    EXPECT_NEAR(log(Tensor({1}, {x})).item(), right, std::abs(right) * 2 * ulp) << x;
  }
  EXPECT_EQ(log(Tensor({1}, {Real(0)})).item(), -infinity);
  EXPECT_TRUE(std::isnan(log(Tensor({1}, {Real(-1e-40)})).item()));
  EXPECT_TRUE(std::isnan(log(Tensor({1}, {nan})).item()));
}

TEST(Extremes, UnaryOpsKeepNaN) {
  using Op = Variable (*)(const Operand&);
  for (const Op op : std::initializer_list<Op>{exp, log, sqrt, square, abs, tanh, sigmoid, relu,
                                               gelu, silu, softplus}) {
    EXPECT_TRUE(std::isnan(op(Tensor({1}, {nan})).item()));
  }
}

TEST(Extremes, MaxKeepsNaNWhereverItStands) {
  for (int at = 0; at < 3; ++at) {
    Tensor x({1, 1, 3, 1}, {1, 2, 3});
    x[at] = nan;
    EXPECT_TRUE(std::isnan(max_pool2d(x, {1, 3}).item())) << at;
    EXPECT_TRUE(std::isnan(max(x).item())) << at;
    Tensor tall({1, 3, 1, 2}, {1, 1, 2, 2, 3, 3});
    tall[2 * at] = nan;
    const Variable pooled = max_pool2d(tall, {3, 1});
    EXPECT_TRUE(std::isnan(pooled.data()[0])) << at;
    EXPECT_EQ(pooled.data()[1], 3) << at;
  }
}

/// Of equal numbers the mean is the number, the variance is 0 and the layer norm is the bias.
/// Floats are summed in double, so the result is exact. For doubles there is no wider type.
constexpr double off = sizeof(Real) == 4 ? 0 : 1e-12;

TEST(Extremes, EqualNumbersHaveNoSpread) {
  for (const double number : {3.3, 12345.678, -1e6, 1e-20, 7e8}) {
    const auto value = static_cast<Real>(number);
    for (Index n = 1; n < 300; ++n) {
      const Tensor row = Tensor::full({1, n}, value);
      ASSERT_NEAR(mean(row).item(), value, off * std::abs(number)) << number << " x " << n;
      ASSERT_NEAR(variance(row).item(), 0, off * off * number * number) << number << " x " << n;
      const Variable y = layer_norm(row, ones({n}), zeros({n}));
      for (Index i = 0; i < n; ++i)
        ASSERT_NEAR(y.data()[i], 0, 1e-6) << number << " x " << n;
    }
    for (const Index n : {1000, 1999, 5003, 70001}) {
      const Tensor columns = Tensor::full({n, 3}, value);
      const std::string what = fmt::format("{} x {}", number, n);
      ASSERT_NEAR(mean(Tensor::full({n}, value)).item(), value, off * std::abs(number)) << what;
      ASSERT_NEAR(mean(columns, 0).data()[1], value, off * std::abs(number)) << what;
      ASSERT_NEAR(variance(columns, 0).data()[2], 0, off * off * number * number) << what;
    }
  }
}

TEST(Extremes, SumsOfInfinitiesAndNaN) {
  for (const Index n : {1, 3, 16, 17, 70, 2000}) {
    for (const Index inner : {1, 3, 20}) {
      for (const Index at : {Index{0}, n / 2, n - 1}) {
        for (const Real value : {infinity, -infinity, nan, std::numeric_limits<Real>::max()}) {
          Tensor x = Tensor::full({n, inner}, 1);
          x[at * inner] = value;
          const std::string what = fmt::format("{} at {} of {} x {}", value, at, n, inner);
          const Variable total = sum(x, 0);
          const Real average = mean(x, 0).data()[0];
          EXPECT_TRUE(std::isnan(value) ? std::isnan(total.data()[0]) : total.data()[0] == value)
              << what;
          EXPECT_EQ(std::isnan(average), std::isnan(value)) << what;
          EXPECT_EQ(std::isinf(average), std::isinf(value)) << what;
          if (inner > 1) {
            EXPECT_NEAR(total.data()[1], static_cast<double>(n), 1e-3) << what;
          }
        }
      }
    }
  }
  EXPECT_TRUE(std::isnan(sum(Tensor({2}, {infinity, -infinity})).item()));
}

/// offset + spread * (0, 1/n, 2/n ...), rounded.
Tensor ramp(Index n, double offset, double spread) {
  Tensor x({1, n});
  for (Index i = 0; i < n; ++i)
    x[i] = static_cast<Real>(offset + spread * static_cast<double>(i) / static_cast<double>(n));
  return x;
}

struct Moments {
  double mean = 0;
  double variance = 0;
};
Moments moments_of(const Tensor& x) {
  Moments m;
  const auto n = static_cast<double>(x.size());
  for (const Real v : x.span())
    m.mean += v / n;
  for (const Real v : x.span())
    m.variance += (v - m.mean) * (v - m.mean) / n;
  return m;
}

TEST(Extremes, MomentsOfRowsFarFromZero) {
  for (const Index n : {2, 16, 100, 257, 1000}) {
    for (const double offset : {0.0, 1.0, 1e3, 1e5, -1e5, 1e7}) {
      for (const double relative : {1e-6, 1e-3, 1.0}) {
        const Tensor x = ramp(n, offset, relative * std::max(std::abs(offset), 1.0));
        const Moments right = moments_of(x);
        const std::string what = fmt::format("{} numbers from {}, spread {}", n, offset, relative);
        EXPECT_NEAR(variance(x).item(), right.variance, 1e-5 * right.variance) << what;
        const double deviation = std::sqrt(right.variance + 1e-5);
        const Variable y = layer_norm(x, ones({n}), zeros({n}));
        for (const Index i : {Index{0}, n / 3, n - 1}) {
          EXPECT_NEAR(y.data()[i], (static_cast<double>(x.data()[i]) - right.mean) / deviation,
                      2e-5)
              << what;
        }
      }
    }
  }
}

/// The gradient of a norm with respect to its input is orthogonal to a constant row and to the
/// result.
TEST(Extremes, GradientOfANormFarFromZero) {
  const Index n = 64;
  const Parameter x(ramp(n, 1e5, 1));
  Random random(1);
  const Tensor dy = normal({1, n}, random, 1);
  Tape tape;
  const Variable y = layer_norm(x, ones({n}), zeros({n}));
  tape.backward(y, dy);
  double size = 0;
  double along_ones = 0;
  double along_y = 0;
  for (Index i = 0; i < n; ++i) {
    const double g = x.gradient()[i];
    size += std::abs(g);
    along_ones += g;
    along_y += g * y.data()[i];
  }
  EXPECT_NEAR(along_ones / size, 0, 1e-5);
  EXPECT_NEAR(along_y / size, 0, 1e-4);
}

TEST(Extremes, NormsWithinAnLstmFarFromZero) {
  // One step from an h0 of ones: U h0 is the sums of the rows of U. These are almost equal, and
  // their norm must be exact.
  const Index h = 8;
  Tensor u({4 * h, h});
  for (Index i = 0; i < u.size(); ++i)
    u[i] = static_cast<Real>(1000 + static_cast<double>(i / h) * 1e-2);
  Tensor sums({1, 4 * h});
  for (Index i = 0; i < 4 * h; ++i)
    sums[i] = static_cast<Real>(h) * u[i * h];
  const Moments right = moments_of(sums);
  const auto normal_of = [&](Index i) {
    return (static_cast<double>(sums[i]) - right.mean) / std::sqrt(right.variance + 1e-5);
  };
  const auto logistic = [](double v) { return 1 / (1 + std::exp(-v)); };
  const Variable y = norm_lstm(zeros({1, 4 * h}), u, ones({4 * h}), ones({h}), zeros({h}),
                               ones({1, h}), Variable(), {.spans = packed({1})});
  for (Index i = 0; i < h; ++i) {
    const double c = logistic(normal_of(i)) * std::tanh(normal_of(2 * h + i));
    EXPECT_NEAR(y.data()[h + i], c, 1e-3) << i;  // the sums of U h0 are rounded
  }
}

TEST(Extremes, RowsOfTenMillion) {
  const Index n = 10'000'000;
  Tensor x({1, n});
  Real* values = x.data();
  for (Index i = 0; i < n; ++i)
    values[i] = static_cast<Real>(static_cast<double>(i % 1000) / 1000);
  double total = 0;
  double squares = 0;
  const double mean = moments_of(x).mean;
  for (const Real v : std::as_const(x).span()) {
    total += std::exp(static_cast<double>(v));
    squares += (v - mean) * (v - mean) / static_cast<double>(n);
  }
  EXPECT_NEAR(softmax(x).data()[7] / (std::exp(0.007) / total), 1, 1e-5);
  EXPECT_NEAR(log_softmax(x).data()[7], 0.007 - std::log(total), 1e-5);
  EXPECT_NEAR(cross_entropy(x, ids({7})).item(), std::log(total) - 0.007, 1e-5);
  EXPECT_NEAR(layer_norm(x, ones({n}), zeros({n})).data()[7],
              (0.007 - mean) / std::sqrt(squares + 1e-5), 1e-5);
}

// Attention --------------------------------------------------------------------------------------

/// A query whose scores are all -infinity sees nothing. Its weights are zeros, without a gradient.
TEST(Extremes, ScoresThatAreAllMinusInfinity) {
  Pairing p;
  p.queries = p.keys = packed({2});
  const Tensor scores({4}, {-infinity, -infinity, 0, 0});
  struct Row {
    const char* what;
    std::function<Variable(const Variable&)> run;
    std::vector<Real> right;
  };
  const Real half = Real(0.5);
  const std::vector<Row> rows = {
      {"plain", [&](const Variable& s) { return scores_softmax(s, p); }, {0, 0, half, half}},
      {"with a rest of -infinity",
       [&](const Variable& s) {
         return scores_softmax(s, Tensor({2, 1}, {-infinity, -infinity}), p);
       },
       {0, 0, half, half}},
      {"with a rest",
       [&](const Variable& s) {
         return scores_softmax(s, Tensor({2, 1}, {0, -infinity}), p);
       },
       {0, 0, half, half}},
      {"with spans",
       [&](const Variable& s) { return span_softmax(s, Tensor({1}, {9}), 1, p); },
       {0, 0, half, half}},
  };
  for (const Row& row : rows) {
    const Parameter s(scores);
    Tape tape;
    const Variable weights = row.run(s);
    for (Index i = 0; i < 4; ++i)
      EXPECT_NEAR(weights.data()[i], row.right[static_cast<std::size_t>(i)], 1e-6)
          << row.what << ", " << i;
    tape.backward(weights, Tensor({4}, {1, 2, 3, 4}));
    EXPECT_EQ(s.gradient()[0], 0) << row.what;
    EXPECT_EQ(s.gradient()[1], 0) << row.what;
    EXPECT_NEAR(s.gradient()[3], 0.25, 1e-6) << row.what;
  }
}

/// A span that has diverged must show as NaN, not as attention to nothing.
TEST(Extremes, ASpanThatIsNoNumberStaysOne) {
  Pairing p;
  p.queries = p.keys = packed({2});
  const Variable weights = span_softmax(Tensor({4}, {1, 2, 3, 4}), Tensor({1}, {nan}), 1, p);
  for (Index i = 0; i < 4; ++i)
    EXPECT_TRUE(std::isnan(weights.data()[i])) << i;
}

TEST(Extremes, FusedAttentionOverScoresThatAreAllMinusInfinity) {
  const Parameter q(Tensor({2, 1}, {-infinity, 1}));
  const Parameter v(Tensor({2, 1}, {3, 5}));
  Attention a;
  a.queries = a.keys = packed({2});
  a.scale = 1;
  Tape tape;
  const Variable y = attention(q, Tensor({2, 1}, {1, 1}), v, a);
  EXPECT_EQ(y.data()[0], 0);
  EXPECT_NEAR(y.data()[1], 4, 1e-6);
  tape.backward(y, Tensor({2, 1}, {100, 1}));
  EXPECT_NEAR(v.gradient()[0], 0.5, 1e-6);
  EXPECT_NEAR(v.gradient()[1], 0.5, 1e-6);
}

struct HidingBias {
  const char* what;
  ScoreBias bias;
  bool second_sees;  // the second query both keys, or none
};

/// The first of two queries sees no key.
void expect_unseen_keys(const HidingBias& row, Real cap) {
  const Spans two = packed({2});
  const Parameter q(Tensor({2, 2}, {1, 2, 3, 4}));
  const Parameter k(Tensor({2, 2}, {1, 1, 1, 1}));
  const Parameter v(Tensor({2, 1}, {3, 5}));
  std::vector<Tensor> weights;
  Tape tape;
  const Variable y = attention(
      q, k, v,
      {.queries = two, .keys = two, .bias = row.bias, .softcap = cap, .weights = &weights});
  tape.backward(y, Tensor({2, 1}, {100, 1}));
  const std::string what = fmt::format("{}, cap {}", row.what, cap);
  const Real half = row.second_sees ? Real(0.5) : Real(0);
  EXPECT_EQ(y.data()[0], 0) << what;
  EXPECT_NEAR(y.data()[1], 8 * half, 1e-6) << what;
  for (const Index j : {0, 1}) {
    EXPECT_EQ(weights[0][j], 0) << what;
    EXPECT_NEAR(weights[0][2 + j], half, 1e-6) << what;
    EXPECT_EQ(q.gradient()[j], 0) << what;
    EXPECT_NEAR(v.gradient()[j], half, 1e-6) << what;
  }
  // w_1 (3 - 4) times the second query, the scale and the derivative of the cap
  const double product = 7 / std::sqrt(2.);
  const double tanh = cap > 0 ? std::tanh(product / static_cast<double>(cap)) : 0;
  EXPECT_NEAR(k.gradient()[0], -half * 3 / std::sqrt(2.) * (1 - tanh * tanh), 1e-5) << what;
}

/// A query from which the biases hide all keys gets zeros, and gives no gradient: of any kind of
/// bias, alone and together.
TEST(Extremes, ABiasHidesAllKeysFromAQuery) {
  const Tensor row({1, 2, 2}, {-infinity, -infinity, 0, 0});
  const Tensor half({1, 2, 2}, {-infinity, 0, 0, 0});
  const Tensor other_half({4}, {0, -infinity, 0, 0});
  const Tensor all({2}, {-infinity, -infinity});
  for (const HidingBias& r : {HidingBias{"pairs", {.pairs = row.reshape({4})}, true},
                              {"shared", {.shared = row}, true},
                              {"pairs and shared", {.pairs = other_half, .shared = half}, true},
                              {"keys", {.keys = all}, false}})
    for (const Real cap : {Real(0), Real(5)})
      expect_unseen_keys(r, cap);
}

/// NaN in the row of a key that a bias hides stays there.
TEST(Extremes, ABiasHidesNaN) {
  for (const Index length : {2, 64, 130})
    for (const Real cap : {Real(0), Real(5)}) {
      const Index bad = length / 2;
      Random random(7);
      const Tensor x = normal({length, 8}, random, 1);
      Tensor hidden = Tensor::zeros({length});
      hidden[bad] = -infinity;
      Tensor spoilt = x.clone();
      spoilt[bad * 8 + 1] = nan;
      spoilt[bad * 8 + 6] = infinity;
      std::vector<std::vector<Real>> results[2];
      for (const bool bads : {false, true}) {
        const Parameter q(x);
        const Parameter k(bads ? spoilt : x);
        const Parameter v(bads ? spoilt : x);
        const Parameter bias(hidden);
        Tape tape;
        const Variable y = attention(q, k, v,
                                     {.heads = 2,
                                      .queries = packed({length}),
                                      .keys = packed({length}),
                                      .bias = {.keys = bias},
                                      .softcap = cap});
        tape.backward(y, Tensor::full(y.shape(), 1));
        results[bads] = {y.value().to_vector(), q.gradient().to_vector(), k.gradient().to_vector(),
                         v.gradient().to_vector(), bias.gradient().to_vector()};
      }
      for (std::size_t t = 0; t < results[0].size(); ++t)
        for (std::size_t i = 0; i < results[0][t].size(); ++i)
          ASSERT_NEAR(results[0][t][i], results[1][t][i], 1e-4)
              << length << ", cap " << cap << ", tensor " << t << ", element " << i;
    }
}

TEST(Extremes, AttentionTakesTheScaleThatIsGiven) {
  Attention a;
  a.queries = a.keys = packed({3});
  const Tensor q({3, 1}, {1, 1, 1});
  const Tensor k({3, 1}, {0, 1, 5});
  const Tensor v({3, 1}, {1, 2, 3});
  for (const double scale : {-1.0, 0.0, 0.5}) {
    a.scale = static_cast<Real>(scale);
    double total = 0;
    double sum = 0;
    for (int j = 0; j < 3; ++j) {
      const double weight =
          std::exp(scale * std::vector<double>{0, 1, 5}[static_cast<std::size_t>(j)]);
      total += weight;
      sum += weight * (j + 1);
    }
    EXPECT_NEAR(attention(q, k, v, a).data()[0], sum / total, 1e-5) << scale;
  }
  a.scale = nan;
  EXPECT_THROW(attention(q, k, v, a), Error);
}

/// NaN in a row that a query does not see changes neither its result nor its gradient.
TEST(Extremes, HiddenNaNStaysHidden) {
  for (const Index length : {2, 5, 24, 25, 64, 100, 130, 200}) {
    for (const Index window : {Index{0}, Index{3}}) {
      const Index bad = length / 2;
      Random random(7);
      const Tensor x = normal({length, 8}, random, 1);
      Attention a;
      a.heads = 2;
      a.queries = a.keys = packed({length});
      a.causal = true;
      a.window = window;
      const Tensor right = attention(x, x, x, a).value();
      Tensor spoilt = x.clone();
      spoilt[bad * 8 + 1] = nan;
      spoilt[bad * 8 + 6] = infinity;
      for (const bool keys : {false, true}) {
        const Parameter q(x);
        const Parameter k(keys ? spoilt : x);
        const Parameter v(keys ? x : spoilt);
        Tape tape;
        const Variable y = attention(q, k, v, a);
        tape.backward(y, Tensor::full(y.shape(), 1));
        for (Index i = 0; i < length; ++i) {
          if (i >= bad && (window == 0 || i < bad + window)) continue;  // sees it
          for (Index c = 0; c < 8; ++c) {
            ASSERT_NEAR(y.data()[i * 8 + c], right.data()[i * 8 + c], 1e-5)
                << length << ", " << window << ", row " << i;
            ASSERT_TRUE(std::isfinite(q.gradient()[i * 8 + c]))
                << length << ", " << window << ", row " << i;
          }
        }
        EXPECT_TRUE(std::isnan(y.data()[bad * 8 + 1]));
      }
    }
  }
}

// Sums over nothing ------------------------------------------------------------------------------

TEST(Extremes, ProductsOverNoInputsAreTheBias) {
  { const Tensor junk = Tensor::full({64}, 7); }  // leaves 7 in freed memory
  const Parameter bias(ones({4}));
  Tape tape;
  const Variable y = linear(Tensor::zeros({2, 0}), Tensor::zeros({4, 0}), bias);
  tape.backward(sum(y));
  for (const Real v : y.value().span())
    EXPECT_EQ(v, 1);
  for (Index i = 0; i < 4; ++i)
    EXPECT_EQ(bias.gradient()[i], 2);
  const Variable z = feed_forward(Tensor::zeros({2, 0}), Tensor::zeros({3, 0}), ones({3}),
                                  ones({4, 3}), ones({4}), Activation::relu);
  for (const Real v : z.value().span())
    EXPECT_EQ(v, 4);
  EXPECT_NEAR(
      linear_cross_entropy(Tensor::zeros({2, 0}), Tensor::zeros({4, 0}), ids({0, 1})).item(),
      std::log(4), 1e-6);
  EXPECT_EQ(Shape({2, 3, 0}).rows(), 6);
  EXPECT_EQ(Shape({0, 3}).rows(), 0);
  EXPECT_EQ(Shape().rows(), 1);
}

TEST(Extremes, ReductionsOfNothing) {
  EXPECT_TRUE(std::isnan(mean(Tensor({0, 3})).item()));
  EXPECT_TRUE(std::isnan(variance(Tensor({0, 3}), 0).data()[2]));
  EXPECT_THROW(max(Tensor({0, 3})), Error);
  EXPECT_EQ(mean(Tensor({0, 3}), 1).size(), 0);
  EXPECT_EQ(sum(Tensor({0, 3})).item(), 0);
}

TEST(Extremes, ExtentsBelowZeroAreErrors) {
  EXPECT_THROW(scatter_add(Tensor::zeros({0, 2}), Ids({0}), -1), Error);
  EXPECT_THROW(Shape({2, 3}).with(0, -1), Error);
  Shape shape{2, 3};
  shape[0] = -1;
  EXPECT_THROW(Tensor{shape}, Error);
}

}  // namespace
}  // namespace heed::test
