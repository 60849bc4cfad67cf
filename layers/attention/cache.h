#pragma once

#include <span>
#include <vector>

#include "framework/kernels/attend_rows.h"
#include "layers/attention/transformer_attention.h"

namespace heed {

/// Keys and values of the positions decoded so far, for every layer of a decoder. A row's history
/// is a list of cache rows, so that reordering a beam moves numbers and no keys.
class KeyValueCache {
 public:
  KeyValueCache(std::size_t layers, Index rows)
      : layers_(layers), lengths_(static_cast<std::size_t>(rows), 0) {}

  Index rows() const { return static_cast<Index>(lengths_.size()); }
  Index position(Index row) const { return lengths_[row]; }
  void select(std::span<const Index> rows);

  /// Makes room for spans.length(r) more positions of row r, in every layer; call once before a
  /// step's layers.
  void extend(const Spans& spans);
  /// The same for one more position of every row.
  void extend();

  /// attention(x) of one layer over a prompt, whose keys and values are kept. x (spans.rows(), d);
  /// histories were empty.
  Variable prompt(std::size_t layer, const SelfAttention& attention, const Variable& x,
                  const Spans& spans);

  /// Keys and values of a layer, (.., 2 d): this step's begin at row latest().
  Real* data(std::size_t layer, Index d);
  Index latest() const { return latest_; }
  /// What each row may see: all of its history. Valid until rows change.
  std::vector<kernels::KeyList> keys() const;

 private:
  void reserve(Index longest);

  std::vector<Tensor> layers_;  // (capacity, 2 d)
                                // (rows, stride_); chosen_: room for the next selection
  std::vector<Id> histories_;
  std::vector<Id> chosen_;
  std::vector<Index> lengths_;  // of the histories
  Index stride_ = 0;
  // cache rows in use; the first of this step
  Index used_ = 0;
  Index latest_ = 0;
};

}  // namespace heed
