#pragma once

#include <cstdint>
#include <vector>

#include "framework/checkpoint.h"
#include "framework/module.h"

namespace heed {

/// The weights of a model at some step, in the order of parameters().
struct Snapshot {
  std::int64_t step = 0;
  std::vector<NamedTensor> weights;
};

/// With elements of its own, not yet written.
Snapshot blank_snapshot(AnyModule model);
void copy(const std::vector<NamedTensor>& from, std::vector<NamedTensor>& to);

/// Averages the weights now with those of the last `count` - 1 steps that were added (Vaswani et
/// al. 2017, section 6.1).
class WeightAverage {
 public:
  WeightAverage(AnyModule model, int count)
      : model_(model), count_(static_cast<std::size_t>(count)) {}

  /// Copies the weights of the model at `step`.
  void add(std::int64_t step);
  /// Of the model at `step` and the snapshots of steps before.
  Snapshot mean(std::int64_t step) const;

  const std::vector<Snapshot>& snapshots() const { return snapshots_; }  // oldest first
  std::int64_t newest() const { return snapshots_.empty() ? 0 : snapshots_.back().step; }
  /// Keeps the newest that are needed.
  void set_snapshots(std::vector<Snapshot> snapshots);

 private:
  AnyModule model_;
  std::size_t count_;
  std::vector<Snapshot> snapshots_;  // at most count_ - 1
};

/// While it lives the model has other weights.
class Swapped {
 public:
  Swapped(AnyModule model, std::vector<NamedTensor>& weights)
      : parameters_(parameters(model)), weights_(weights) {
    swap();
  }
  ~Swapped() { swap(); }
  Swapped(const Swapped&) = delete;
  Swapped& operator=(const Swapped&) = delete;

 private:
  void swap();
  std::vector<NamedParameter> parameters_;
  std::vector<NamedTensor>& weights_;
};

}  // namespace heed
