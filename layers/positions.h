#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "framework/fields.h"
#include "framework/module.h"
#include "framework/ops.h"
#include "framework/registry.h"
#include "layers/attention/attention_layer.h"

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
  /// The vectors of these positions, (positions, d).
  Tensor at(const Ids& positions) const;
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

/// What is added to the rows of sequences so that their places differ: sinusoids, trained vectors,
/// or nothing, where attention reads distances or nothing tells places apart.
struct AddedPositions {
  std::optional<SinusoidalPositions> sinusoids;
  std::optional<LearnedPositions> learned;

  /// rows + P.  rows (spans.rows(), d)
  Variable operator()(const Variable& rows, const Spans& spans, Index offset = 0) const;
  /// The same for rows of which each has a position of its own.
  Variable at(const Variable& rows, const Ids& positions) const;
  /// The number of positions; 0: any.
  Index longest() const { return learned ? learned->weight.shape()[0] : 0; }
  void visit(Visitor& v) {
    if (learned) learned->visit(v);
  }
};

/// What a scheme of positions adds to the rows that a model reads.
enum class Added : std::uint8_t { nothing, sinusoids, learned };

/// A row of the table of schemes by which a model tells positions apart.
struct PositionKind {
  std::string name;
  std::string paper;
  Added added = Added::nothing;
  Distances distances = Distances::none;  // what attention makes of them
  /// Lists the options of it that are settings of a model.
  void (*list)(Fields&, AttentionOptions&) = nullptr;
};
Registry<PositionKind>& position_kinds();

/// `most`: the number of positions, where they are learned.
AddedPositions make_positions(const PositionKind& kind, Index most, Index d, Random& random);

}  // namespace heed
