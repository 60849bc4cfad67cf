#pragma once

#include <vector>

#include "models/decoder.h"
#include "models/model.h"

namespace heed {

/// A model from one sequence of ids to another, of any family.
class Seq2Seq : public Model {
 public:
  /// Tokens of the target vocabulary; of the source's too, unless the model has one for each.
  virtual Index vocabulary() const = 0;

  /// Whether the output may copy words of the source that the vocabulary lacks. Then:
  /// - ids from vocabulary() on, in sources, targets and gold, are the unknown words of the
  ///   sequence's own source;
  /// - logits() and DecoderState::step() give log-probabilities, with a column for each of these
  ///   ids;
  /// - a column that is no word of a row's source holds never_copied.
  virtual bool copies() const { return false; }
  static constexpr Real never_copied = Real(-1e30);

  /// Cross entropy of `gold`, an id for each row of `targets`, given the sources and the targets
  /// before. Ids equal to options.ignore add nothing.
  virtual Variable loss(const Sequences& sources, const Sequences& targets, const Ids& gold,
                        const CrossEntropy& options) const = 0;
  /// The logits of the same, (target rows, vocabulary). `attention`, where given, gets a map of
  /// every layer that attends to the source. It stays empty where the model does not attend.
  virtual Variable logits(const Sequences& sources, const Sequences& targets,
                          std::vector<AttentionMap>* attention = nullptr) const = 0;
};

}  // namespace heed
