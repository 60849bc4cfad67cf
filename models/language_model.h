#pragma once

#include "framework/fields.h"
#include "layers/embedding.h"
#include "layers/transformer_layers.h"
#include "models/blocks.h"
#include "models/decoder.h"

namespace heed {

struct LanguageModelOptions {
  Index vocabulary = 0;
  Index d = 128;
  int layers = 4;
  int heads = 4;
  Index ff = 0;        // width of the feed-forward layers; 0: 4 d
  Index context = 64;  // tokens that the model sees at once
  Real dropout = 0;
  Blocks blocks = {.positions = "learned", .activation = FeedForwardKind::gelu};

  void list(Fields& f);
  void check() const;  // what several fields must satisfy together
};

/// A decoder-only Transformer like GPT-2 (Radford et al. 2019), with norms before the sublayers. As
/// there, LanguageModelOptions::blocks choose learned positions, GELU, and the embedding as output
/// layer, where they choose nothing else.
///
/// The constructor throws Error when
/// - the vocabulary is empty;
/// - layers or context are below 1, or ff is negative;
/// - the heads cannot share d evenly;
/// - attention and positions do not go together (Blocks::check).
class LanguageModel : public Model {
 public:
  LanguageModel(const LanguageModelOptions& options, Random& random);

  void visit(Visitor& visitor) override;
  Index vocabulary() const { return options_.vocabulary; }
  VocabularyParameters vocabulary_parameters() const override;
  /// The context, where positions are learned; else any number.
  Index longest() const override { return positions_.longest(); }
  Variable penalty() const override { return options_.blocks.penalty(layers_); }

  /// Cross entropy of `gold`, an id for each row of the texts, given the tokens up to that row. Ids
  /// equal to options.ignore add nothing.
  Variable loss(const Sequences& texts, const Ids& gold, const CrossEntropy& options) const;
  /// The logits of the same, (rows, vocabulary). `attention`, where given, gets a map of every
  /// layer.
  Variable logits(const Sequences& texts, std::vector<AttentionMap>* attention = nullptr) const;
  /// Where positions are learned, a text may grow longer than the context. The model then sees its
  /// last `context` tokens, at positions from 0 on, as in training. The position of every token
  /// changes at such a step, so the cached keys and values are of no use and the step computes all
  /// tokens again.
  std::unique_ptr<const Decoder> decoder() const override;

 private:
  class Packed;
  /// The embeddings of a text. As in Embedding's comment, they are scaled where sinusoids are
  /// added.
  Variable embed(const Ids& ids) const;
  /// What the output layer reads, (rows, d).
  Variable body(const Sequences& text, std::vector<AttentionMap>* attention = nullptr) const;
  /// Logits after the last token of each text, (texts, vocabulary).
  Tensor logits_after(std::span<const std::vector<Id>> texts) const;

  LanguageModelOptions options_;
  Embedding embedding_;
  AddedPositions positions_;
  Dropout dropout_;
  std::vector<EncoderLayer> layers_;
  Norm norm_;
  OutputLayer output_;
};

}  // namespace heed
