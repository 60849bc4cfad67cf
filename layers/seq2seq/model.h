#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// What a decoder remembers between steps, for any number of rows (partial outputs).
class DecoderState {
 public:
  virtual ~DecoderState() = default;
  virtual Index rows() const = 0;
  /// Keeps the rows named, in that order: reorders a beam, repeats a row, drops finished ones.
  virtual void select(std::span<const Index> rows) = 0;
};

/// What a model makes of its weights once so that decoding is quick. It serves as long as they do
/// not change.
class Prepared {
 public:
  virtual ~Prepared() = default;
};

/// What one layer attended to: for each sequence of a batch (heads, target, source), each row of
/// them summing to 1.
struct AttentionMap {
  std::string layer;  // as the layer is named among the parameters: "decoder.0.cross"
  std::vector<Tensor> weights;
};

/// Parameters with a row for each token of a vocabulary, by which rows find their place when a
/// model gets another vocabulary.
struct VocabularyParameters {
  // source: none where both sides have one vocabulary
  std::vector<ParameterRef> source;
  std::vector<ParameterRef> target;
};

/// A model from one sequence to another, of whatever family: training, decoding, evaluation and
/// checkpoints know only this. Any number of threads may call the const functions of one model at
/// once while nothing changes it.
class Seq2Seq {
 public:
  virtual ~Seq2Seq() = default;
  virtual void visit(Visitor& visitor) = 0;
  // of the targets; of the sources too, unless the model has another for them
  virtual Index vocabulary() const = 0;
  virtual VocabularyParameters vocabulary_parameters() const { return {}; }
  /// Whether the output may copy words of the source that the vocabulary lacks. Then ids from
  /// vocabulary() on, in sources, targets and gold, name the unknown words of the sequence's own
  /// source; logits and step() have columns for as many of them as any source has, and give
  /// log-probabilities. Columns that are no word of a row's source hold never_copied.
  virtual bool copies() const { return false; }
  static constexpr Real never_copied = Real(-1e30);
  // false of a language model, whose source is the text before its output
  virtual bool reads_source() const { return true; }
  virtual Index longest() const { return 0; }  // positions the model can tell apart; 0: any number
  /// Most tokens of an output that follows a source of so many; 0: any number.
  virtual Index longest_output(Index /*source*/) const { return longest(); }

  /// Cross entropy of batch.gold given batch.source and batch.target. Ids equal to options.ignore
  /// add nothing.
  virtual Variable loss(const Batch& batch, const CrossEntropy& options) const = 0;
  /// The same, as logits (target rows, vocabulary): for tests and for looking. `attention`, where
  /// asked for, gets a map of every layer that attends to the source (of a language model: to the
  /// text before); none where the model does not attend.
  virtual Variable logits(const Batch& batch,
                          std::vector<AttentionMap>* attention = nullptr) const = 0;

  /// Reads the sources once: a state of one row for each. Decoding needs no tape, and never drops
  /// activations, whatever mode the model is in. A language model's source is its text but for the
  /// last token, which is the first that step() is given.
  virtual std::unique_ptr<DecoderState> start(const Sequences& source) const = 0;
  /// The same with what prepare() gave; null of models that have nothing to prepare.
  virtual std::shared_ptr<const Prepared> prepare() const { return nullptr; }
  virtual std::unique_ptr<DecoderState> start_prepared(
      const Sequences& source, const std::shared_ptr<const Prepared>& /*prepared*/) const {
    return start(source);
  }
  /// Feeds each row its latest token (the first is <s>, of a language model the text's last):
  /// logits of the next one, (rows, vocabulary). Costs one position.
  virtual Tensor step(DecoderState& state, std::span<const Id> tokens) const = 0;
};

}  // namespace heed
