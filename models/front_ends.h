#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/numbers.h"
#include "layers/convolution.h"
#include "layers/embedding.h"
#include "layers/norm.h"
#include "models/model.h"

namespace heed {

/// What a model reads, for several items at once: texts or numbers.
struct Input {
  Sequences texts = {};
  Numbers numbers = {};

  Input(Sequences read) : texts(std::move(read)) {}  // NOLINT: meant to convert
  Input(Numbers read) : numbers(std::move(read)) {}  // NOLINT: meant to convert
};

/// What a front end hands over to an encoder.
struct Embedded {
  Variable rows;  // (spans.rows(), d)
  Spans spans;    // which rows belong to which item
};

/// Turns what is read into the rows that an Encoder reads. Neither knows of the other, but for the
/// width of the rows and their standard deviation.
class FrontEnd {
 public:
  virtual ~FrontEnd() = default;
  virtual void visit(Visitor& visitor) = 0;
  /// The parameters with a row for each token that can be read.
  virtual std::vector<ParameterRef> vocabulary_parameters() const { return {}; }
  /// Throws Error where the input is of another kind.
  virtual Embedded operator()(const Input& input) const = 0;
};

/// The embeddings of the tokens of texts:  row = s E[token], s = sqrt(d) deviation
class TextFrontEnd final : public FrontEnd {
 public:
  /// `d`: the width of the rows; `deviation`: their standard deviation at first.
  TextFrontEnd(Index vocabulary, Index d, Real deviation, Random& random);
  void visit(Visitor& v) override { v("embedding", embedding_); }
  std::vector<ParameterRef> vocabulary_parameters() const override { return {embedding_.weight}; }
  Embedded operator()(const Input& input) const override;

 private:
  Embedding embedding_;
  Real scale_;
};

/// How a picture becomes rows.
enum class PictureRows { patches, convolutions, lines };

struct PictureFrontEndOptions {
  PictureRows rows = PictureRows::patches;
  Index height = 28;
  Index width = 28;
  Index channels = 1;
  Index patch = 4;  // pixels of a side of what is a row; lines: their height

  /// Throws ArgumentError where the options contradict each other.
  void check() const;
  Index rows_down() const { return height / patch; }
  Index rows_across() const { return rows == PictureRows::lines ? 1 : width / patch; }
  /// Rows of a picture.
  Index count() const { return rows_down() * rows_across(); }
};

/// Pictures (n, height, width, channels) as rows, in the order of reading:
///   row = deviation LayerNorm(f(picture))
/// - patches: f is one product of each square of patch x patch pixels (Dosovitskiy et al. 2021,
///   equation 1);
/// - convolutions: f is log2(patch) convolutions of 3 x 3 pixels at every second place, each with a
///   GELU behind it, then a product (Xiao et al. 2021, section 4, without its batch norm). It gives
///   as many rows as patches;
/// - lines: f is one product of `patch` whole lines of pixels, so that time runs down the picture.
class PictureFrontEnd final : public FrontEnd {
 public:
  PictureFrontEnd(const PictureFrontEndOptions& options, Index d, Real deviation, Random& random);
  void visit(Visitor& v) override {
    v("pixels", layers_);
    v("pixel_norm", norm_);
  }
  Embedded operator()(const Input& input) const override;

 private:
  PictureFrontEndOptions options_;
  std::vector<Conv2d> layers_;
  LayerNorm norm_;
  Real deviation_;
};

}  // namespace heed
