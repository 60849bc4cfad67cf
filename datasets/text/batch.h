#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "datasets/reader.h"
#include "datasets/text/special_ids.h"
#include "framework/sequences.h"

namespace heed {

/// The data of one pass. A language model leaves `source` empty, texts and labels leave `target`
/// empty.
struct Batch {
  /// Without special tokens, or with </s> at the end, depending on the tokenizer.
  Sequences source;
  /// What the decoder reads: <s> y1 ... yn.
  Sequences target;
  /// What the model has to predict: an id for each row of `target`, y1 ... yn </s>; or without a
  /// target, a class for each sequence of `source` or for each item.
  Ids gold;
  /// The numbers of these lines in the data set, from 0.
  std::vector<Index> lines;
  /// Rows with this gold id do not count in the loss. It is not set by default, because 0 may be a
  /// class. Batches of text set it to `ignored_id`.
  std::optional<Id> ignored = std::nullopt;
  /// What stands in place of the sources where these are no texts: pictures.
  Items items = {};
  /// The number of gold ids that count: the divisor of the summed loss.
  Index weight() const;
  /// Items count by their rows.
  Index tokens() const { return source.spans.tokens() + target.spans.tokens() + items.rows(); }
};

/// A stream of batches without end. Its position can be saved and restored, so that training
/// resumes where it stopped.
class BatchStream {
 public:
  virtual ~BatchStream() = default;
  virtual Batch next() = 0;
  virtual std::vector<std::int64_t> position() const = 0;
  virtual void seek(std::span<const std::int64_t> position) = 0;
  /// Passes over the data so far; 0 if the data have no end.
  virtual double epochs() const { return 0; }
  /// The lines of a batch in words, counted from 1: "lines 3, 17 of train.src".
  virtual std::string describe(std::span<const Index> lines) const = 0;
};

}  // namespace heed
