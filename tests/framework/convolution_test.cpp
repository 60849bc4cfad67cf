#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "tests/framework/ops_table.h"
#include "tests/message_of.h"

// Convolutions against the plain loops of their definitions, in double.

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

struct Layout {
  const char* what;
  Window window;
  Index kernel;
};
std::vector<Layout> layouts() {
  std::vector<Layout> all;
  for (Index kernel : {1, 2, 3, 5, 8})
    for (Index dilation : {1, 3})
      for (bool causal : {false, true}) {
        all.push_back({"packed", {packed({5, 1, 9, 0, 3}), causal, dilation}, kernel});
        all.push_back({"padded", {padded({5, 1, 9, 0, 3}, 11), causal, dilation}, kernel});
      }
  return all;
}

/// The row that tap j of the t-th row of a sequence of n reads; -1 outside.
Index tapped(const Layout& l, Index t, Index n, Index j) {
  const Index s =
      t + (j - (l.window.causal ? l.kernel - 1 : (l.kernel - 1) / 2)) * l.window.dilation;
  return s < 0 || s >= n ? -1 : s;
}

/// Rows of sequences are small; what lies in padding is huge, so that a glance at it shows.
Tensor rows_of(const Spans& spans, Index d, std::uint64_t seed) {
  Tensor x = random_tensor({spans.rows(), d}, seed);
  Tensor result = Tensor::full({spans.rows(), d}, 1e4);
  for (Index i = 0; i < spans.count(); ++i)
    std::copy_n(x.data() + spans.begin(i) * d, spans.length(i) * d,
                result.data() + spans.begin(i) * d);
  return result;
}

TEST(Conv1d, IsItsDefinition) {
  for (const Layout& l : layouts()) {
    const Spans& spans = l.window.spans;
    const Index in = 6;
    const Index out = 7;
    const Tensor x = rows_of(spans, in, 1);
    const Tensor w = random_tensor({out, l.kernel, in}, 2);

    const Tensor b = random_tensor({out}, 3);
    const Tensor y = conv1d(x, w, b, l.window).value();
    std::vector<double> expected(static_cast<std::size_t>(spans.rows() * out), 0);
    for (Index i = 0; i < spans.count(); ++i)
      for (Index t = 0; t < spans.length(i); ++t)
        for (Index o = 0; o < out; ++o) {
          double sum = static_cast<double>(b[o]);
          for (Index j = 0; j < l.kernel; ++j)
            if (const Index s = tapped(l, t, spans.length(i), j); s >= 0)
              for (Index c = 0; c < in; ++c)
                sum += static_cast<double>(w[(o * l.kernel + j) * in + c]) *
                       static_cast<double>(x[(spans.begin(i) + s) * in + c]);
          expected[static_cast<std::size_t>((spans.begin(i) + t) * out + o)] = sum;
        }
    for (Index i = 0; i < y.size(); ++i)
      ASSERT_NEAR(static_cast<double>(y[i]), expected[static_cast<std::size_t>(i)], near * 10)
          << l.what << ", kernel " << l.kernel << ", dilation " << l.window.dilation << ", causal "
          << l.window.causal << ", element " << i;
  }
}

TEST(DepthwiseConv1d, IsItsDefinition) {
  for (const Layout& l : layouts()) {
    const Spans& spans = l.window.spans;
    const Index d = 19;
    const Tensor x = rows_of(spans, d, 1);
    const Tensor w = random_tensor({l.kernel, d}, 2);

    const Tensor b = random_tensor({d}, 3);
    const Tensor y = depthwise_conv1d(x, w, b, l.window).value();
    std::vector<double> expected(static_cast<std::size_t>(spans.rows() * d), 0);
    for (Index i = 0; i < spans.count(); ++i)
      for (Index t = 0; t < spans.length(i); ++t)
        for (Index c = 0; c < d; ++c) {
          double sum = static_cast<double>(b[c]);
          for (Index j = 0; j < l.kernel; ++j)
            if (const Index s = tapped(l, t, spans.length(i), j); s >= 0)
              sum += static_cast<double>(w[j * d + c]) *
                     static_cast<double>(x[(spans.begin(i) + s) * d + c]);
          expected[static_cast<std::size_t>((spans.begin(i) + t) * d + c)] = sum;
        }
    for (Index i = 0; i < y.size(); ++i)
      ASSERT_NEAR(static_cast<double>(y[i]), expected[static_cast<std::size_t>(i)], near * 10)
          << l.what << ", " << i;
  }
}

/// The gradient of sum(y r) towards each of xs, r being random.
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

TEST(Conv2d, IsItsDefinition) {
  struct Row {
    Shape x;
    Shape w;
    Window2d window;
  };
  for (const Row& r : {Row{{3, 6, 7, 5}, {4, 3, 3, 5}, {}},
                       Row{{2, 5, 6, 3}, {4, 3, 2, 3}, {.stride = {2, 3}, .padding = {2, 1}}},
                       Row{{1, 2, 3, 2}, {3, 5, 5, 2}, {.padding = {2, 2}}},
                       Row{{2, 9, 9, 1}, {2, 2, 2, 1}, {.stride = {4, 3}}},
                       // the last in more than one group
                       Row{{40, 28, 28, 8}, {2, 3, 3, 8}, {.padding = {1, 1}}}}) {
    const Tensor x = random_tensor(r.x, 1);
    const Tensor w = random_tensor(r.w, 2);

    const Tensor b = random_tensor({r.w[0]}, 3);
    const Tensor y = conv2d(x, w, b, r.window).value();
    const auto [sy, sx] = r.window.stride;
    const auto [py, px] = r.window.padding;
    const Index h = (r.x[1] + 2 * py - r.w[1]) / sy + 1;

    const Index width = (r.x[2] + 2 * px - r.w[2]) / sx + 1;
    ASSERT_EQ(to_string(y.shape()), to_string(Shape{r.x[0], h, width, r.w[0]}));
    Index at = 0;
    for (Index n = 0; n < r.x[0]; ++n)
      for (Index oy = 0; oy < h; ++oy)
        for (Index ox = 0; ox < width; ++ox)
          for (Index o = 0; o < r.w[0]; ++o, ++at) {
            double sum = static_cast<double>(b[o]);
            for (Index i = 0; i < r.w[1]; ++i)
              for (Index j = 0; j < r.w[2]; ++j) {
                const Index yy = oy * sy - py + i;
                const Index xx = ox * sx - px + j;
                if (yy < 0 || yy >= r.x[1] || xx < 0 || xx >= r.x[2]) continue;
                for (Index c = 0; c < r.x[3]; ++c)
                  sum += static_cast<double>(w[((o * r.w[1] + i) * r.w[2] + j) * r.w[3] + c]) *
                         static_cast<double>(x[((n * r.x[1] + yy) * r.x[2] + xx) * r.x[3] + c]);
              }
            ASSERT_NEAR(static_cast<double>(y[at]), sum, near * 10) << at;
          }
  }
}

// a batch that is computed in more than one group gives what its images give one by one
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

TEST(Convolutions, SayWhatDoesNotFit) {
  const auto z = [](std::initializer_list<Index> shape) { return Tensor::zeros(Shape(shape)); };
  struct Row {
    std::function<void()> act;
    const char* message;
  };
  for (
      const Row& r : std::vector<Row>{
          {[&] {
             conv1d(z({3, 4}), z({5, 3, 2}), Variable(), {packed({3})});
           },
           "[conv1d] expected x (rows, in) and weight (out, kernel, in); got (3, 4) and (5, 3, 2)"},
          {[&] {
             conv1d(z({3, 4}), z({5, 3, 4}), z({4}), {packed({3})});
           },
           "[conv1d] expected a bias of shape (5,); got (4,)"},
          {[&] {
             conv1d(z({3, 4}), z({5, 3, 4}), Variable(), {packed({2})});
           },
           "[conv1d] expected spans over the 3 rows of x; got 2"},
          {[&] {
             conv1d(z({3, 4}), z({5, 3, 4}), Variable(), {packed({3}), false, 0});
           },
           "[conv1d] expected a kernel and a dilation of at least 1; got 3 and 0"},
          {[&] {
             conv1d(z({3, 4}), z({5, 0, 4}), Variable(), {packed({3})});
           },
           "[conv1d] expected a kernel and a dilation of at least 1; got 0 and 1"},
          {[&] {
             depthwise_conv1d(z({3, 4}), z({3, 5}), Variable(), {packed({3})});
           },
           "[depthwise_conv1d] expected x (rows, d) and weight (kernel, d); got (3, 4) and (3, 5)"},
          {[&] {
             glu(z({3, 5}));
           },
           "[glu] expected an even last axis; got (3, 5)"},
          {[&] {
             weight_norm(z({3, 5}), z({5}));
           },
           "[weight_norm] expected a g for each of the first axis of v; got (3, 5) and (5,)"},
          {[&] {
             conv2d(z({1, 4, 4, 2}), z({2, 5, 3, 2}), Variable());
           },
           "[conv2d] expected images that hold a window of 5 x 3; got (1, 4, 4, 2)"},
          {[&] {
             conv2d(z({1, 4, 4, 2}), z({2, 9, 3, 2}), Variable(), {.padding = {1, 1}});
           },
           "[conv2d] expected images that hold a window of 9 x 3; got (1, 4, 4, 2) with padding 1 "
           "x 1"},
          {[&] {
             conv2d(z({1, 4, 4, 2}), z({2, 3, 3, 2}), Variable(), {.stride = {0, 1}});
           },
           "[conv2d] expected windows and strides of at least 1 and padding of at least 0; got 3 x "
           "3, 0 x 1 and 0 x 0"},
          {[&] {
             max_pool2d(z({4, 4}), {2, 2});
           },
           "[max_pool2d] expected x (n, height, width, d); got (4, 4)"},
          {[&] {
             mean_pool2d(z({1, 2, 2, 1}), {3, 1});
           },
           "[mean_pool2d] expected images that hold a window of 3 x 1; got (1, 2, 2, 1)"}})
    EXPECT_EQ(message_of(r.act), r.message);
}

}  // namespace
}  // namespace heed::test
