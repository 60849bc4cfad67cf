#pragma once

#include "framework/residual.h"
#include "layers/attention/multi_head.h"
#include "layers/feed_forward.h"
#include "layers/norm.h"

namespace heed {

/// The options of a Transformer's layers.
struct LayerOptions {
  Index d = 256;
  int heads = 4;
  Index ff = 1024;  // width inside the feed-forward layer
  Real dropout = Real(0.1);
  NormPlace norm = NormPlace::post;
  FeedForwardKind activation = FeedForwardKind::relu;
  NormKind norm_kind = NormKind::layer;
  bool zero_init = false;  // the last product of every sublayer begins at 0
  /// Of every attention. Widths, heads and dropout are those above.
  AttentionOptions attention = {};

  bool operator==(const LayerOptions&) const = default;
};

/// A residual connection around f, with a norm before f or after the sum. x, y (rows, d)
struct Residual {
  Norm norm;
  Dropout dropout;
  NormPlace place;

  explicit Residual(const LayerOptions& o)
      : norm(o.d, o.norm_kind), dropout(o.dropout), place(o.norm) {}
  template <class F>
  Variable operator()(const Operand& x, const F& f) const {
    return residual(place, x, norm, [&](const Variable& input, const auto& z) {
      return dropout.residual(input, f(z));
    });
  }
  void visit(Visitor& v) {
    v("norm", norm);
    v("dropout", dropout);
  }
};

/// x through the sublayers of a Transformer's layer, in order. Of `fs` the one that takes a
/// sublayer computes it: f(sublayer, z), (rows, d) -> (rows, d). Training, packed layers and
/// prompts read a layer by this function, so that its structure stands in sublayers() alone.
template <class Layer, class... F>
Variable through(const Layer& layer, const Operand& x, const F&... fs) {
  struct Chosen : F... {
    using F::operator()...;
  };
  const Chosen f{fs...};
  Operand y = x;
  layer.sublayers([&](const Residual& around, const auto& sublayer) {
    y = Operand(around(y, [&](const Operand& z) { return f(sublayer, z); }), x.where());
  });
  return y;
}

/// Self-attention, then feed-forward (Vaswani et al. 2017, section 3.1): a layer of an encoder, or
/// with `causal` of a decoder-only model. x, y (rows, d). `weights`, where given, gets each
/// sequence's (heads, queries, keys).
struct EncoderLayer {
  SelfAttention attention;
  FeedForward feed_forward;
  Residual around_attention;
  Residual around_feed_forward;

  EncoderLayer(const LayerOptions& o, Random& random);
  Variable operator()(const Operand& x, const Spans& spans, bool causal = false,
                      std::vector<Tensor>* weights = nullptr) const;
  /// Calls f(residual, sublayer) for each sublayer, in order.
  template <class F>
  void sublayers(const F& f) const {
    f(around_attention, attention);
    f(around_feed_forward, feed_forward);
  }
  void visit(Visitor& v) {
    v("attention", attention);
    v("feed_forward", feed_forward);
    v("around_attention", around_attention);
    v("around_feed_forward", around_feed_forward);
  }
};

/// Causal self-attention, attention to the encoder's output, feed-forward (Vaswani et al. 2017,
/// section 3.1). x, y (rows, d), memory (memory rows, d). `weights`, where given, gets those of the
/// attention to the memory.
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
  /// Calls f(residual, sublayer) for each sublayer, in order.
  template <class F>
  void sublayers(const F& f) const {
    f(around_attention, attention);
    f(around_cross, cross);
    f(around_feed_forward, feed_forward);
  }
  void visit(Visitor& v) {
    v("attention", attention);
    v("cross", cross);
    v("feed_forward", feed_forward);
    v("around_attention", around_attention);
    v("around_cross", around_cross);
    v("around_feed_forward", around_feed_forward);
  }
};

/// The same as layer(...), but what the layer computes within is not kept for backward, which
/// computes it again (Chen et al. 2016). Values and gradients have the same bits. The layer must
/// stay as it is until backward has run. It is recomputed only where something in it learns, or
/// something before it.
///
/// Of an EncoderLayer its input is kept. Of a DecoderLayer that, and the keys and values of the
/// memory: all layers add to the memory's gradient, and sums in another order have other bits.
Variable recomputed(const EncoderLayer& layer, const Operand& x, const Spans& spans,
                    bool causal = false);
Variable recomputed(const DecoderLayer& layer, const Operand& x, const Spans& spans,
                    const Variable& memory, const Spans& memory_spans);

/// `count` layers of these options, or where they are tied that many with the weights of one (as in
/// the encoder of Lan et al. 2020, section 3.1).
template <class Layer>
std::vector<Layer> stack_of(const LayerOptions& o, int count, bool tied, Random& random) {
  std::vector<Layer> layers;
  layers.reserve(static_cast<std::size_t>(count));  // to move a layer may copy its weights
  for (int i = 0; i < count; ++i) {
    if (tied && i > 0)
      layers.push_back(share(layers.front()));
    else
      layers.emplace_back(o, random);
  }
  return layers;
}

/// The sum of the layers' SelfAttention::penalty(); undefined where they have none.
template <class Layer>
Variable penalty_of(const std::vector<Layer>& layers) {
  Variable sum;
  for (const Layer& layer : layers) {
    const Variable one = layer.attention.penalty();
    if (one.defined()) sum = sum.defined() ? sum + one : one;
  }
  return sum;
}

}  // namespace heed
