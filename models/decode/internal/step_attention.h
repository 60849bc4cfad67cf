#pragma once

#include <span>

#include "framework/kernels/attend_rows.h"
#include "layers/attention/multi_head.h"

namespace heed {

/// concat(heads) of one query a row, (rows, d), for any attention but `linear`. q (rows, d) are
/// placed queries. `cache` (.., 2 e) has in each row placed keys, then values; keys[r] is what row
/// r sees, of which the last stands at the place of the query.
Tensor attend_step(const MultiHeadAttention& attention, const Tensor& q, const Real* cache,
                   std::span<const kernels::KeyList> keys);

/// What linear attention keeps of any number of keys, for each row and head:
///   sums_ab = sum_j f(k_j)_a [v_j, 1]_b    (w, w + 1)
class LinearSums {
 public:
  LinearSums() = default;
  LinearSums(const MultiHeadAttention& attention, Index rows);

  Index rows() const { return sums_.defined() ? sums_.shape()[0] : 0; }
  Index size() const { return sums_.defined() ? sums_.size() : 0; }
  /// Adds the keys and values of each row. keys, values (spans.rows(), d)
  void add(const Tensor& keys, const Tensor& values, const Spans& spans);
  /// The result of query r over the keys of row rows[r]. q, result (queries, d)
  Tensor operator()(const Tensor& q, std::span<const Index> rows) const;
  void select(std::span<const Index> rows);

 private:
  Index heads_ = 1;
  Index width_ = 0;
  Tensor sums_;  // (rows, heads w (w + 1))
};

}  // namespace heed
