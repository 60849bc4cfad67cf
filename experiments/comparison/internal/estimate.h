#pragma once

#include <cstddef>
#include <vector>

#include "experiments/comparison/result.h"

namespace heed {

/// Estimates how long the remaining runs take, from how long each model's last run took.
class Estimate {
 public:
  /// `budget`: the time of each run in seconds; 0: not known.
  Estimate(std::size_t models, double budget) : seconds_(models, budget) {}
  void took(std::size_t model, double seconds) { seconds_[model] = seconds; }
  /// The time of the runs [next, count), which take the models in turn. A model that has not run
  /// yet counts as the mean of the others, or as `now` where none has run.
  double left(std::size_t next, std::size_t count, double now) const {
    std::vector<double> known;
    for (const double s : seconds_)
      if (s > 0) known.push_back(s);
    const double usual = known.empty() ? now : spread_of(known).mean;
    double sum = 0;
    for (std::size_t i = next; i < count; ++i) {
      const double seconds = seconds_[i % seconds_.size()];
      sum += seconds > 0 ? seconds : usual;
    }
    return sum;
  }

 private:
  std::vector<double> seconds_;
};

}  // namespace heed
