#include "optim/averaging.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "framework/kernels/update.h"

namespace heed {

Snapshot blank_snapshot(AnyModule model) {
  Snapshot snapshot{0, named_tensors(model)};
  for (NamedTensor& weight : snapshot.weights)
    weight.tensor = Tensor(weight.tensor.shape());
  return snapshot;
}

void copy(const std::vector<NamedTensor>& from, std::vector<NamedTensor>& to) {
  for (std::size_t i = 0; i < from.size(); ++i)
    std::copy_n(from[i].tensor.data(), from[i].tensor.size(), to[i].tensor.data());
}

void WeightAverage::add(std::int64_t step) {
  if (count_ == 1) return;
  if (snapshots_.size() + 1 < count_) {
    snapshots_.push_back(blank_snapshot(model_));
  } else {
    // The new snapshot uses the tensors of the oldest.
    std::rotate(snapshots_.begin(), snapshots_.begin() + 1, snapshots_.end());
  }
  snapshots_.back().step = step;
  copy(named_tensors(model_), snapshots_.back().weights);
}

std::int64_t WeightAverage::available(std::int64_t step) const {
  return 1 + std::count_if(snapshots_.begin(), snapshots_.end(),
                           [step](const Snapshot& snapshot) { return snapshot.step < step; });
}

Snapshot WeightAverage::mean(std::int64_t step, std::int64_t weights) const {
  // Snapshots are in the order of their steps.
  const auto end = snapshots_.begin() + (available(step) - 1);
  const auto begin = end - (weights - 1);
  const std::vector<NamedTensor> now = named_tensors(model_);
  Snapshot mean = blank_snapshot(model_);
  mean.step = step;
  for (std::size_t i = 0; i < now.size(); ++i)
    for (Index j = 0; j < now[i].tensor.size(); ++j) {
      double sum = now[i].tensor[j];
      for (auto snapshot = begin; snapshot != end; ++snapshot)
        sum += snapshot->weights[i].tensor[j];
      mean.weights[i].tensor[j] = static_cast<Real>(sum / static_cast<double>(weights));
    }
  return mean;
}

void WeightAverage::set_snapshots(std::vector<Snapshot> snapshots) {
  const std::size_t wanted = std::min(snapshots.size(), count_ - 1);
  snapshots.erase(snapshots.begin(), snapshots.end() - static_cast<std::ptrdiff_t>(wanted));
  snapshots_ = std::move(snapshots);
}

MovingAverage::MovingAverage(AnyModule model, double decay)
    : parameters_(parameters(model)), decay_(decay), weights_(blank_snapshot(model).weights) {
  check_argument(0 <= decay && decay < 1, "moving_average", "decay", decay, "within [0, 1)");
  Index begin = 0;
  for (NamedTensor& weight : weights_) {
    slots_.push_back({.begin = begin, .size = weight.tensor.size(), .value = weight.tensor.data()});
    begin += weight.tensor.size();
  }
}

void MovingAverage::add() {
  ++steps_;
  // The same as dividing by the sum of the factors, and stays exact where weights do not change.
  const auto share =
      static_cast<Real>((1 - decay_) / (1 - std::pow(decay_, static_cast<double>(steps_))));
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].gradient = parameters_[i].parameter.value().data();
    slots_[i].share = steps_ == 1 ? Real{1} : share;
  }
  kernels::move_average(slots_);
}

void Swapped::swap() {
  for (std::size_t i = 0; i < weights_.size(); ++i)
    std::swap(parameters_[i].parameter.value(), weights_[i].tensor);
}

}  // namespace heed
