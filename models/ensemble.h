#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/decoder.h"
#include "models/seq2seq.h"
#include "models/special_ids.h"

namespace heed {

// Several models as one (as in Sutskever et al. 2014, section 3.6). The probability of a token is
// the arithmetic mean of what n models give it, after the same tokens:
//
//     log p(y) = log sum_i p_i(y) - log n = m + log sum_i exp(log p_i(y) - m) - log n
//
// with m the largest of log p_i(y). The families of the models may differ. Their vocabularies must
// be the same, which only the sizes show here.
//
// Where a model copies, a word of the source that the vocabulary lacks has an id of its own, which
// depends on the source alone (Seq2Seq::copies()). A model that does not copy reads such an id as
// `unknown`, and gives it the probability 0.
//
// The attention of an ensemble is one map with one head: the mean over the models of the mean over
// the heads of the last layer that attends. There is none where a model does not attend.

/// The decoders as one. step() and logits() give log probabilities.
///
/// Throws Error where
/// - there is no decoder;
/// - the sizes of the vocabularies differ;
/// - some continue a text and others answer a source.
std::unique_ptr<const Decoder> ensemble(std::vector<std::unique_ptr<const Decoder>> decoders,
                                        Id unknown = SpecialIds{}.unk);

/// Models from text to text as one, for decoding and evaluating. It cannot be trained: nothing is
/// recorded on a tape. The parameters of model i are named "i.NAME".
class Ensemble : public Seq2Seq {
 public:
  /// Throws Error as ensemble() does.
  explicit Ensemble(std::vector<std::unique_ptr<Seq2Seq>> models, Id unknown = SpecialIds{}.unk);

  void visit(Visitor& visitor) override;
  Index vocabulary() const override;
  Index longest() const override;  // the fewest of all models
  bool copies() const override;    // whether one of them does
  /// Of the mean distribution. Batches are computed in parts of a limited size. Where words may be
  /// copied, there is no label smoothing: the share of a word that no model can copy is infinite.
  Variable loss(const Sequences& sources, const Sequences& targets, const Ids& gold,
                const CrossEntropy& options) const override;
  Variable logits(const Sequences& sources, const Sequences& targets,
                  std::vector<AttentionMap>* attention = nullptr) const override;
  std::unique_ptr<const Decoder> decoder() const override;

 private:
  std::vector<std::unique_ptr<Seq2Seq>> models_;
  Id unknown_;
};

}  // namespace heed
