#pragma once

#include <optional>

#include "framework/fields.h"
#include "layers/convolution.h"
#include "layers/embedding.h"
#include "layers/positions.h"
#include "models/encoders.h"
#include "models/seq2seq.h"

namespace heed {

struct ConvS2SOptions {
  Index vocabulary = 0;
  Index source_vocabulary = 0;  // 0: one vocabulary and one embedding for both sides
  Index d = 128;
  int layers = 3;          // of the encoder, and as many of the decoder
  int encoder_layers = 0;  // 0: as many as `layers`
  int decoder_layers = 0;  // the same
  Index kernel = 3;        // rows that a convolution reads; odd
  ConvKind convolution = ConvKind::full;
  int conv_heads = 0;      // of lightweight convolutions; 0: as many as are 16 wide or wider
  Index positions = 1024;  // longest source and longest output
  Real dropout = Real(0.1);
  bool weight_norm = true;  // of every convolution and linear layer (Salimans and Kingma 2016)
  bool tied = false;        // the output layer is the embedding, without a norm of its weight

  bool operator==(const ConvS2SOptions&) const = default;
  void list(Fields& f);
  void check() const;  // what several fields must satisfy together
  int encoder_depth() const { return encoder_layers > 0 ? encoder_layers : layers; }
  int decoder_depth() const { return decoder_layers > 0 ? decoder_layers : layers; }
};

/// The convolutional encoder-decoder of Gehring et al. 2017 (section 3): gated convolutions with
/// residual connections, centred in the encoder and causal in the decoder, and attention to the
/// source in every decoder layer. With s = sqrt(1/2), which keeps variances:
///
///     embeddings      e = E[x] + P
///                     e' = E[y] + P
///     encoder layer   x <- s (glu(conv(dropout(x))) + x), from x = e
///     decoder layer   z = glu(conv(dropout(y))), from y = e'
///                     a = softmax(s (query(z) + e') x^T) s (x + e)
///                     y <- s (s (back(a) + z) + y)
///     output          logits = output(y)
///
/// With ConvKind::lightweight, what Wu et al. 2019 have between a norm and its residual connection
/// stands in place of glu(conv()): GatedLightweightConv.
///
/// One embedding (where both sides share a vocabulary) and one table of positions serve both sides.
/// It computes on packed rows, so padding costs nothing. The constructor throws Error when an
/// option is out of its range.
class ConvS2S : public Seq2Seq {
 public:
  ConvS2S(const ConvS2SOptions& options, Random& random);
  ConvS2S(const ConvS2S& other);
  ConvS2S(ConvS2S&&) noexcept = default;
  ConvS2S& operator=(const ConvS2S& other);
  ConvS2S& operator=(ConvS2S&&) noexcept = default;

  void visit(Visitor& visitor) override;
  Index vocabulary() const override { return options_.vocabulary; }
  VocabularyParameters vocabulary_parameters() const override;
  Index longest() const override { return options_.positions; }
  Variable loss(const Sequences& sources, const Sequences& targets, const Ids& gold,
                const CrossEntropy& options) const override;
  Variable logits(const Sequences& sources, const Sequences& targets,
                  std::vector<AttentionMap>* attention = nullptr) const override;
  std::unique_ptr<const Decoder> decoder() const override;

  /// Keys x and values s (x + e) of the source.
  Encoded encode(const Sequences& source) const;
  /// The decoder's output, (target rows, d). `attention`, where given, gets a map of each layer.
  Variable decode(const Sequences& target, const Encoded& source,
                  std::vector<AttentionMap>* attention = nullptr) const;

 private:
  class Packed;
  struct DecoderLayer {
    ConvLayer conv;
    NormedLinear query;
    NormedLinear back;
    DecoderLayer(const ConvS2SOptions& o, Random& random);
    void visit(Visitor& v) {
      v("conv", conv);
      v("query", query);
      v("back", back);
    }
  };

  ConvS2S(const ConvS2S& other, Random blank);

  ConvS2SOptions options_;
  Embedding embedding_;
  std::optional<Embedding> source_embedding_;
  LearnedPositions positions_;
  Dropout dropout_;
  ConvStack encoder_;
  std::vector<DecoderLayer> decoder_;
  NormedLinear output_;
};

/// The encoder of such a model alone: it reads rows, and no vocabulary. Throws Error where an
/// option that it reads is out of its range.
std::unique_ptr<Encoder> make_encoder(const ConvS2SOptions& options, Random& random);

}  // namespace heed
