#pragma once

#include <string>

#include "framework/fields.h"
#include "layers/positions.h"
#include "layers/transformer_layers.h"

namespace heed {

/// Sets other blocks: those of the papers of a family, or what later models took up, as far as it
/// paid on a small text (docs/blocks.md).
enum class Recipe { classic, modern };

/// What the layers of a Transformer are made of, as far as it is a choice. Models with such layers
/// have the same settings of it.
struct Blocks {
  Recipe recipe = Recipe::classic;
  std::string attention = "multi_head";  // a row of attentions() that layers can have
  std::string positions = "sinusoidal";  // a row of position_kinds()
  AttentionOptions options = {};  // of both rows: window, kv_heads, longest, ramp, base, reach
  Real span_penalty = default_span_penalty;
  NormKind norm = NormKind::layer;
  FeedForwardKind activation = FeedForwardKind::relu;
  bool qk_norm = false;
  bool zero_init = false;    // the last product of each sublayer begins at 0
  bool tied_layers = false;  // all layers of a stack share their weights
  bool tied = true;          // the output layer is the embedding
  Real softcap = 0;          // c: logits become c tanh(logits / c); 0: they stay
  bool recompute = false;    // backward computes the layers again, and keeps less

  /// Sukhbaatar et al. 2019 (section 3.1) add 2e-6 times the mean span of a layer's heads, with
  /// spans of at most 8,192: a head that sees all costs 0.016 nats a token. This costs the same
  /// with the default of 512 for the longest span.
  static constexpr Real default_span_penalty = Real(3.2e-5);

  bool operator==(const Blocks&) const = default;
  /// `before`: what a configuration stands for that lacks these settings, and the classic recipe.
  void list(Fields& f, const Blocks& before);
  /// Throws ArgumentError where the attention and the positions do not go together, or one does not
  /// fit the width `d` of `heads` heads.
  void check(const char* op, Index d, int heads) const;

  const PositionKind& position_kind() const { return position_kinds().at(positions); }
  /// Whether there are only so many positions.
  bool limits_positions() const { return position_kind().added == Added::learned; }
  /// The options of layers, complete but for the width inside feed-forward layers where ff is 0:
  /// 4 d, or of swiglu, whose first product gives twice as much, two thirds of it, so that there
  /// are as many weights.
  LayerOptions layers(LayerOptions sizes) const;
  /// The penalty of these layers' spans, times span_penalty; undefined where they learn none.
  template <class Layer>
  Variable penalty(const std::vector<Layer>& of) const {
    const Variable sum = penalty_of(of);
    return sum.defined() ? sum * span_penalty : sum;
  }
};

/// An output layer: logits = c tanh(y W^T / c), without `softcap` y W^T (Gemma Team 2024, section
/// 2).
///   y (rows, d), W (vocabulary, d)
struct OutputLayer {
  Parameter weight;  // undefined: W is the embedding
  Real softcap = 0;

  OutputLayer() = default;
  OutputLayer(const Blocks& blocks, Index vocabulary, Index d, Random& random);
  void visit(Visitor& v) { v("weight", weight); }
  /// W. `embedding`: its weight.
  const Parameter& matrix(const Parameter& embedding) const {
    return weight.defined() ? weight : embedding;
  }
  Variable logits(const Variable& y, const Parameter& embedding) const;
  /// The same of products y W^T.
  Variable capped(const Variable& products) const;
  Variable loss(const Variable& y, const Parameter& embedding, const Ids& gold,
                const CrossEntropy& options) const;
};

}  // namespace heed
