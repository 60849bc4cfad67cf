#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "framework/checkpoint.h"
#include "framework/fields.h"
#include "framework/module.h"
#include "framework/update_slot.h"

namespace heed {

/// Changes the parameters of a model by their gradients:
///
///     Adam adam(model, {.lr = 1e-3});
///     ...
///     tape.backward(loss);
///     adam.step();
///     adam.clear_gradients();   // or gradients add up
///
/// A step leaves a parameter that is frozen, or that has no gradient, as it is; such a step does
/// not count for that parameter. A parameter that is frozen when the optimizer is made gets no
/// moments until it is trained.
///
/// The constructors throw Error when
/// - a number of the options is out of its range;
/// - two parameters have one name or share their elements.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Updates the parameters, with the learning rate of the options.
  ///
  /// Throws Error when
  /// - a parameter gets gradients in one step after another, and no optimizer has it: visit() left
  ///   it out;
  /// - the value of a parameter has another size than when the optimizer was made;
  /// - a gradient has another shape than its parameter.
  void step() { step(lr_); }
  /// The same with another learning rate, and with gradients multiplied by `gradient_scale`. The
  /// gradients themselves do not change.
  void step(double lr, double gradient_scale = 1);
  void clear_gradients();
  /// The L2 norm of all gradients together, computed in double.
  double gradient_norm();
  double lr() const { return lr_; }

  /// The moments of each parameter, as tensors that share their elements with the optimizer. Those
  /// of a parameter that is frozen are zeros of which the optimizer keeps nothing: what is written
  /// there is lost.
  std::vector<NamedTensor> state() const;
  /// How many steps each parameter has taken, in the order of parameters().
  std::span<std::int64_t> steps() { return steps_; }
  std::span<const std::int64_t> steps() const { return steps_; }

 protected:
  /// `moments`: the names of the numbers that are kept for each number of the model.
  Optimizer(AnyModule model, double lr, std::vector<std::string> moments);
  /// Sets what the kernel reads of one parameter, at its `step`-th step, counted from 1.
  virtual void prepare(UpdateSlot& slot, const Shape& shape, std::int64_t step,
                       double lr) const = 0;
  virtual void update(std::span<const UpdateSlot> slots, Real gradient_scale) = 0;
  Real* moment(std::size_t i) { return moments_[i].tensor.data(); }

 private:
  static constexpr std::size_t no_slot = static_cast<std::size_t>(-1);

  void add_slot(std::size_t parameter);
  void add_moments(std::size_t parameter);
  void point_slots();  // sets the addresses of the present gradients

  double lr_;
  std::vector<NamedParameter> parameters_;
  std::vector<Index> sizes_;  // of each parameter
  std::vector<std::int64_t> steps_;
  std::vector<UpdateSlot> slots_;          // of the parameters that have moments
  std::vector<std::size_t> slot_of_;       // of each parameter, or no_slot
  std::vector<std::size_t> parameter_of_;  // of each slot
  std::vector<NamedTensor> moments_;       // a moment each, of all slots, one after the other
  std::vector<UpdateSlot> norm_slots_;     // of all parameters, for gradient_norm()
  std::vector<double> partials_;
};

struct SgdOptions {
  double lr = 0.1;
  double momentum = 0;
  double weight_decay = 0;  // of an L2 penalty on every parameter

  void list(Fields& f);
};

/// Stochastic gradient descent with heavy-ball momentum (Polyak 1964), in PyTorch's form:
///   g <- g + weight_decay p
///   m <- momentum m + g
///   p <- p - lr m
class Sgd : public Optimizer {
 public:
  explicit Sgd(AnyModule model, const SgdOptions& options = {});

 private:
  void prepare(UpdateSlot& slot, const Shape& shape, std::int64_t step, double lr) const override;
  void update(std::span<const UpdateSlot> slots, Real gradient_scale) override;
  SgdOptions options_;
};

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  // of an L2 penalty on every parameter

  void list(Fields& f);
};

/// Adam (Kingma and Ba 2015, algorithm 1). At a parameter's t-th step:
///   g <- g + weight_decay p
///   m <- beta1 m + (1 - beta1) g
///   v <- beta2 v + (1 - beta2) g^2
///   p <- p - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
class Adam : public Optimizer {
 public:
  explicit Adam(AnyModule model, const AdamOptions& options = {});

 private:
  void prepare(UpdateSlot& slot, const Shape& shape, std::int64_t step, double lr) const override;
  void update(std::span<const UpdateSlot> slots, Real gradient_scale) override;
  AdamOptions options_;
};

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  /// Decays biases and gains of norms as well: parameters of one axis or none.
  bool decay_vectors = false;

  void list(Fields& f);
};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2): before each step
///   p <- (1 - lr weight_decay) p
/// and nothing is added to the gradient.
class AdamW : public Optimizer {
 public:
  explicit AdamW(AnyModule model, const AdamWOptions& options = {});

 private:
  void prepare(UpdateSlot& slot, const Shape& shape, std::int64_t step, double lr) const override;
  void update(std::span<const UpdateSlot> slots, Real gradient_scale) override;
  AdamWOptions options_;
};

}  // namespace heed
