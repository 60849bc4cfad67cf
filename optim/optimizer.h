#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "framework/checkpoint.h"
#include "framework/kernels/update.h"
#include "framework/module.h"

namespace heed {

/// Changes the parameters of a model by their gradients:
///
///     Adam adam(model, {.lr = 1e-3});
///     ...
///     tape.backward(loss);
///     adam.step();
///     adam.clear_gradients();   // or gradients add up
///
/// A parameter that is frozen or whose gradient is undefined is left as it is, and its count of
/// steps too.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  void step() { step(lr_); }
  /// With another learning rate than the options', and gradients multiplied by `gradient_scale` on
  /// the way.
  void step(double lr, double gradient_scale = 1);
  void clear_gradients();
  /// Of all gradients together (L2), computed in double.
  double gradient_norm();
  double lr() const { return lr_; }

  /// What it remembers besides the parameters: tensors that share their elements with it, and each
  /// parameter's count of steps.
  std::vector<NamedTensor> state() const;
  std::span<std::int64_t> steps() { return steps_; }
  std::span<const std::int64_t> steps() const { return steps_; }

 protected:
  /// `moments` names the numbers kept for each number of the model.
  Optimizer(AnyModule model, double lr, std::vector<std::string> moments);
  /// Sets what the kernel needs to know of one parameter, at its `step`-th step.
  virtual void prepare(kernels::UpdateSlot& slot, const Shape& shape, std::int64_t step,
                       double lr) const = 0;
  virtual void update(std::span<const kernels::UpdateSlot> slots, Real gradient_scale) = 0;
  Real* moment(std::size_t i) { return moments_[i].tensor.data(); }

 private:
  void point_slots();  // at where gradients are now

  double lr_;
  std::vector<NamedParameter> parameters_;
  std::vector<std::int64_t> steps_;
  std::vector<kernels::UpdateSlot> slots_;
  std::vector<NamedTensor> moments_;  // of all parameters, end to end
  std::vector<double> partials_;
};

struct SgdOptions {
  double lr = 0.1;
  double momentum = 0;
  double weight_decay = 0;  // as an L2 penalty: added to the gradient, of every parameter
};

/// Stochastic gradient descent with heavy-ball momentum (Polyak 1964), in PyTorch's form: m =
/// momentum m + g, p -= lr m.
class Sgd : public Optimizer {
 public:
  explicit Sgd(AnyModule model, const SgdOptions& options = {});

 private:
  void prepare(kernels::UpdateSlot& slot, const Shape& shape, std::int64_t step,
               double lr) const override;
  void update(std::span<const kernels::UpdateSlot> slots, Real gradient_scale) override;
  SgdOptions options_;
};

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  // as an L2 penalty: added to the gradient, of every parameter
};

/// Kingma and Ba 2015, bias-corrected as PyTorch does: p -= lr m / (1 - beta1^t) / (sqrt(v / (1 -
/// beta2^t)) + epsilon).
class Adam : public Optimizer {
 public:
  explicit Adam(AnyModule model, const AdamOptions& options = {});

 private:
  void prepare(kernels::UpdateSlot& slot, const Shape& shape, std::int64_t step,
               double lr) const override;
  void update(std::span<const kernels::UpdateSlot> slots, Real gradient_scale) override;
  AdamOptions options_;
};

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  bool decay_vectors = false;  // also biases and gains of norms: parameters of one axis or none
};

/// Adam with decoupled decay (Loshchilov and Hutter 2019): p = (1 - lr weight_decay) p before each
/// step, and not in the gradient.
class AdamW : public Optimizer {
 public:
  explicit AdamW(AnyModule model, const AdamWOptions& options = {});

 private:
  void prepare(kernels::UpdateSlot& slot, const Shape& shape, std::int64_t step,
               double lr) const override;
  void update(std::span<const kernels::UpdateSlot> slots, Real gradient_scale) override;
  AdamWOptions options_;
};

}  // namespace heed
