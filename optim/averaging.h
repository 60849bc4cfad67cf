#pragma once

#include <cstdint>
#include <vector>

#include "framework/checkpoint.h"
#include "framework/module.h"
#include "framework/update_slot.h"

namespace heed {

/// The weights of a model at some step, in the order of parameters().
struct Snapshot {
  std::int64_t step = 0;
  std::vector<NamedTensor> weights;
};

/// Tensors of the model's shapes; their elements are not set.
Snapshot blank_snapshot(AnyModule model);
/// Copies the elements. Both lists are of the same model.
void copy(const std::vector<NamedTensor>& from, std::vector<NamedTensor>& to);

/// The mean of the present weights and of those at the last `count` - 1 steps that were added
/// (Vaswani et al. 2017, section 6.1).
class WeightAverage {
 public:
  WeightAverage(AnyModule model, int count)
      : model_(model), count_(static_cast<std::size_t>(count)) {}

  /// Copies the present weights, those of `step`.
  void add(std::int64_t step);
  /// The mean of the present weights, those of `step`, and of the snapshots of steps before it.
  Snapshot mean(std::int64_t step) const { return mean(step, available(step)); }
  /// The same of the newest `weights` of these alone, the present ones among them.
  Snapshot mean(std::int64_t step, std::int64_t weights) const;
  /// How many weights mean(step) is of.
  std::int64_t available(std::int64_t step) const;

  const std::vector<Snapshot>& snapshots() const { return snapshots_; }  // oldest first
  std::int64_t newest() const { return snapshots_.empty() ? 0 : snapshots_.back().step; }
  /// Takes the newest of them, as many as it needs.
  void set_snapshots(std::vector<Snapshot> snapshots);

 private:
  AnyModule model_;
  std::size_t count_;
  std::vector<Snapshot> snapshots_;  // at most count_ - 1
};

/// The exponential moving average of the weights after each step (Kingma and Ba 2015, section 7.2).
/// With the weights w_1, ..., w_t after steps 1 to t it is
///   sum_i decay^(t - i) w_i / sum_i decay^(t - i)
/// so that the first weights, those before step 1, have no part in it.
class MovingAverage {
 public:
  /// Throws Error unless decay is within [0, 1).
  MovingAverage(AnyModule model, double decay);

  /// Takes in the present weights.
  void add();
  /// How many weights it is of. It has no elements before the first.
  std::int64_t steps() const { return steps_; }
  const std::vector<NamedTensor>& weights() const { return weights_; }
  /// The weights now hold an average of so many.
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  std::vector<NamedParameter> parameters_;
  double decay_;
  std::int64_t steps_ = 0;
  std::vector<NamedTensor> weights_;
  std::vector<UpdateSlot> slots_;
};

/// While it lives, the model has the given weights. With an empty list it keeps its own.
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
