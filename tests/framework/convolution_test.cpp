#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "tests/framework/ops_table/table.h"

// What convolutions promise beside their values: nothing is read past sequences, padding and
// groups.

namespace heed::test {
namespace {

constexpr double near = sizeof(Real) == 8 ? 1e-12 : 1e-5;

Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  Tensor x(shape);
  for (Real& v : x.span())
    v = static_cast<Real>(random.uniform(-1, 1));
  return x;
}

TEST(Convolutions, WithoutOutputsGiveZeroGradients) {
  // Freed memory that holds ones: a kernel that reads past its buffer finds them.
  for (Index size : {8, 16, 64, 256})
    Tensor::full({size}, 1);
  const Parameter x(random_tensor({6, 2}, 1));
  const Parameter weight(Tensor({0, 3, 2}));  // (out, kernel, in)
  Tape tape;
  tape.backward(sum(conv1d(x, weight, Variable(), {packed({4, 2})})));
  EXPECT_EQ(x.gradient().to_vector(), std::vector<Real>(12, 0));
}

/// Rows of sequences hold small numbers. Padding holds huge ones, so that a result shows it where
/// an op reads padding.
Tensor rows_of(const Spans& spans, Index d, std::uint64_t seed) {
  Tensor x = random_tensor({spans.rows(), d}, seed);
  Tensor result = Tensor::full({spans.rows(), d}, 1e4);
  for (Index i = 0; i < spans.count(); ++i)
    std::copy_n(x.data() + spans.begin(i) * d, spans.length(i) * d,
                result.data() + spans.begin(i) * d);
  return result;
}

/// The gradient of sum(y * r) towards each of xs, where r is random.
std::vector<Tensor> gradients(const std::vector<Tensor>& xs,
                              const std::function<Variable(std::span<const Variable>)>& f) {
  std::vector<Parameter> parameters(xs.begin(), xs.end());
  Tape tape;
  const std::vector<Variable> inputs(parameters.begin(), parameters.end());
  const Variable y = f(inputs);
  tape.backward(y, random_tensor(y.shape(), 99));
  std::vector<Tensor> result;
  for (const Parameter& p : parameters)
    result.push_back(p.gradient());
  return result;
}

void expect_near(const Tensor& a, const Tensor& b, const std::string& what,
                 double tolerance = near * 10) {
  ASSERT_EQ(to_string(a.shape()), to_string(b.shape())) << what;
  for (Index i = 0; i < a.size(); ++i)
    ASSERT_NEAR(static_cast<double>(a[i]), static_cast<double>(b[i]), tolerance)
        << what << ", element " << i;
}

TEST(Conv1d, PaddingYieldsZerosAndGetsNoGradientWhateverLiesThere) {
  const Window window{padded({2, 0, 3}, 4), true};
  for (Index kernel : {1, 3}) {
    const std::vector<Tensor> xs = {rows_of(window.spans, 5, 1), random_tensor({5, kernel, 5}, 2),
                                    random_tensor({5}, 3)};
    std::vector<Tensor> clean = xs;
    clean[0] = xs[0].clone();
    for (Real& v : clean[0].span())
      v = std::abs(v) > 100 ? 0 : v;
    const auto conv = [&](Xs x) { return conv1d(x[0], x[1], x[2], window); };
    const auto depthwise = [&](Xs x) {
      return depthwise_conv1d(x[0], reshape(slice(x[1], 0, 0, 1), {kernel, 5}), x[2], window);
    };
    for (const auto& f :
         {std::function<Variable(Xs)>(conv), std::function<Variable(Xs)>(depthwise)}) {
      const std::vector<Tensor> got = gradients(xs, f);
      const std::vector<Tensor> expected = gradients(clean, f);
      for (std::size_t i = 0; i < 3; ++i)
        expect_near(got[i], expected[i], fmt::format("gradient {}", i), 0);
      const std::vector<Variable> in(xs.begin(), xs.end());
      const Tensor y = f(in).value();
      for (Index row : {2, 3, 4, 5, 6, 7, 11})
        for (Index c = 0; c < 5; ++c) {
          EXPECT_EQ(y[row * 5 + c], 0) << row;
          EXPECT_EQ(got[0][row * 5 + c], 0) << row;
        }
    }
  }
}

TEST(Conv1d, SequencesNeverSeeOneAnother) {
  for (bool causal : {false, true}) {
    const Tensor w = random_tensor({4, 5, 3}, 1);
    const Tensor b = random_tensor({4}, 2);
    const Tensor x = random_tensor({9, 3}, 3);
    Tensor other = x.clone();
    for (Index i = 4 * 3; i < 6 * 3; ++i)
      other[i] += 1;  // the middle one
    const Window window{packed({4, 2, 3}), causal};
    const Tensor before = conv1d(x, w, b, window).value();
    const Tensor after = conv1d(other, w, b, window).value();
    for (Index row = 0; row < 9; ++row)
      for (Index c = 0; c < 4; ++c)
        EXPECT_EQ(before[row * 4 + c] == after[row * 4 + c], row < 4 || row >= 6) << row;
  }
}

TEST(Conv1d, CausalRowsSeeNothingLater) {
  for (Index dilation : {1, 2}) {
    const Tensor w = random_tensor({4, 3, 3}, 1);
    const Tensor x = random_tensor({8, 3}, 3);
    Tensor other = x.clone();
    for (Index c = 0; c < 3; ++c)
      other[4 * 3 + c] += 1;
    const Window window{packed({8}), true, dilation};
    const Tensor before = conv1d(x, w, Variable(), window).value();
    const Tensor after = conv1d(other, w, Variable(), window).value();
    for (Index row = 0; row < 8; ++row) {
      const bool sees = row >= 4 && row <= 4 + 2 * dilation && (row - 4) % dilation == 0;
      for (Index c = 0; c < 4; ++c)
        EXPECT_EQ(before[row * 4 + c] == after[row * 4 + c], !sees) << row;
    }
  }
}

TEST(Glu, IsItsComposition) {
  for (Index d : {1, 8, 19, 64}) {
    const std::vector<Tensor> xs = {random_tensor({7, 2 * d}, 1)};
    const auto fused = [](Xs x) { return glu(x[0]); };
    const auto composed = [d](Xs x) {
      return slice(x[0], 1, 0, d) * sigmoid(slice(x[0], 1, d, 2 * d));
    };
    expect_near(glu(xs[0]).value(), composed(std::vector<Variable>{xs[0]}).value(), "value");
    expect_near(gradients(xs, fused)[0], gradients(xs, composed)[0], "gradient");
  }
}

TEST(WeightNorm, IsItsComposition) {
  for (Index n : {1, 6, 40}) {
    const std::vector<Tensor> xs = {random_tensor({5, n}, 1), random_tensor({5}, 2)};
    const auto fused = [](Xs x) { return weight_norm(x[0], x[1]); };
    const auto composed = [](Xs x) {
      return reshape(x[1], {5, 1}) * x[0] / sqrt(sum(square(x[0]), {1}, true));
    };
    expect_near(weight_norm(xs[0], xs[1]).value(),
                composed(std::vector<Variable>(xs.begin(), xs.end())).value(), "value");
    const auto a = gradients(xs, fused);
    const auto b = gradients(xs, composed);
    for (std::size_t i = 0; i < 2; ++i)
      expect_near(a[i], b[i], fmt::format("gradient {}", i), near * 100);
  }
}

TEST(WeightNorm, OfZerosIsZerosWithoutNaN) {
  const auto g =
      gradients({Tensor::zeros({2, 3}), random_tensor({2}, 1)}, OP(weight_norm(x[0], x[1])));
  for (const Tensor& t : g)
    for (Real v : t.span())
      EXPECT_EQ(v, 0);
}

// A batch that is computed in more than one group gives the sum of what its groups give.
TEST(Conv2d, GroupsOfImagesAddUp) {
  const Tensor x = random_tensor({40, 28, 28, 8}, 1);
  const Tensor w = random_tensor({2, 3, 3, 8}, 2);
  const Tensor b = random_tensor({2}, 3);
  const Window2d window{.padding = {1, 1}};
  const auto whole = gradients({x, w, b}, [&](Xs v) { return conv2d(v[0], v[1], v[2], window); });
  const auto parts = gradients({x, w, b}, [&](Xs v) {
    std::vector<Operand> ys;
    for (Index i = 0; i < 40; i += 8)
      ys.emplace_back(conv2d(slice(v[0], 0, i, i + 8), v[1], v[2], window));
    return concat(ys, 0);
  });
  for (std::size_t i = 0; i < 3; ++i)
    expect_near(whole[i], parts[i], fmt::format("gradient {}", i), near * 1000);
}

TEST(Pool2d, TakesTheLargestAndTheMean) {
  //  1 5 2 0 9
  //  3 4 8 8 9
  //  0 7 6 1 9   (the last row and column fill no window of 2 x 2)
  const Tensor x({1, 3, 5, 1}, {1, 5, 2, 0, 9, 3, 4, 8, 8, 9, 0, 7, 6, 1, 9});
  EXPECT_EQ(max_pool2d(x, {2, 2}).value().to_vector(), (std::vector<Real>{5, 8}));
  EXPECT_EQ(mean_pool2d(x, {2, 2}).value().to_vector(), (std::vector<Real>{3.25, 4.5}));
  EXPECT_EQ(max_pool2d(x, {3, 1}, {1, 2}).value().to_vector(), (std::vector<Real>{3, 8, 9}));
  Parameter p(x);
  Tape tape;
  tape.backward(sum(max_pool2d(p, {2, 2})));
  // the first of the two eights
  EXPECT_EQ(p.gradient().to_vector(),
            (std::vector<Real>{0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace heed::test
