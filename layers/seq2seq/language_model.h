#pragma once

#include "layers/embedding.h"
#include "layers/positions.h"
#include "layers/seq2seq/model.h"
#include "layers/transformer_layers.h"

namespace heed {

struct LanguageModelOptions {
  Index vocabulary = 0;
  Index d = 128;
  int layers = 4;
  int heads = 4;
  Index ff = 0;        // 0: 4 d
  Index context = 64;  // tokens the model sees at once
  Real dropout = 0;
};

/// A decoder-only Transformer as GPT-2's (Radford et al. 2019): learned positions, pre-norm, GELU,
/// the embedding as output layer.
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
  /// Each source is the text so far but for its last token, which is the first that step() is
  /// given. A text may grow longer than the context: the model then sees its last `context` tokens,
  /// at positions from 0 on, as in training. Such a step computes all of them, since keys and
  /// values of the positions before do not hold any more.
  std::unique_ptr<DecoderState> start(const Sequences& source) const override {
    return start_prepared(source, prepare());
  }
  std::shared_ptr<const Prepared> prepare() const override;
  std::unique_ptr<DecoderState> start_prepared(
      const Sequences& source, const std::shared_ptr<const Prepared>& prepared) const override;
  Tensor step(DecoderState& state, std::span<const Id> tokens) const override;

 private:
  // (rows, d), for the output layer
  Variable body(const Sequences& text, std::vector<AttentionMap>* attention = nullptr) const;
  /// Logits after the last token of each text: (texts, vocabulary).
  Tensor logits_after(std::span<const std::vector<Id>> texts) const;

  LanguageModelOptions options_;
  Embedding embedding_;
  LearnedPositions positions_;
  Dropout dropout_;
  std::vector<EncoderLayer> layers_;
  LayerNorm norm_;
};

}  // namespace heed
