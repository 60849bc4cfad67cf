#pragma once

#include "layers/attention/transformer_attention.h"
#include "layers/norm.h"

namespace heed {

// x + f(norm(x)) (Xiong et al. 2020), or norm(x + f(x)) (Vaswani et al. 2017)
enum class NormPlace { pre, post };

/// What every layer of a Transformer shares.
struct LayerOptions {
  Index d = 256;
  int heads = 4;
  Index ff = 1024;
  Real dropout = Real(0.1);
  NormPlace norm = NormPlace::post;
  Activation activation = Activation::relu;
};

/// y = activation(x W1^T + b1) W2^T + b2 at every position (section 3.3).  x, y (rows, d)
struct FeedForward {
  Linear up;
  Linear down;
  Dropout dropout;
  Activation activation;

  FeedForward(const LayerOptions& o, Random& random);
  Variable operator()(const Operand& x) const;
  void visit(Visitor& v) {
    v("up", up);
    v("down", down);
    v("dropout", dropout);
  }
};

/// A residual connection around f with its norm before or after it.
struct Residual {
  LayerNorm norm;
  Dropout dropout;
  NormPlace place;

  explicit Residual(const LayerOptions& o) : norm(o.d), dropout(o.dropout), place(o.norm) {}
  template <class F>
  Variable operator()(const Operand& x, const F& f) const {
    return place == NormPlace::pre ? dropout.residual(x, f(norm(x)))
                                   : norm(dropout.residual(x, f(x)));
  }
  void visit(Visitor& v) {
    v("norm", norm);
    v("dropout", dropout);
  }
};

/// Self-attention, then feed-forward (section 3.1): an encoder layer, or with `causal` a layer of a
/// decoder-only model.
struct EncoderLayer {
  SelfAttention attention;
  FeedForward feed_forward;
  Residual around_attention;
  Residual around_feed_forward;

  EncoderLayer(const LayerOptions& o, Random& random);
  Variable operator()(const Operand& x, const Spans& spans, bool causal = false,
                      std::vector<Tensor>* weights = nullptr) const;
  void visit(Visitor& v) {
    v("attention", attention);
    v("feed_forward", feed_forward);
    v("around_attention", around_attention);
    v("around_feed_forward", around_feed_forward);
  }
};

/// Causal self-attention, attention to the encoder's output, feed-forward.
struct DecoderLayer {
  SelfAttention attention;
  CrossAttention cross;
  FeedForward feed_forward;
  Residual around_attention;
  Residual around_cross;
  Residual around_feed_forward;

  DecoderLayer(const LayerOptions& o, Random& random);
  Variable operator()(const Operand& x, const Spans& spans, const Variable& memory,
                      const Spans& memory_spans, std::vector<Tensor>* weights = nullptr) const;
  void visit(Visitor& v) {
    v("attention", attention);
    v("cross", cross);
    v("feed_forward", feed_forward);
    v("around_attention", around_attention);
    v("around_cross", around_cross);
    v("around_feed_forward", around_feed_forward);
  }
};

}  // namespace heed
