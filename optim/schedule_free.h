#pragma once

#include <span>
#include <vector>

#include "optim/optimizer.h"

namespace heed {

struct ScheduleFreeOptions {
  double lr = 2e-3;
  double beta1 = 0.9;  // where the gradient is taken, between z (0) and x (1)
  double beta2 = 0.98;
  double epsilon = 1e-9;
  double weight_decay = 0;

  void list(Fields& f);
};

/// Schedule-free AdamW (Defazio et al. 2024, algorithm 1): it needs no falling learning rate, and
/// no end of the training that is known before. The model learns at y and is used at x, an average
/// of the z. At a parameter's t-th step, with the learning rate lr_t:
///   rate = lr_t sqrt(1 - beta2^t)
///   v <- beta2 v + (1 - beta2) g^2
///   z <- z - rate (g / (sqrt(v) + epsilon) + weight_decay y)
///   c = rate^2 / (the sum of rate^2 so far)
///   x <- (1 - c) x + c z
///   y <- (1 - beta1) z + beta1 x
/// The decay is of matrices alone, as AdamW's. weights_to_use() are the x:
///
///     std::vector<NamedTensor> used = optimizer.weights_to_use();
///     const Swapped swapped(model, used);   // validate, save
///
/// The constructor throws Error when a number of the options is out of its range.
class ScheduleFree : public Optimizer {
 public:
  explicit ScheduleFree(AnyModule model, const ScheduleFreeOptions& options = {});

  std::vector<NamedTensor> weights_to_use() const override;
  std::span<double> sums() override { return sums_; }
  void restored() override;

 private:
  void prepare(UpdateSlot& slot, const Shape& shape, std::int64_t step, double lr) const override;
  void update(std::span<const UpdateSlot> slots, Real gradient_scale) override;
  void prepare_in_group(std::size_t group, std::size_t number, UpdateSlot& slot, std::int64_t step,
                        double lr) override;
  ScheduleFreeOptions options_;
  std::vector<double> sums_;  // of rate^2, of each parameter
};

}  // namespace heed
