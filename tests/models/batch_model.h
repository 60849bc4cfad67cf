#pragma once

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "datasets/text/batch.h"
#include "models/language_model.h"
#include "models/seq2seq.h"

// Models of every kind, by what they say of a batch, for tests of what all of them promise.

namespace heed {

inline Variable loss_of(const Seq2Seq& model, const Batch& batch, const CrossEntropy& options) {
  return model.loss(batch.source, batch.target, batch.gold, options);
}
inline Variable logits_of(const Seq2Seq& model, const Batch& batch,
                          std::vector<AttentionMap>* attention = nullptr) {
  return model.logits(batch.source, batch.target, attention);
}

/// A language model reads the targets alone.
inline Variable loss_of(const LanguageModel& model, const Batch& batch,
                        const CrossEntropy& options) {
  return model.loss(batch.target, batch.gold, options);
}
inline Variable logits_of(const LanguageModel& model, const Batch& batch,
                          std::vector<AttentionMap>* attention = nullptr) {
  return model.logits(batch.target, attention);
}

class BatchModel : public Model {
 public:
  virtual Index vocabulary() const = 0;
  virtual bool reads_source() const = 0;
  virtual bool copies() const = 0;
  virtual Variable loss(const Batch& batch, const CrossEntropy& options) const = 0;
  virtual Variable logits(const Batch& batch,
                          std::vector<AttentionMap>* attention = nullptr) const = 0;
};

template <class M>
class OfBatches final : public BatchModel {
 public:
  explicit OfBatches(M model) : model_(std::move(model)) {}
  void visit(Visitor& visitor) override { model_.visit(visitor); }
  VocabularyParameters vocabulary_parameters() const override {
    return model_.vocabulary_parameters();
  }
  Index longest() const override { return model_.longest(); }
  Variable penalty() const override { return model_.penalty(); }
  std::unique_ptr<const Decoder> decoder() const override { return model_.decoder(); }
  Index vocabulary() const override { return model_.vocabulary(); }
  bool reads_source() const override { return std::is_base_of_v<Seq2Seq, M>; }
  bool copies() const override {
    if constexpr (std::is_base_of_v<Seq2Seq, M>) return model_.copies();
    return false;
  }
  Variable loss(const Batch& batch, const CrossEntropy& options) const override {
    return loss_of(model_, batch, options);
  }
  Variable logits(const Batch& batch, std::vector<AttentionMap>* attention) const override {
    return logits_of(model_, batch, attention);
  }

 private:
  M model_;
};

template <class M>
std::unique_ptr<BatchModel> of_batches(M model) {
  return std::make_unique<OfBatches<M>>(std::move(model));
}
template <class M, class Options>
std::unique_ptr<BatchModel> of_batches(const Options& options, Random& random) {
  return of_batches(M(options, random));
}

}  // namespace heed
