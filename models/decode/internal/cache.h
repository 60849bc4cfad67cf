#pragma once

#include <span>
#include <vector>

#include "framework/kernels/attend_rows.h"
#include "framework/ops.h"

namespace heed {

/// Keys and values of the positions decoded so far, for every layer of a decoder. The history of a
/// row is a list of rows of the cache, so that reordering a beam copies these numbers and no keys.
class KeyValueCache {
 public:
  /// `sight`: how many keys back from the latest any layer sees, the latest included; 0: all. What
  /// no layer sees any more is dropped now and then, so that the cache stays bounded.
  KeyValueCache(std::size_t layers, Index rows, Index sight = 0)
      : sight_(sight),
        layers_(layers),
        lengths_(static_cast<std::size_t>(rows), 0),
        positions_(static_cast<std::size_t>(rows), 0) {}

  Index rows() const { return std::ssize(lengths_); }
  /// How many positions of a row have been decoded.
  Index position(Index row) const { return positions_[row]; }
  /// Keeps the rows named, in that order. Throws Error when a row does not exist.
  void select(std::span<const Index> rows);

  /// Makes room for spans.length(r) more positions of row r, in every layer. Call it once a step,
  /// before its layers. Throws Error unless there is a span for each row.
  void extend(const Spans& spans);
  /// The same for one more position of every row.
  void extend();

  /// Keys and values of a layer, (capacity, columns). Those of this step begin at row latest().
  Real* data(std::size_t layer, Index columns);
  Index latest() const { return latest_; }
  /// The keys that each row attends to: all of its history, or the last `sight` of it. Valid until
  /// the rows change.
  std::vector<kernels::KeyList> keys(Index sight = 0) const;
  /// Numbers that are kept of what was decoded; room for more is not counted.
  Index size() const;

 private:
  void reserve(Index longest);
  /// Drops what no layer sees any more, once the longest history is twice what they see.
  void forget();
  void shorten(Index kept);

  Index sight_;
  std::vector<Tensor> layers_;  // (capacity, columns) each
  std::vector<Id> histories_;   // (rows, stride_)
  std::vector<Id> chosen_;      // room for the histories of the next selection
  std::vector<Index> lengths_;  // of the histories
  std::vector<Index> positions_;
  Index stride_ = 0;
  Index used_ = 0;    // rows of the cache
  Index latest_ = 0;  // the first row of this step
};

}  // namespace heed
