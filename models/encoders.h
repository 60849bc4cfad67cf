#pragma once

#include <vector>

#include "layers/convolution.h"
#include "layers/positions.h"
#include "layers/recurrent.h"
#include "layers/transformer_layers.h"
#include "models/blocks.h"
#include "models/encoded.h"

namespace heed {

/// Turns the rows of sequences into rows that know of one another. What gives the rows is a front
/// end: the embedding of a text, the patches of a picture. An encoder adds positions itself, where
/// it needs them.
class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Gives its parts the names that they have in every model of its family, such as "encoder" and
  /// "encoder_norm", so that weights move from one task to another.
  virtual void visit(Visitor& visitor) = 0;
  /// Columns of the rows that it reads.
  virtual Index width_in() const = 0;
  /// Columns of Encoded::keys and values.
  virtual Index width() const = 0;
  /// Most rows of a sequence; 0: any number.
  virtual Index longest() const { return 0; }
  /// What is added to the loss of each thing that is asked; undefined: nothing.
  virtual Variable penalty() const { return {}; }
  /// The standard deviation that the rows should have at first.
  virtual Real input_deviation() const { return 1; }
  /// rows (spans.rows(), width_in()). Throws Error where a sequence is too long.
  virtual Encoded operator()(const Variable& rows, const Spans& spans) const = 0;
};

struct TransformerEncoderOptions {
  Blocks blocks = {};
  LayerOptions sizes = {};
  int layers = 3;
  Index max_positions = 1024;  // where positions are learned

  bool operator==(const TransformerEncoderOptions&) const = default;
};

/// The encoder of Vaswani et al. 2017 (section 3.1), with a last norm:
///   x = dropout(rows + P), then the layers, then norm(x)
struct TransformerEncoder final : Encoder {
  Blocks blocks;
  AddedPositions positions;
  Dropout dropout;
  std::vector<EncoderLayer> layers;
  Norm norm;

  TransformerEncoder(const TransformerEncoderOptions& options, Random& random);
  void visit(Visitor& v) override {
    v("encoder_positions", positions);
    v("encoder_dropout", dropout);
    v("encoder", layers);
    v("encoder_norm", norm);
  }
  Index width_in() const override { return norm.gain.shape()[0]; }
  Index width() const override { return width_in(); }
  Index longest() const override { return positions.longest(); }
  Variable penalty() const override { return blocks.penalty(layers); }
  Encoded operator()(const Variable& rows, const Spans& spans) const override;
};

/// A stack of recurrent layers, read in one direction or in both.  x = dropout(rows)
struct RecurrentEncoder final : Encoder {
  Dropout dropout;
  Recurrent recurrent;

  RecurrentEncoder(const RecurrentOptions& options, Random& random)
      : dropout(options.dropout), recurrent(options, random) {}
  void visit(Visitor& v) override {
    v("encoder_dropout", dropout);
    v("encoder", recurrent);
  }
  Index width_in() const override { return recurrent.width_in(); }
  Index width() const override { return recurrent.width(); }
  Encoded operator()(const Variable& rows, const Spans& spans) const override;
};

/// The gated convolutions of ConvS2S' encoder (Gehring et al. 2017, section 3.2), with
/// s = sqrt(1/2), which keeps variances:
///   x <- s (conv(dropout(x)) + x), from x = e
/// Keys are x and values s (x + e).
struct ConvStack {
  Dropout dropout;
  std::vector<ConvLayer> layers;

  ConvStack(const ConvLayerOptions& options, int count, Random& random);
  void visit(Visitor& v) {
    v("encoder_dropout", dropout);
    v("encoder", layers);
  }
  Encoded operator()(const Variable& e, const Spans& spans) const;
};

/// ConvStack over rows with learned positions.  e = dropout(rows + P)
struct ConvEncoder final : Encoder {
  LearnedPositions positions;
  ConvStack stack;

  ConvEncoder(const ConvLayerOptions& options, int count, Index longest, Random& random);
  void visit(Visitor& v) override {
    v("positions", positions);
    stack.visit(v);
  }
  Index width_in() const override { return positions.weight.shape()[1]; }
  Index width() const override { return width_in(); }
  Index longest() const override { return positions.weight.shape()[0]; }
  Real input_deviation() const override { return Real(0.1); }  // section 3.5
  Encoded operator()(const Variable& rows, const Spans& spans) const override;
};

}  // namespace heed
