#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/tape.h"

namespace heed {

/// What one pass forward and backward computes: a micro-batch. An Objective derives its own from
/// it, with the data in the form that its model reads.
struct Draw {
  Draw() = default;
  Draw(const Draw&) = default;
  Draw& operator=(const Draw&) = default;
  virtual ~Draw() = default;

  Index weight = 0;          // its share of the divisor: what the loss sums over
  Index tokens = 0;          // what was read, for the speed that is shown
  std::vector<Index> items;  // the numbers of its items in the data, from 0
};

struct Loss {
  Variable optimised;  // with smoothing and penalties, divided by the divisor
  double nats = 0;     // the plain loss, summed: metrics show it divided by the weight
};

/// What a validation finds.
struct Evaluation {
  double loss = 0;                             // lower is better
  double score = 0;                            // for people to read
  std::map<std::string, double> metrics = {};  // further columns of the row in metrics.jsonl
};

/// What the Trainer trains: a model, the data that it learns from, and the loss that joins them.
/// The Trainer knows nothing else of them. The position in the data is the only state of an
/// Objective: from one position, it draws the same again.
///
/// The loss of a draw may depend on the draw, the weights and step_random() alone. The Trainer
/// computes it again to find the op that gave a number that is not finite.
///
///     struct Points : Draw { Tensor x, y; };
///
///     Loss loss(const Draw& draw, Real divisor) const override {
///       const auto& points = static_cast<const Points&>(draw);
///       const Variable error = sum(square(model(points.x) - points.y));
///       return {error * (1 / divisor), static_cast<double>(error.item())};
///     }
class Objective {
 public:
  virtual ~Objective() = default;
  /// The next draw. There is no last one: an epoch follows another.
  virtual std::shared_ptr<const Draw> draw() = 0;
  /// draw.items[place] as a draw of its own; null where it cannot be taken out.
  virtual std::shared_ptr<const Draw> only(const Draw& draw, Index place) const = 0;
  /// The loss of a draw that this objective gave, divided by `divisor`: the sum of the weights of
  /// all draws of the step.
  virtual Loss loss(const Draw& draw, Real divisor) const = 0;
  /// Measures the model on validation data; nothing where there are none. The Trainer asks only an
  /// objective that evaluates(), with the model in evaluation and the tape paused.
  virtual std::optional<Evaluation> evaluate() = 0;
  /// Whether evaluate() gives anything.
  virtual bool evaluates() const { return true; }
  /// The mean loss, by the weight, of the best prediction that reads no input. Nothing where that
  /// is not known.
  virtual std::optional<double> baseline() const { return std::nullopt; }
  /// Passes over the data so far; 0 where they have no end.
  virtual double epochs() const = 0;
  /// Where the next draw begins. seek() takes what position() gave, in another process too. Throws
  /// Error where that cannot be.
  virtual std::vector<std::int64_t> position() const = 0;
  virtual void seek(std::span<const std::int64_t> position) = 0;
  /// Items for people, by their numbers: "rows 3, 17 of points.csv".
  virtual std::string describe(std::span<const Index> items) const = 0;
};

}  // namespace heed
