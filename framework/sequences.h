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

/// Where each sequence of a batch lies among the rows of a (rows, ...) tensor: sequence i is rows
/// [begin(i), begin(i) + length(i)). Packed, the sequences follow one another and no row is
/// padding; padded, each starts at a multiple of the longest. Heed's models compute on packed rows,
/// so padding costs nothing. Copies share.
class Spans {
 public:
  Spans() = default;  // of no sequences
  static Spans packed(std::span<const Index> lengths);
  static Spans packed(std::initializer_list<Index> lengths) {
    return packed(std::span(lengths.begin(), lengths.size()));
  }
  /// Sequence i starts at i * width and its rows past lengths[i] are padding.
  static Spans padded(std::span<const Index> lengths, Index width);
  static Spans padded(std::initializer_list<Index> lengths, Index width) {
    return padded(std::span(lengths.begin(), lengths.size()), width);
  }
  /// The sequences named, in that order, over the same rows: keys for the rows of a beam, or for
  /// those still running. One named twice is for reading alone: two gradients would meet in its
  /// rows.
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

/// The rows of sequences in the order of time, for what computes one position of every sequence at
/// once: first each one's first row, then each one's second ... The sequences stand longest first,
/// so those still running are always the first of them.
struct TimeOrder {
  std::vector<Index> sequences;  // longest first; equal ones as they came
  std::vector<Index> counts;     // how many still run, at each step
  // which row of the tensor each is, step after step: (spans.tokens())
  Ids rows;
};
/// `reverse`: each sequence from its last row to its first.
TimeOrder time_order(const Spans& spans, bool reverse = false);

/// Token ids of several sequences, (spans.rows()).
struct Sequences {
  Ids ids;
  Spans spans;
};

/// Packs `lines` one after the other.
Sequences pack(std::span<const std::vector<Id>> lines);
inline Sequences pack(std::initializer_list<std::vector<Id>> lines) {
  return pack(std::span(lines.begin(), lines.size()));
}

/// What a step trains on. A language model leaves `source` empty.
struct Batch {
  Sequences source;  // without marks, or with </s>, as the tokenizer says
  Sequences target;  // what the decoder reads: <s> y1 ... yn
  Ids gold;          // what it must answer, row for row of target: y1 ... yn </s>; or a class each
  std::vector<Index> lines;  // which lines of the data set these are
  /// The gold id of rows that add nothing to the loss. Nothing unless it is said: 0 may be a class.
  /// Batches of text say `ignored_id`.
  std::optional<Id> ignored = std::nullopt;
  Index weight() const;  // gold ids that count: what the sum of their losses is divided by
  Index tokens() const { return source.spans.tokens() + target.spans.tokens(); }
};

/// An endless stream of batches whose position can be kept and returned to: training resumes where
/// it was.
class BatchStream {
 public:
  virtual ~BatchStream() = default;
  virtual Batch next() = 0;
  virtual std::vector<std::int64_t> position() const = 0;
  virtual void seek(std::span<const std::int64_t> position) = 0;
  /// Whole passes over the data that next() has given so far; 0 where the data have no end.
  virtual Index epochs() const { return 0; }
  /// What a person calls these of its batches' lines: "lines 3, 17 of train.src".
  virtual std::string describe(std::span<const Index> lines) const;
};

/// "line 3", "lines 3, 17", "lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 27 more".
std::string listed(std::string_view noun, std::span<const Index> numbers);

// Ids every vocabulary begins with.
inline constexpr Id pad_id = 0;
inline constexpr Id bos_id = 1;
inline constexpr Id eos_id = 2;
inline constexpr Id unk_id = 3;
inline constexpr Id first_free_id = 4;
inline constexpr Id ignored_id = pad_id;  // of text: a gold id that adds nothing to a loss

}  // namespace heed
