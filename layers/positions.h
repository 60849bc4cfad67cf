#pragma once

#include <memory>
#include <mutex>

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// Sinusoidal positions (Vaswani et al. 2017, section 3.5), for any length:
///   P[t, 2i]     = sin(t / 10000^(2i/d))
///   P[t, 2i + 1] = cos(t / 10000^(2i/d))
/// Any number of threads may use one object at once. Copies share its table.
class SinusoidalPositions {
 public:
  /// Throws Error unless d is even and at least 2.
  explicit SinusoidalPositions(Index d);
  /// The vector of each row of packed or padded sequences, (rows, d). The first row of each
  /// sequence has position `offset`; padding rows hold zeros. Throws Error when a position is
  /// negative or too large for an id.
  Tensor operator()(const Spans& spans, Index offset = 0) const;
  void visit(Visitor&) {}  // no parameters

 private:
  /// The vectors of the positions from 0 on, computed on demand. A tensor that was handed out does
  /// not change.
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

/// A trained vector for each position below `length`.  weight (length, d)
struct LearnedPositions {
  Parameter weight;

  LearnedPositions(Index length, Index d, Random& random)
      : weight(normal({length, d}, random, Real(0.02))) {
    weight.layout().table = true;
  }
  /// The vector of each row, (rows, d). Throws Error when a position is not below `length`.
  Variable operator()(const Spans& spans, Index offset = 0) const;
  void visit(Visitor& v) { v("weight", weight); }
};

/// Each row's position within its sequence, plus `offset`: (rows). Padding rows have position 0.
/// Throws Error when a position is negative or too large for an id.
Ids position_ids(const Spans& spans, Index offset = 0);

}  // namespace heed
