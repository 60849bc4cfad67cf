#pragma once

#include <initializer_list>
#include <memory>
#include <span>
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
  /// The chosen sequences, in that order, over the same rows: for example the keys of those
  /// that are not yet decoded. Do not compute gradients where a sequence is chosen twice: two
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

/// The ids of several sequences: `ids` has shape (spans.rows()).
struct Sequences {
  Ids ids;
  Spans spans;
};

/// Puts the ids of all sequences one after the other, without padding.
Sequences pack(std::span<const std::vector<Id>> sequences);
inline Sequences pack(std::initializer_list<std::vector<Id>> sequences) {
  return pack(std::span(sequences.begin(), sequences.size()));
}

}  // namespace heed
