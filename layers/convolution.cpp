#include "layers/convolution.h"

#include <cmath>

namespace heed {

NormedWeight::NormedWeight(Tensor value, bool normalised) : weight(std::move(value)) {
  if (!normalised) return;
  const Tensor& v = weight.value();
  const Index out = v.shape()[0];
  const Index n = v.size() / std::max<Index>(out, 1);
  Tensor norms({out});
  for (Index o = 0; o < out; ++o) {
    double squares = 0;
    for (Index i = 0; i < n; ++i)
      squares += std::pow(static_cast<double>(v[o * n + i]), 2);
    norms[o] = static_cast<Real>(std::sqrt(squares));
  }
  gain = Parameter(norms);
}

namespace {

Tensor initial_weight(const Conv1dOptions& o, Random& random) {
  check(o.in >= 1 && o.out >= 1 && o.kernel >= 1 && o.dilation >= 1, "conv1d",
        "expected widths, a kernel and a dilation of at least 1; got in {}, out {}, kernel {} and "
        "dilation {}",
        o.in, o.out, o.kernel, o.dilation);
  const Real gating = o.gated ? 4 : 1;
  return normal({o.out, o.kernel, o.in}, random,
                std::sqrt(gating * (1 - o.dropout) / static_cast<Real>(o.kernel * o.in)));
}

Conv1dOptions gated(Conv1dOptions o) {
  o.out *= 2;
  o.gated = true;
  return o;
}

}  // namespace

Conv1d::Conv1d(const Conv1dOptions& o, Random& random)
    : weight(initial_weight(o, random), o.weight_norm),
      bias(o.bias ? Parameter(zeros({o.out})) : Parameter()),
      causal(o.causal),
      dilation(o.dilation) {}

GatedConv::GatedConv(Conv1dOptions o, Random& random) : conv(gated(o), random) {}

DepthwiseConv1d::DepthwiseConv1d(const DepthwiseOptions& o, Random& random)
    : weight(normal({o.kernel, o.d}, random, 1 / std::sqrt(static_cast<Real>(o.kernel)))),
      bias(o.bias ? Parameter(zeros({o.d})) : Parameter()),
      causal(o.causal),
      dilation(o.dilation) {
  weight.layout().table = true;
}

LightweightConv1d::LightweightConv1d(const LightweightOptions& o, Random& random)
    : weight(xavier_uniform({o.heads, o.kernel}, random)),
      d(o.d),
      causal(o.causal),
      dropout(o.dropout) {
  check(o.heads >= 1 && o.d % o.heads == 0, "lightweight_conv1d",
        "expected a width that {} heads share evenly; got {}", o.heads, o.d);
  weight.layout().table = true;
}

Variable LightweightConv1d::filters() const {
  const Index heads = weight.shape()[0];
  const Index kernel = weight.shape()[1];
  const Variable taps = dropout(softmax(weight));  // (heads, kernel)
  return transpose(reshape(
      broadcast_to(reshape(taps, {heads, 1, kernel}), {heads, d / heads, kernel}), {d, kernel}));
}

Variable LightweightConv1d::operator()(const Operand& x, const Spans& spans) const {
  return depthwise_conv1d(x, filters(), Variable(), {spans, causal});
}

namespace {

/// Of one row, so that it is a linear layer with a GLU.
Conv1dOptions input_of(Conv1dOptions o) {
  check(o.in == o.out && o.dilation == 1 && o.bias, "conv",
        "expected as many outputs as inputs, dilation 1 and a bias, for a lightweight layer");
  o.kernel = 1;
  o.causal = false;
  return o;
}

std::variant<GatedConv, GatedLightweightConv> chosen_layer(const ConvLayerOptions& o,
                                                           Random& random) {
  if (o.kind == ConvKind::lightweight) return GatedLightweightConv(o, random);
  return GatedConv(o.conv, random);
}

}  // namespace

GatedLightweightConv::GatedLightweightConv(const ConvLayerOptions& o, Random& random)
    : input(input_of(o.conv), random),
      light({.d = o.conv.in,
             .heads = o.heads,
             .kernel = o.conv.kernel,
             .causal = o.conv.causal,
             .dropout = o.conv.dropout},
            random),
      output(o.conv.in, o.conv.in, random, o.conv.weight_norm,
             std::sqrt(static_cast<Real>(o.conv.kernel))) {}

ConvLayer::ConvLayer(const ConvLayerOptions& o, Random& random) : chosen(chosen_layer(o, random)) {}

Conv2d::Conv2d(Index in, Index out, Extent2d kernel, Random& random, const Window2d& w)
    : weight(normal({out, kernel[0], kernel[1], in}, random,
                    std::sqrt(2 / static_cast<Real>(kernel[0] * kernel[1] * in)))),
      bias(zeros({out})),
      window(w) {}

}  // namespace heed
