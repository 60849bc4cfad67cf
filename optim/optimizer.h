#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "framework/checkpoint.h"
#include "framework/fields.h"
#include "framework/module.h"
#include "framework/parameter_patterns.h"
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
  /// What multiplies the learning rate of each parameter, in the order of parameters(), in all
  /// steps to come (see rate_factors()). Throws Error when there is another number of them.
  void set_rate_factors(std::vector<double> factors);
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

  /// What it does with which parameters, a line for people; "" where it treats all alike.
  virtual std::string summary() const { return {}; }

  /// The weights to validate, save and use, in the order of parameters(), where they are others
  /// than those that learn, which the model has (see Swapped). They share their elements with the
  /// optimizer. Empty: they are the model's.
  virtual std::vector<NamedTensor> weights_to_use() const { return {}; }
  /// A number of each parameter that goes on from step to step, in the order of parameters(); empty
  /// for most optimizers.
  virtual std::span<double> sums() { return {}; }
  /// Makes the model's weights those that learn, where it has weights_to_use(). To be called when
  /// these, state(), steps() and sums() have been restored.
  virtual void restored() {}

 protected:
  /// `moments`: the names of the numbers that are kept for each number of the model. One without a
  /// name is not part of state().
  Optimizer(AnyModule model, double lr, std::vector<std::string> moments);
  using GroupOf = std::function<std::size_t(const ParameterNames&)>;
  /// For parameters that are updated in different ways: `moments` of each group. `group_of`: the
  /// group of a parameter, counted from 0.
  Optimizer(AnyModule model, double lr, std::vector<std::vector<std::string>> moments,
            const GroupOf& group_of);
  /// Sets what the kernel reads of one parameter, at its `step`-th step, counted from 1.
  virtual void prepare(UpdateSlot& slot, const Shape& shape, std::int64_t step,
                       double lr) const = 0;
  virtual void update(std::span<const UpdateSlot> slots, Real gradient_scale) = 0;
  /// The same for one of several groups. `number`: of the parameter, in the order of parameters().
  virtual void prepare_in_group(std::size_t group, std::size_t number, UpdateSlot& slot,
                                std::int64_t step, double lr);
  virtual void update_group(std::size_t group, std::span<const UpdateSlot> slots,
                            Real gradient_scale);
  /// The numbers of moment i, of all slots of the group end to end.
  Real* moment(std::size_t i, std::size_t group = 0) {
    return groups_[group].moments[i].tensor.data();
  }
  /// A parameter and its group by its number, in the order of parameters().
  const NamedParameter& parameter(std::size_t number) const { return parameters_[number]; }
  std::size_t group_of(std::size_t number) const { return group_of_[number]; }
  /// The number of the parameter of each slot of a group.
  std::span<const std::size_t> numbers(std::size_t group = 0) const {
    return groups_[group].parameter_of;
  }
  /// Moment i of a parameter, in its shape; undefined where it has none yet.
  Tensor moment_of(std::size_t number, std::size_t i) const;

 private:
  static constexpr std::size_t no_slot = static_cast<std::size_t>(-1);

  struct Group {
    std::vector<UpdateSlot> slots;          // of the parameters that have moments
    std::vector<std::size_t> parameter_of;  // of each slot
    std::vector<NamedTensor> moments;       // a moment each, of all slots, one after the other
    Index size() const { return slots.empty() ? 0 : slots.back().begin + slots.back().size; }
  };

  Group& owner(std::size_t parameter) { return groups_[group_of_[parameter]]; }
  void add_slot(std::size_t parameter);
  void add_moments(std::size_t parameter);
  void point_slots();  // sets the addresses of the present gradients

  double lr_;
  std::vector<NamedParameter> parameters_;
  std::vector<Index> sizes_;  // of each parameter
  std::vector<std::int64_t> steps_;
  std::vector<double> rate_factors_;  // of each parameter
  std::vector<Group> groups_;
  std::vector<std::size_t> group_of_;   // of each parameter
  std::vector<std::size_t> slot_of_;    // of each parameter, in its group, or no_slot
  std::vector<UpdateSlot> norm_slots_;  // of all parameters, for gradient_norm()
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
