#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// What a decoder remembers between steps, for any number of rows. A row is a partial output.
class DecoderState {
 public:
  virtual ~DecoderState() = default;
  virtual Index rows() const = 0;
  /// Replaces the rows by those named, in that order. This reorders a beam, repeats a row and drops
  /// finished ones. Throws Error when a row does not exist.
  virtual void select(std::span<const Index> rows) = 0;
};

/// What a model computes from its weights once, so that decoding is fast. It is valid as long as
/// the weights do not change.
class Prepared {
 public:
  virtual ~Prepared() = default;
};

/// The attention of one layer: for each sequence of a batch the weights (heads, target, source),
/// which sum to 1 over the source.
struct AttentionMap {
  std::string layer;  // by its name among the parameters: "decoder.0.cross"
  std::vector<Tensor> weights;
};

/// The parameters with one row for each token of a vocabulary. A model that gets another vocabulary
/// moves their rows.
struct VocabularyParameters {
  std::vector<ParameterRef> source;  // none where both sides share a vocabulary
  std::vector<ParameterRef> target;
};

/// A model from one sequence to another, of any family. Training, decoding, evaluation and
/// checkpoints use this interface alone. Any number of threads may call the const functions of one
/// model at once, as long as nothing changes it.
class Seq2Seq {
 public:
  virtual ~Seq2Seq() = default;
  virtual void visit(Visitor& visitor) = 0;
  /// Tokens of the target vocabulary; of the source's too, unless the model has one for each.
  virtual Index vocabulary() const = 0;
  virtual VocabularyParameters vocabulary_parameters() const { return {}; }

  /// Whether the output may copy words of the source that the vocabulary lacks. Then:
  /// - ids from vocabulary() on, in sources, targets and gold, are the unknown words of the
  ///   sequence's own source;
  /// - logits() and step() give log-probabilities, with a column for each of these ids;
  /// - a column that is no word of a row's source holds never_copied.
  virtual bool copies() const { return false; }
  static constexpr Real never_copied = Real(-1e30);

  /// False for a language model: its source is the text before its output.
  virtual bool reads_source() const { return true; }
  /// The number of positions that the model can tell apart; 0: any number.
  virtual Index longest() const { return 0; }
  /// Most tokens of an output after a source of the given number of tokens; 0: any number.
  virtual Index longest_output(Index /*source*/) const { return longest(); }

  /// Cross entropy of batch.gold given batch.source and batch.target. Ids equal to options.ignore
  /// add nothing.
  virtual Variable loss(const Batch& batch, const CrossEntropy& options) const = 0;
  /// The logits of the same, (target rows, vocabulary). `attention`, where given, gets a map of
  /// every layer that attends to the source, or for a language model to the text before. It stays
  /// empty where the model does not attend.
  virtual Variable logits(const Batch& batch,
                          std::vector<AttentionMap>* attention = nullptr) const = 0;

  /// Reads the sources once and returns a state with one row for each. Needs no tape and never
  /// drops activations, whatever mode the model is in. For a language model the source is the text
  /// without its last token, which is the first that step() is given.
  virtual std::unique_ptr<DecoderState> start(const Sequences& source) const = 0;
  /// What start_prepared() takes; null for a model that has nothing to prepare.
  virtual std::shared_ptr<const Prepared> prepare() const { return nullptr; }
  virtual std::unique_ptr<DecoderState> start_prepared(
      const Sequences& source, const std::shared_ptr<const Prepared>& /*prepared*/) const {
    return start(source);
  }
  /// Feeds each row its latest token and returns the logits of the next one, (rows, vocabulary).
  /// The first token is <s>, or for a language model the text's last. Costs one position. Throws
  /// Error unless there is a token for each row.
  virtual Tensor step(DecoderState& state, std::span<const Id> tokens) const = 0;
};

}  // namespace heed
