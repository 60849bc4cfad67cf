#pragma once

#include <cmath>

#include "framework/module.h"
#include "framework/ops.h"
#include "layers/dropout.h"

namespace heed {

/// A weight (out, ...), normalised where asked for: W = g v / ||v|| for each output (Salimans and
/// Kingma 2016), with g = ||v|| at first, so that normalising alone changes nothing.
struct NormedWeight {
  // v and g; no g: W = v
  Parameter weight;
  Parameter gain;

  NormedWeight(Tensor value, bool normalised);
  Variable operator()() const {
    return gain.defined() ? weight_norm(weight, gain) : Variable(weight);
  }
  void visit(Visitor& v) {
    v("weight", weight);
    v("gain", gain);
  }
};

/// y = x W^T + b with a weight that may be normalised; initially normal of variance 1 / in.  x
/// (..., in), W (out, in), y (..., out)
struct NormedLinear {
  NormedWeight weight;
  Parameter bias;

  NormedLinear(Index in, Index out, Random& random, bool normalised)
      : weight(normal({out, in}, random, 1 / std::sqrt(static_cast<Real>(in))), normalised),
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
  bool causal = false;  // else centred
  Index dilation = 1;
  bool bias = true;
  bool weight_norm = false;
  // a GLU follows: four times the variance, since it lets about a half through, squared a quarter
  bool gated = false;
  Real dropout = 0;  // of the input, elsewhere: the initial variance makes up for it
};

/// conv1d over the rows of each sequence.  x (rows, in), weight (out, kernel, in), bias (out), y
/// (rows, out). Initially normal of variance (1 - p) / (kernel in), four times that before a GLU
/// (Gehring et al. 2017, section 3.5).
struct Conv1d {
  NormedWeight weight;
  Parameter bias;
  bool causal;
  Index dilation;

  Conv1d(const Conv1dOptions& o, Random& random);
  Variable operator()(const Operand& x, const Spans& spans) const {
    return conv1d(x, weight(), bias, {spans, causal, dilation});
  }
  /// Rows before a row that it sees.
  Index history() const { return (weight.weight.shape()[1] - 1) * dilation; }
  void visit(Visitor& v) {
    weight.visit(v);
    v("bias", bias);
  }
};

/// glu(conv1d(x)) with a convolution of twice the columns (Dauphin et al. 2017).  x (rows, in), y
/// (rows, out)
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

/// A filter for each column.  x, y (rows, d), weight (kernel, d), bias (d)
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

/// A depthwise convolution whose filters are shared by the columns of a head and sum to 1:
/// softmax(weight) over the taps (Wu et al. 2019, section 3).  x, y (rows, d), weight (heads,
/// kernel)
struct LightweightConv1d {
  Parameter weight;
  Index d;
  bool causal;
  Dropout dropout;

  LightweightConv1d(const LightweightOptions& o, Random& random);
  Variable operator()(const Operand& x, const Spans& spans) const;
  void visit(Visitor& v) {
    v("weight", weight);
    v("dropout", dropout);
  }
};

/// conv2d.  x (n, height, width, in), weight (out, kernel, kernel, in), bias (out). Initially
/// normal of variance 2 / (kernel^2 in), for the rectifier that follows (He et al. 2015).
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
