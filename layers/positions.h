#pragma once

#include <memory>
#include <mutex>

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// P[t, 2i] = sin(t / 10000^(2i/d)), P[t, 2i + 1] = cos of the same (Vaswani et al. 2017,
/// section 3.5), for any length. Padding rows hold zeros. Any number of threads may use one at
/// once; copies share its table.
class SinusoidalPositions {
 public:
  explicit SinusoidalPositions(Index d);
  /// The vector of each row of packed or padded sequences, the first at position `offset`: (rows,
  /// d).
  Tensor operator()(const Spans& spans, Index offset = 0) const;
  void visit(Visitor&) {}  // no parameters

 private:
  /// The vectors of the positions from 0 on, computed on demand. What has been handed out stays as
  /// it is.
  class Table {
   public:
    Tensor at_least(Index length, Index d);

   private:
    std::mutex mutex_;
    Tensor rows_;
  };
  Index d_;
  std::shared_ptr<Table> table_;
};

/// A trained vector for each position below `length`.  (length, d)
struct LearnedPositions {
  Parameter weight;

  LearnedPositions(Index length, Index d, Random& random)
      : weight(normal({length, d}, random, Real(0.02))) {}
  /// (rows, d); throws Error when a sequence is longer than `length`.
  Variable operator()(const Spans& spans, Index offset = 0) const;
  void visit(Visitor& v) { v("weight", weight); }
};

/// Each row's position within its sequence, plus offset.
Ids position_ids(const Spans& spans, Index offset = 0);

}  // namespace heed
