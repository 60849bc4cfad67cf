#include "layers/convolution.h"

#include "tests/message_of.h"
#include "tests/models/tiny.h"

namespace heed {
namespace {

Spans packed(std::initializer_list<Index> lengths) {
  return Spans::packed(std::span(lengths.begin(), lengths.size()));
}

TEST(Conv1dLayer, NormalisingChangesNothingAtFirst) {
  const Tensor x = random_tensor({9, 6}, 1);
  for (bool causal : {false, true}) {
    Random a(1);
    Random b(1);
    const Conv1d plain({.in = 6, .out = 5, .causal = causal, .dilation = 2}, a);
    const Conv1d normed({.in = 6, .out = 5, .causal = causal, .dilation = 2, .weight_norm = true},
                        b);
    expect_close(normed(x, packed({4, 5})).value(), plain(x, packed({4, 5})).value(),
                 "weight norm");
    EXPECT_EQ(normed.history(), 4);
  }
}

TEST(Conv1dLayer, GainsScaleAndLengthsDoNot) {
  Random random(1);
  Conv1d conv({.in = 6, .out = 5, .weight_norm = true}, random);
  const Tensor x = random_tensor({9, 6}, 1);
  const Tensor before = conv(x, packed({9})).value();
  for (Real& w : conv.weight.weight.value().span())
    w *= 3;
  expect_close(conv(x, packed({9})).value(), before, "longer v");
  for (Real& g : conv.weight.gain.value().span())
    g *= 2;
  const Tensor after = conv(x, packed({9})).value();
  for (Index i = 0; i < after.size(); ++i)
    EXPECT_NEAR(after[i], 2 * before[i], 1e-5);
}

TEST(Conv1dLayer, BeginsWithTheVarianceThatKeepsActivations) {
  struct Row {
    bool gated;
    Real dropout;
    double variance;
  };
  for (const Row& row : {Row{false, 0, 1.0}, Row{true, 0, 4.0}, Row{true, Real(0.25), 3.0}}) {
    Random random(2);
    const Conv1d conv(
        {.in = 40, .out = 100, .kernel = 5, .gated = row.gated, .dropout = row.dropout}, random);
    double squares = 0;
    for (Real w : conv.weight.weight.value().span())
      squares += static_cast<double>(w) * static_cast<double>(w);
    EXPECT_NEAR(squares / 20000, row.variance / 200, 0.03 * row.variance / 200);
  }
}

TEST(GatedConv, IsAConvolutionOfTwiceTheColumnsAndItsGate) {
  Random random(1);
  GatedConv layer({.in = 6, .out = 5, .causal = true, .weight_norm = true}, random);
  randomize(layer);
  const Tensor x = random_tensor({9, 6}, 1);
  const Variable both = layer.conv(x, packed({4, 0, 5}));
  ASSERT_EQ(both.columns(), 10);
  expect_close(layer(x, packed({4, 0, 5})).value(),
               (slice(both, 1, 0, 5) * sigmoid(slice(both, 1, 5, 10))).value(), "glu");
}

TEST(LightweightConv1d, AveragesEachHeadByItsOwnWeights) {
  const Index d = 6;
  const Index heads = 2;
  const Index kernel = 3;
  for (bool causal : {false, true}) {
    Random random(1);
    LightweightConv1d layer({.d = d, .heads = heads, .kernel = kernel, .causal = causal}, random);
    randomize(layer);
    const Tensor x = random_tensor({7, d}, 1);
    const Tensor y = layer(x, packed({4, 3})).value();
    const Tensor& w = layer.weight.value();
    const Index begins[] = {0, 4};
    const Index ends[] = {4, 7};
    for (Index r = 0; r < 7; ++r)
      for (Index c = 0; c < d; ++c) {
        const Index h = c / (d / heads);
        double sum = 0;
        double total = 0;
        for (Index j = 0; j < kernel; ++j) {
          const double e = std::exp(static_cast<double>(w[h * kernel + j]));
          const Index s = r + j - (causal ? kernel - 1 : 1);
          total += e;
          if (s >= begins[r >= 4] && s < ends[r >= 4]) sum += e * static_cast<double>(x[s * d + c]);
        }
        EXPECT_NEAR(static_cast<double>(y[r * d + c]), sum / total, 1e-5);
      }
  }
}

/// The definition, a product at a time.
TEST(GatedLightweightConv, IsALightweightConvolutionBetweenTwoProducts) {
  const Index d = 6;
  for (const bool causal : {false, true}) {
    Random random(1);
    GatedLightweightConv layer(
        {.conv = {.in = d, .out = d, .kernel = 3, .causal = causal, .weight_norm = true},
         .kind = ConvKind::lightweight,
         .heads = 2},
        random);
    randomize(layer);
    const Spans spans = packed({4, 0, 3});
    const Tensor x = random_tensor({7, d}, 1);
    const Conv1d& in = layer.input.conv;
    const Variable both = linear(x, reshape(in.weight(), {2 * d, d}), in.bias);
    const Variable gated = slice(both, 1, 0, d) * sigmoid(slice(both, 1, d, 2 * d));
    const Variable light = layer.light(gated, spans);
    EXPECT_EQ(layer.light.causal, causal);
    expect_close(layer(x, spans).value(),
                 linear(light, layer.output.weight(), layer.output.bias).value(), "two products");
  }
}

/// Rows of variance 1 give rows of about that variance.
TEST(GatedLightweightConv, BeginsWithTheVarianceThatKeepsActivations) {
  const Index d = 128;
  const Index rows = 600;
  for (const Index kernel : {1, 3, 7}) {
    for (const bool weight_norm : {false, true}) {
      Random random(2);
      const GatedLightweightConv layer(
          {.conv = {.in = d, .out = d, .kernel = kernel, .weight_norm = weight_norm},
           .kind = ConvKind::lightweight,
           .heads = 8},
          random);
      const Tensor y = layer(normal({rows, d}, random, 1), packed({rows})).value();
      double squares = 0;
      for (const Real v : y.span())
        squares += static_cast<double>(v) * static_cast<double>(v);
      const double variance = squares / static_cast<double>(rows * d);
      EXPECT_GT(variance, 0.7) << kernel;
      EXPECT_LT(variance, 2) << kernel;  // taps that are not equal average less
    }
  }
}

struct Stack {  // every layer of the file
  Conv1d conv;
  DepthwiseConv1d depthwise;
  LightweightConv1d light;
  Conv2d image;
  explicit Stack(Random& random)
      : conv({.in = 3, .out = 4, .weight_norm = true}, random),
        depthwise({.d = 4, .causal = true}, random),
        light({.d = 4, .heads = 2, .dropout = Real(0.2)}, random),
        image(4, 2, {2, 3}, random, {.padding = {0, 1}}) {}
  void visit(Visitor& v) {
    v("conv", conv);
    v("depthwise", depthwise);
    v("light", light);
    v("image", image);
  }
};

TEST(Convolutions, HaveNamesAndGradients) {
  Random random(1);
  Stack stack(random);
  randomize(stack);
  const Spans spans = packed({4, 2});
  const Tensor x = random_tensor({6, 3}, 1);
  const Tensor r = random_tensor({1, 2}, 2);
  const Gradients g = gradients(stack, [&] {
    const Variable rows = stack.light(stack.depthwise(stack.conv(x, spans), spans), spans);
    return sum(
        reshape(mean_pool2d(max_pool2d(stack.image(reshape(rows, {1, 3, 2, 4})), {1, 2}), {2, 1}),
                {1, 2}) *
        r);
  });
  EXPECT_EQ(g.names, (std::vector<std::string>{"conv.weight", "conv.gain", "conv.bias",
                                               "depthwise.weight", "depthwise.bias", "light.weight",
                                               "image.weight", "image.bias"}));
  for (std::size_t i = 0; i < g.names.size(); ++i) {
    double size = 0;
    for (Real v : g.values[i])
      size += std::abs(static_cast<double>(v));
    EXPECT_GT(size, 0) << g.names[i];
  }
}

TEST(Convolutions, RefuseSizesThatDoNotFit) {
  Random random(1);
  EXPECT_EQ(message_of([&] { Conv1d({.in = 3, .out = 0}, random); }),
            "[conv1d] expected widths, a kernel and a dilation of at least 1; got in 3, out 0, "
            "kernel 3 and dilation 1");
  EXPECT_EQ(message_of([&] { LightweightConv1d({.d = 6, .heads = 4}, random); }),
            "[lightweight_conv1d] expected a width that 4 heads share evenly; got 6");
  EXPECT_EQ(message_of([&] { GatedLightweightConv({.conv = {.in = 6, .out = 4}}, random); }),
            "[conv] expected as many outputs as inputs, dilation 1 and a bias, for a lightweight "
            "layer");
}

}  // namespace
}  // namespace heed
