#pragma once

#include <span>
#include <vector>

#include "framework/kernels/attend_rows.h"
#include "layers/attention/multi_head.h"

namespace heed {

/// Keys and values of the positions decoded so far, for every layer of a decoder. The history of a
/// row is a list of rows of the cache, so that reordering a beam copies these numbers and no keys.
class KeyValueCache {
 public:
  KeyValueCache(std::size_t layers, Index rows)
      : layers_(layers), lengths_(static_cast<std::size_t>(rows), 0) {}

  Index rows() const { return static_cast<Index>(lengths_.size()); }
  Index position(Index row) const { return lengths_[row]; }
  /// Keeps the rows named, in that order. Throws Error when a row does not exist.
  void select(std::span<const Index> rows);

  /// Makes room for spans.length(r) more positions of row r, in every layer. Call it once a step,
  /// before its layers. Throws Error unless there is a span for each row.
  void extend(const Spans& spans);
  /// The same for one more position of every row.
  void extend();

  /// attention(x) of one layer over a prompt; keeps its keys and values. x (spans.rows(), d). The
  /// histories must have been empty before extend().
  Variable prompt(std::size_t layer, const SelfAttention& attention, const Variable& x,
                  const Spans& spans);

  /// Keys and values of a layer, (capacity, 2 d). Those of this step begin at row latest().
  Real* data(std::size_t layer, Index d);
  Index latest() const { return latest_; }
  /// The keys that each row attends to: all of its history. Valid until the rows change.
  std::vector<kernels::KeyList> keys() const;

 private:
  void reserve(Index longest);

  std::vector<Tensor> layers_;  // (capacity, 2 d) each
  std::vector<Id> histories_;   // (rows, stride_)
  std::vector<Id> chosen_;      // room for the histories of the next selection
  std::vector<Index> lengths_;  // of the histories
  Index stride_ = 0;
  Index used_ = 0;    // rows of the cache
  Index latest_ = 0;  // the first row of this step
};

}  // namespace heed
