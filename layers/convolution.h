#pragma once

#include <cmath>
#include <cstdint>
#include <variant>

#include "framework/module.h"
#include "framework/ops.h"
#include "layers/dropout.h"

namespace heed {

/// A weight (out, ...) with an optional weight norm: for each output, W = g v / ||v|| (Salimans and
/// Kingma 2016, equation 2). At first g = ||v||, so that W = v.
struct NormedWeight {
  Parameter weight;  // v
  Parameter gain;    // g (out); undefined: W = v

  NormedWeight(Tensor value, bool normalised);
  Variable operator()() const {
    return gain.defined() ? weight_norm(weight, gain) : Variable(weight);
  }
  void visit(Visitor& v) {
    v("weight", weight);
    v("gain", gain);
  }
};

/// y = x W^T + b with a weight that may be normalised.  x (..., in), W (out, in), b (out), y (...,
/// out). W is at first normally distributed with variance gain^2 / in.
struct NormedLinear {
  NormedWeight weight;
  Parameter bias;

  NormedLinear(Index in, Index out, Random& random, bool normalised, Real gain = 1)
      : weight(normal({out, in}, random, gain / std::sqrt(static_cast<Real>(in))), normalised),
        bias(zeros({out})) {}
  Variable operator()(const Operand& x) const { return linear(x, weight(), bias); }
  void visit(Visitor& v) {
    weight.visit(v);
    v("bias", bias);
  }
};

struct Conv1dOptions {
  Index in = 0;
  Index out = 0;
  Index kernel = 3;
  bool causal = false;  // false: centred
  Index dilation = 1;
  bool bias = true;
  bool weight_norm = false;
  // A GLU follows. It lets about a half through, a quarter of the variance, so that the initial
  // variance of the weight is four times as large.
  bool gated = false;
  // Probability p of the dropout that the caller applies to the input. It only scales the initial
  // variance.
  Real dropout = 0;
};

/// conv1d of framework/ops.h over the rows of each sequence.  x (rows, in), weight (out, kernel,
/// in), bias (out), y (rows, out)
///
/// The weight is at first normally distributed with variance (1 - p) / (kernel in), four times that
/// before a GLU (Gehring et al. 2017, section 3.5). The constructor throws Error when in, out,
/// kernel or dilation is below 1.
struct Conv1d {
  NormedWeight weight;
  Parameter bias;
  bool causal;
  Index dilation;

  Conv1d(const Conv1dOptions& o, Random& random);
  Variable operator()(const Operand& x, const Spans& spans) const {
    return conv1d(x, weight(), bias, {spans, causal, dilation});
  }
  /// How many rows before its own a causal convolution reads.
  Index history() const { return (weight.weight.shape()[1] - 1) * dilation; }
  void visit(Visitor& v) {
    weight.visit(v);
    v("bias", bias);
  }
};

/// y = glu(conv1d(x)), where the convolution has 2 out columns (Dauphin et al. 2017).  x (rows,
/// in), y (rows, out)
struct GatedConv {
  Conv1d conv;

  GatedConv(Conv1dOptions o, Random& random);
  Variable operator()(const Operand& x, const Spans& spans) const { return glu(conv(x, spans)); }
  void visit(Visitor& v) { conv.visit(v); }
};

struct DepthwiseOptions {
  Index d = 0;
  Index kernel = 3;
  bool causal = false;
  Index dilation = 1;
  bool bias = true;
};

/// depthwise_conv1d of framework/ops.h: each column has a filter of its own.  x, y (rows, d),
/// weight (kernel, d), bias (d)
struct DepthwiseConv1d {
  Parameter weight;
  Parameter bias;
  bool causal;
  Index dilation;

  DepthwiseConv1d(const DepthwiseOptions& o, Random& random);
  Variable operator()(const Operand& x, const Spans& spans) const {
    return depthwise_conv1d(x, weight, bias, {spans, causal, dilation});
  }
  void visit(Visitor& v) {
    v("weight", weight);
    v("bias", bias);
  }
};

struct LightweightOptions {
  Index d = 0;
  int heads = 4;
  Index kernel = 3;
  bool causal = false;
  Real dropout = 0;  // on the normalised weights
};

/// A depthwise convolution with one filter for all columns of a head. The filter is softmax(weight)
/// over its taps, so that it sums to 1 (Wu et al. 2019, section 3).  x, y (rows, d), weight (heads,
/// kernel). The constructor throws Error when the heads cannot share d evenly.
struct LightweightConv1d {
  Parameter weight;
  Index d;
  bool causal;
  Dropout dropout;

  LightweightConv1d(const LightweightOptions& o, Random& random);
  Variable operator()(const Operand& x, const Spans& spans) const;
  /// The filter of each column, normalised, (kernel, d).
  Variable filters() const;
  void visit(Visitor& v) {
    v("weight", weight);
    v("dropout", dropout);
  }
};

/// What mixes neighbouring rows in a layer of a convolutional model.
enum class ConvKind : std::uint8_t {
  full,         // GatedConv: every output reads every input of its window
  lightweight,  // GatedLightweightConv: every output reads its own column
};

struct ConvLayerOptions {
  Conv1dOptions conv = {};  // in = out; a lightweight layer has dilation 1 and a bias
  ConvKind kind = ConvKind::full;
  int heads = 1;  // of a lightweight one
};

/// y = W_o lightweight(glu(W_i x + b_i)) + b_o: the module of Wu et al. 2019 (section 3, figure
/// 2b), without its norm and its residual connection.  x, y (rows, d), W_i (2 d, d), W_o (d, d)
///
/// Taps that are nearly equal at first give the mean of `kernel` rows, whose variance is that much
/// smaller. W_o begins with `kernel` times the variance of other layers, which makes up for it. The
/// taps are dropped with the probability Conv1dOptions::dropout (DropConnect, section 3). The
/// constructor throws Error where the heads cannot share d evenly, or an option is not as
/// ConvLayerOptions says.
struct GatedLightweightConv {
  GatedConv input;  // of one row
  LightweightConv1d light;
  NormedLinear output;

  GatedLightweightConv(const ConvLayerOptions& o, Random& random);
  Variable operator()(const Operand& x, const Spans& spans) const {
    return output(light(input(x, spans), spans));
  }
  void visit(Visitor& v) {
    v("input", input);
    v("light", light);
    v("output", output);
  }
};

/// One of the kinds. Parameters have the names that they have without it.
struct ConvLayer {
  std::variant<GatedConv, GatedLightweightConv> chosen;

  ConvLayer(const ConvLayerOptions& o, Random& random);
  Variable operator()(const Operand& x, const Spans& spans) const {
    return std::visit([&](const auto& layer) { return layer(x, spans); }, chosen);
  }
  void visit(Visitor& v) {
    std::visit([&](auto& layer) { layer.visit(v); }, chosen);
  }
};

/// conv2d of framework/ops.h.  x (n, height, width, in), weight (out, kernel, kernel, in), bias
/// (out). The weight is at first normally distributed with variance 2 / (kernel^2 in), for a ReLU
/// that follows (He et al. 2015).
struct Conv2d {
  Parameter weight;
  Parameter bias;
  Window2d window;

  Conv2d(Index in, Index out, Extent2d kernel, Random& random, const Window2d& window = {});
  Variable operator()(const Operand& x) const { return conv2d(x, weight, bias, window); }
  void visit(Visitor& v) {
    v("weight", weight);
    v("bias", bias);
  }
};

}  // namespace heed
