#pragma once

#include <span>
#include <vector>

#include "layers/attention/multi_head.h"

namespace heed {

/// Keys and values of the positions decoded so far, for every layer of a decoder. A row's history is a list of cache rows, so that
/// reordering a beam moves numbers and no keys.
class KeyValueCache {
 public:
  KeyValueCache(std::size_t layers, Index rows) : layers_(layers), histories_(static_cast<std::size_t>(rows)) {}

  Index rows() const { return static_cast<Index>(histories_.size()); }
  Index position(Index row) const { return static_cast<Index>(histories_[row].size()); }
  void select(std::span<const Index> rows);

  /// Makes room for spans.length(r) more positions of row r, in every layer; call once before a step's layers.
  void extend(const Spans& spans);
  /// attention(x) of one layer over the extended histories. x (spans.rows(), d); with longer spans (a prompt), histories were empty.
  Tensor attend(std::size_t layer, const SelfAttention& attention, const Tensor& x, const Spans& spans);

 private:
  std::vector<Tensor> layers_;                // (capacity, 2 d)
  std::vector<std::vector<Id>> histories_;
  Index used_ = 0, latest_ = 0;               // cache rows in use; the first of this step
};

/// Cross attention of one query a row to the keys and values kv (memory rows, 2 d) of sentence[r].
Tensor attend_memory(const CrossAttention& attention, const Tensor& x, const Tensor& kv, const Spans& memory_spans, std::span<const Index> sentence);

}  // namespace heed
