#pragma once

#include "framework/fields.h"
#include "layers/embedding.h"
#include "layers/positions.h"
#include "layers/transformer_layers.h"
#include "models/model.h"

namespace heed {

class StepDecoder;

struct LanguageModelOptions {
  Index vocabulary = 0;
  Index d = 128;
  int layers = 4;
  int heads = 4;
  Index ff = 0;        // width of the feed-forward layers; 0: 4 d
  Index context = 64;  // tokens that the model sees at once
  Real dropout = 0;

  void list(Fields& f);
  void check() const;  // what several fields must satisfy together
};

/// A decoder-only Transformer like GPT-2 (Radford et al. 2019): learned positions, pre-norm, GELU,
/// and the embedding as output layer.
///
/// The constructor throws Error when
/// - the vocabulary has fewer than 4 ids;
/// - layers or context are below 1, or ff is negative;
/// - the heads cannot share d evenly.
class LanguageModel : public Seq2Seq {
 public:
  LanguageModel(const LanguageModelOptions& options, Random& random);

  void visit(Visitor& visitor) override;
  Index vocabulary() const override { return options_.vocabulary; }
  VocabularyParameters vocabulary_parameters() const override;
  bool reads_source() const override { return false; }
  Index longest() const override { return options_.context; }
  Index longest_output(Index /*source*/) const override { return 0; }
  Variable loss(const Batch& batch, const CrossEntropy& options) const override;
  Variable logits(const Batch& batch,
                  std::vector<AttentionMap>* attention = nullptr) const override;
  /// Each source is the text so far without its last token, which is the first that step() is
  /// given.
  ///
  /// A text may grow longer than the context. The model then sees its last `context` tokens, at
  /// positions from 0 on, as in training. The position of every token changes at such a step, so
  /// the cached keys and values are of no use and the step computes all tokens again.
  std::unique_ptr<DecoderState> start(const Sequences& source) const override {
    return start_prepared(source, prepare());
  }
  std::shared_ptr<const Prepared> prepare() const override;
  std::unique_ptr<DecoderState> start_prepared(
      const Sequences& source, const std::shared_ptr<const Prepared>& prepared) const override;
  Tensor step(DecoderState& state, std::span<const Id> tokens) const override;

 private:
  /// What the output layer reads, (rows, d).
  Variable body(const Sequences& text, std::vector<AttentionMap>* attention = nullptr) const;
  /// Keys and values of the texts, for the first step. `texts` are no longer than the context.
  void fill_cache(StepDecoder& decoder, const Sequences& texts) const;
  /// Logits after the last token of each text, (texts, vocabulary).
  Tensor logits_after(std::span<const std::vector<Id>> texts) const;

  LanguageModelOptions options_;
  Embedding embedding_;
  LearnedPositions positions_;
  Dropout dropout_;
  std::vector<EncoderLayer> layers_;
  LayerNorm norm_;
};

}  // namespace heed
