#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/error.h"
#include "framework/tensor.h"

namespace heed {

/// Says which rows of a (rows, ...) tensor belong to which sequence of a batch: sequence i has rows
/// [begin(i), begin(i) + length(i)).
///
/// - Packed sequences follow one another, and no row is padding.
/// - Padded sequences all have the same number of rows; those past the length are padding.
///
/// Heed's models compute on packed rows, so they spend no time on padding. Copies share their data.
class Spans {
 public:
  Spans() = default;  // no sequences
  /// Throws Error on a length below 0.
  static Spans packed(std::span<const Index> lengths);
  static Spans packed(std::initializer_list<Index> lengths) {
    return packed(std::span(lengths.begin(), lengths.size()));
  }
  /// Sequence i starts at row i * width. Its rows past lengths[i] are padding. Throws Error on a
  /// length outside [0, width].
  static Spans padded(std::span<const Index> lengths, Index width);
  static Spans padded(std::initializer_list<Index> lengths, Index width) {
    return padded(std::span(lengths.begin(), lengths.size()), width);
  }
  /// The chosen sequences, in that order, over the same rows: for example the keys of the sentences
  /// whose beams still run. Do not compute gradients where a sequence is chosen twice: two
  /// gradients would be written to the same rows.
  Spans select(std::span<const Index> sequences) const;
  Spans select(std::initializer_list<Index> sequences) const {
    return select(std::span(sequences.begin(), sequences.size()));
  }

  Index count() const { return data_ ? static_cast<Index>(data_->begins.size()) : 0; }
  Index begin(Index i) const {
    check_sequence(i);
    return data_->begins[i];
  }
  Index length(Index i) const {
    check_sequence(i);
    return data_->lengths[i];
  }
  Index rows() const { return data_ ? data_->rows : 0; }      // of the tensor, padding included
  Index tokens() const { return data_ ? data_->tokens : 0; }  // without padding
  Index longest() const { return data_ ? data_->longest : 0; }
  std::span<const Index> begins() const {
    return data_ ? std::span<const Index>(data_->begins) : std::span<const Index>();
  }
  std::span<const Index> lengths() const {
    return data_ ? std::span<const Index>(data_->lengths) : std::span<const Index>();
  }

 private:
  void check_sequence(Index i) const {
    check(0 <= i && i < count(), "spans", "expected a sequence within [0, {}); got {}", count(), i);
  }
  struct Data {
    std::vector<Index> begins;
    std::vector<Index> lengths;
    Index rows = 0;
    Index tokens = 0;
    Index longest = 0;
  };
  std::shared_ptr<const Data> data_;
};

/// The rows of sequences in the order of time, for code that computes one step of all sequences at
/// once: the first row of each sequence, then the second row of each, and so on. The sequences are
/// sorted from the longest to the shortest, so those that still run are always the first ones.
struct TimeOrder {
  std::vector<Index> sequences;  // longest first; sequences of one length keep their order
  std::vector<Index> counts;     // number of sequences that still run, for each step
  Ids rows;                      // (spans.tokens()): rows of the tensor, step after step
};
/// With `reverse`, each sequence runs from its last row to its first.
TimeOrder time_order(const Spans& spans, bool reverse = false);

/// The token ids of several sequences: `ids` has shape (spans.rows()).
struct Sequences {
  Ids ids;
  Spans spans;
};

/// Puts the ids of all lines one after the other, without padding.
Sequences pack(std::span<const std::vector<Id>> lines);
inline Sequences pack(std::initializer_list<std::vector<Id>> lines) {
  return pack(std::span(lines.begin(), lines.size()));
}

/// The data of one training step. A language model leaves `source` empty.
struct Batch {
  /// Without special tokens, or with </s> at the end, depending on the tokenizer.
  Sequences source;
  /// What the decoder reads: <s> y1 ... yn.
  Sequences target;
  /// What the model has to predict, an id for each row of `target`: y1 ... yn </s>, or classes.
  Ids gold;
  /// The numbers of these lines in the data set, from 0.
  std::vector<Index> lines;
  /// Rows with this gold id do not count in the loss. It is not set by default, because 0 may be a
  /// class. Batches of text set it to `ignored_id`.
  std::optional<Id> ignored = std::nullopt;
  /// The number of gold ids that count: the divisor of the summed loss.
  Index weight() const;
  Index tokens() const { return source.spans.tokens() + target.spans.tokens(); }
};

/// A stream of batches without end. Its position can be saved and restored, so that training
/// resumes where it stopped.
class BatchStream {
 public:
  virtual ~BatchStream() = default;
  virtual Batch next() = 0;
  virtual std::vector<std::int64_t> position() const = 0;
  virtual void seek(std::span<const std::int64_t> position) = 0;
  /// The number of complete passes over the data so far; 0 if the data have no end.
  virtual Index epochs() const { return 0; }
  /// The lines of a batch in words, counted from 1: "lines 3, 17 of train.src".
  virtual std::string describe(std::span<const Index> lines) const = 0;
};

// The ids with which every vocabulary begins.
inline constexpr Id pad_id = 0;
inline constexpr Id bos_id = 1;
inline constexpr Id eos_id = 2;
inline constexpr Id unk_id = 3;
inline constexpr Id first_free_id = 4;
inline constexpr Id ignored_id = pad_id;  // in text: rows with this gold id do not count in a loss

}  // namespace heed
