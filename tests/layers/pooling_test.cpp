// Rows pooled to one a sequence, against values by hand and the definitions as loops in double.

#include "layers/pooling.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "tests/layers/rows.h"
#include "tests/message_of.h"

namespace heed {
namespace {

std::vector<double> numbers(const Variable& x) {
  std::vector<double> result;
  for (const Real value : x.value().span())
    result.push_back(static_cast<double>(value));
  return result;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& expected,
                 const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], 2e-6) << what << ", element " << i;
}

struct HandRow {
  const char* kind;
  std::vector<double> expected;
};
/// Three sequences of two columns, padded to two rows: (1, 2) and (3, -4); (5, 6) and padding;
/// nothing but padding.
const HandRow by_hand[] = {
    {"mean", {2, -1, 5, 6, 0, 0}},
    {"max", {3, 2, 5, 6, 0, 0}},
    {"first", {1, 2, 5, 6, 0, 0}},
    {"last", {3, -4, 5, 6, 0, 0}},
};

TEST(Pooling, AgreesWithValuesByHand) {
  Tensor x({6, 2}, {1, 2, 3, -4, 5, 6, 99, 99, 99, 99, 99, 99});
  const Spans spans = Spans::padded({2, 1, 0}, 2);
  Random random(1);
  for (const HandRow& row : by_hand) {
    const auto pooling = make_pooling(row.kind, {.d = 2}, random);
    EXPECT_TRUE(parameters(*pooling).empty()) << row.kind;
    std::vector<Tensor> weights(3);
    expect_near(numbers((*pooling)(x, spans, &weights)), row.expected, row.kind);
    EXPECT_TRUE(weights.empty()) << row.kind;
  }
}

/// With W = 1, b = 0 and v = 2 the scores of the rows 0 and ln 2 are 0 and 2 tanh(ln 2) = 1.2: the
/// weights are 1 / (1 + e^1.2) and the rest.
TEST(Pooling, AttentionAgreesWithValuesByHand) {
  Random random(1);
  AttentionPooling pooling(1, 1, random);
  pooling.key.weight.value()[0] = 1;
  pooling.energy.value()[0] = 2;
  const Tensor x({3, 1}, {0, static_cast<Real>(std::log(2.0)), 7});
  std::vector<Tensor> weights;
  const Variable y = pooling(x, Spans::packed({2, 0, 1}), &weights);
  const double first = 1 / (1 + std::exp(1.2));
  expect_near(numbers(y), {(1 - first) * std::log(2.0), 0, 7}, "values");
  ASSERT_EQ(weights.size(), 3u);
  EXPECT_EQ(weights[0].shape(), Shape({1, 1, 2}));
  EXPECT_EQ(weights[1].shape(), Shape({1, 1, 0}));
  expect_near(numbers(weights[0]), {first, 1 - first}, "weights");
  expect_near(numbers(weights[2]), {1}, "the weight of one row");
}

/// The definition, for the rows of one sequence.
Row naive_attention(const AttentionPooling& p, const Rows& x, Row& weights) {
  const Rows w = rows_of(p.key.weight.value());
  const Row b = rows_of(p.key.bias.value().reshape({1, p.key.bias.value().size()}))[0];
  const Row v = rows_of(p.energy.value().reshape({1, p.energy.value().size()}))[0];
  double total = 0;
  for (const Row& row : x) {
    Row hidden = b;
    for (std::size_t h = 0; h < hidden.size(); ++h)
      hidden[h] += dot(w[h], row);
    weights.push_back(std::exp(dot(v, tanh_of(hidden))));
    total += weights.back();
  }
  Row y(static_cast<std::size_t>(p.key.weight.shape()[1]), 0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    weights[i] /= total;
    for (std::size_t c = 0; c < y.size(); ++c)
      y[c] += weights[i] * x[i][c];
  }
  return y;
}

struct SpansRow {
  const char* what;
  std::vector<Index> lengths;
  Index width;  // 0: packed
};
const SpansRow spans_rows[] = {
    {"packed", {3, 1, 5}, 0},          {"padded", {3, 1, 4}, 5}, {"empty ones", {0, 2, 0}, 0},
    {"empty ones, padded", {0, 2}, 3}, {"none", {}, 0},          {"nothing but empty ones", {0}, 0},
};

TEST(Pooling, AttentionEqualsItsDefinition) {
  for (const SpansRow& row : spans_rows) {
    Random random(7);
    AttentionPooling pooling(5, 4, random);
    for (Real& b : pooling.key.bias.value().span())
      b = static_cast<Real>(random.uniform(-1, 1));
    const Spans spans = spans_of(row.lengths, row.width);
    const Tensor x = uniform({spans.rows(), 5}, random, -2, 2);
    std::vector<Tensor> weights;
    const Variable y = pooling(x, spans, &weights);
    ASSERT_EQ(y.shape(), Shape({spans.count(), 5})) << row.what;
    for (Index i = 0; i < spans.count(); ++i) {
      Row expected_weights;
      const Row expected =
          naive_attention(pooling, rows_of(x, spans.begin(i), spans.length(i)), expected_weights);
      const std::string what = fmt::format("{}, sequence {}", row.what, i);
      expect_near(numbers(y.value().slice(i, i + 1)), expected, what);
      expect_near(numbers(weights[static_cast<std::size_t>(i)]), expected_weights, what);
    }
  }
}

/// Rows that no sequence has get a gradient of zeros; every parameter's agrees with differences.
TEST(Pooling, GradientsMatchDifferences) {
  struct Inputs {
    Parameter x;
    std::unique_ptr<Pooling> pooling;
    void visit(Visitor& v) {
      v("x", x);
      v("pooling", pooling);
    }
  };
  const Spans spans = Spans::padded({3, 0, 2}, 4);
  for (const PoolingKind& kind : poolings().rows()) {
    Random random(3);
    Inputs inputs{Parameter(Tensor({12, 2})), kind.make({.d = 2, .hidden = 3}, random)};
    for (Index i = 0; i < 24; ++i)  // distinct, for max
      inputs.x.value()[i] = static_cast<Real>(i * 7 % 24) / 8 - 1;
    const Tensor dy({3, 2}, {1, -2, 3, 4, Real(0.5), -1});
    const auto loss = [&] { return sum((*inputs.pooling)(inputs.x, spans) * dy); };
    expect_gradients(inputs, loss, kind.name);
    Tape tape;
    clear_gradients(inputs);
    tape.backward(loss());
    for (Index i = 0; i < 24; ++i) {
      if (i / 2 % 4 >= spans.length(i / 8)) {
        EXPECT_EQ(inputs.x.gradient()[i], 0) << kind.name << ", " << i;
      }
    }
  }
}

TEST(Pooling, IsChosenByName) {
  Random random(1);
  EXPECT_EQ(poolings().names(),
            (std::vector<std::string>{"mean", "max", "first", "last", "attention"}));
  for (const PoolingKind& kind : poolings().rows()) {
    std::vector<Tensor> weights;
    const auto pooling = make_pooling(kind.name, {.d = 3}, random);
    (*pooling)(Tensor::full({2, 3}, 1), Spans::packed({2}), &weights);
    EXPECT_EQ(!weights.empty(), kind.has_weights) << kind.name;
    EXPECT_FALSE(kind.help.empty()) << kind.name;
  }
  EXPECT_EQ(message_of([&] { make_pooling("maxx", {}, random); }),
            "[pooling] expected a name of mean, max, first, last, attention; got 'maxx'; did you "
            "mean max?");
  EXPECT_EQ(message_of([&] { make_pooling("mean", {.d = 0}, random); }),
            "[pooling] expected d of at least 1; got 0");
  EXPECT_EQ(message_of([&] { make_pooling("attention", {.hidden = -1}, random); }),
            "[pooling] expected hidden of at least 0; got -1");
}

/// Names of parameters are in checkpoints.
TEST(Pooling, NamesItsParameters) {
  Random random(1);
  const auto pooling = make_pooling("attention", {.d = 3, .hidden = 2}, random);
  std::vector<std::string> names;
  for (const auto& [name, parameter] : parameters(*pooling))
    names.push_back(fmt::format("{} {}", name, parameter.shape()));
  EXPECT_EQ(names, (std::vector<std::string>{"key.weight (2, 3)", "key.bias (2,)", "energy (2,)"}));
}

}  // namespace
}  // namespace heed
