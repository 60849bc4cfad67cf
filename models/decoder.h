#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/encoded.h"
#include "models/model.h"

namespace heed {

/// What a decoder remembers between steps, for any number of rows. A row is a partial output. The
/// decoder must outlive its states. One thread uses a state at a time.
class DecoderState {
 public:
  virtual ~DecoderState() = default;
  virtual Index rows() const = 0;
  /// Replaces the rows by those named, in that order. This reorders a beam, repeats a row and drops
  /// finished ones. Throws Error when a row does not exist.
  virtual void select(std::span<const Index> rows) = 0;
  /// How many numbers it keeps of what was read and written; 0: it does not say.
  virtual Index state_size() const { return 0; }
  /// Feeds each row its latest token and returns the logits of the next one, (rows, vocabulary).
  /// Costs one position. Throws Error unless there is a token for each row.
  virtual Tensor step(std::span<const Id> tokens) = 0;
};

/// Writes token by token with a model, whose weights it has packed once where that saves time. It
/// refers to the model: it is valid as long as the model lives, stays where it is and keeps its
/// weights. Never drops activations, whatever mode the model is in. Any number of threads may use
/// one.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual Index vocabulary() const = 0;
  /// Whether an output continues the text that it is given, as a language model does. Otherwise it
  /// answers a source: it begins after <s> and ends with </s>.
  virtual bool continues() const { return false; }
  /// Whether outputs may copy words of the source that the vocabulary lacks: Seq2Seq::copies().
  virtual bool copies() const { return false; }
  /// Most tokens of a source; 0: any number.
  virtual Index longest_source() const { return 0; }
  /// Most tokens of an output after a source of the given number of tokens; 0: any number.
  virtual Index longest_output(Index /*source*/) const { return 0; }

  /// Reads the sources and returns a state with one row for each. The first token that step() is
  /// given is <s>. Where the output continues its source, the source lacks its last token, which is
  /// the first that step() is given.
  virtual std::unique_ptr<DecoderState> start(const Sequences& sources) const = 0;
  /// The same from what an encoder handed over, whatever it read. Throws Error where this decoder
  /// reads ids alone.
  virtual std::unique_ptr<DecoderState> start(const Encoded& encoded) const;

  /// The logits of all positions of `targets` at once, (target rows, vocabulary). `attention`,
  /// where given, gets a map of every layer that attends to the source, or to the text before. It
  /// stays empty where the model does not attend. `sources` are empty where targets continue a
  /// text.
  virtual Variable logits(const Sequences& sources, const Sequences& targets,
                          std::vector<AttentionMap>* attention = nullptr) const = 0;
};

}  // namespace heed
