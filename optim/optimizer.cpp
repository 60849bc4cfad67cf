#include "optim/optimizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "framework/kernels/update.h"

namespace heed {

namespace {

std::vector<std::string> one_if(bool condition, const char* name) {
  return condition ? std::vector<std::string>{name} : std::vector<std::string>{};
}

kernels::AdamConstants constants(double beta1, double beta2, double epsilon) {
  return {static_cast<Real>(beta2), static_cast<Real>(1 - beta1), static_cast<Real>(1 - beta2),
          static_cast<Real>(epsilon)};
}

/// Corrects for both moments being zero at first (Kingma and Ba 2015, section 3), in double.
void correct_bias(UpdateSlot& slot, std::int64_t step, double lr, double beta1, double beta2) {
  const auto t = static_cast<double>(step);
  slot.rate = static_cast<Real>(lr / (1 - std::pow(beta1, t)));
  slot.root = static_cast<Real>(1 / std::sqrt(1 - std::pow(beta2, t)));
}

void check_adam(const char* name, double lr, double beta1, double beta2, double epsilon,
                double weight_decay) {
  check_argument(lr >= 0, name, "lr", lr, "of at least 0");
  check_argument(0 <= beta1 && beta1 < 1, name, "beta1", beta1, "within [0, 1)");
  check_argument(0 <= beta2 && beta2 < 1, name, "beta2", beta2, "within [0, 1)");
  check_argument(epsilon >= 0, name, "epsilon", epsilon, "of at least 0");
  check_argument(weight_decay >= 0, name, "weight_decay", weight_decay, "of at least 0");
}

/// Parameters that share elements would move them twice a step. Two parameters of one name could be
/// saved, but not loaded.
void check_distinct(const std::vector<NamedParameter>& parameters) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      check(parameters[i].name != parameters[k].name, "optimizer",
            "two parameters are named {}; give the parts of visit() names of their own",
            parameters[i].name);
      check(!parameters[i].parameter.value().shares_with(parameters[k].parameter.value()),
            "optimizer",
            "{} and {} share their elements; make one Parameter for both, or clone() the value",
            parameters[k].name, parameters[i].name);
    }
  }
}

}  // namespace

Optimizer::Optimizer(AnyModule model, double lr, std::vector<std::string> moments)
    : lr_(lr), parameters_(heed::parameters(model)) {
  check_distinct(parameters_);
  steps_.assign(parameters_.size(), 0);
  slot_of_.assign(parameters_.size(), no_slot);
  Index begin = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const ParameterRef& parameter = parameters_[i].parameter;
    parameter.mark_optimized();
    sizes_.push_back(parameter.value().size());
    // Of frozen parameters too: how a norm is rounded does not depend on what is frozen.
    norm_slots_.push_back({.begin = begin, .size = sizes_.back()});
    begin += sizes_.back();
    if (parameter.trainable()) add_slot(i);
  }
  const Index kept = slots_.empty() ? 0 : slots_.back().begin + slots_.back().size;
  for (std::string& name : moments)
    moments_.push_back({std::move(name), Tensor::zeros({kept})});
  partials_.resize(static_cast<std::size_t>(kernels::update_pieces(norm_slots_)));
}

void Optimizer::add_slot(std::size_t parameter) {
  const Index begin = slots_.empty() ? 0 : slots_.back().begin + slots_.back().size;
  slot_of_[parameter] = slots_.size();
  parameter_of_.push_back(parameter);
  slots_.push_back({.begin = begin, .size = sizes_[parameter]});
}

/// For a parameter that was frozen when the optimizer was made.
void Optimizer::add_moments(std::size_t parameter) {
  add_slot(parameter);
  const Index begin = slots_.back().begin;
  for (NamedTensor& moment : moments_) {
    Tensor longer = Tensor::zeros({begin + sizes_[parameter]});
    std::copy_n(std::as_const(moment.tensor).data(), begin, longer.data());
    moment.tensor = std::move(longer);
  }
  steps_[parameter] = 0;  // its moments begin at zero
}

void Optimizer::point_slots() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& [name, parameter] = parameters_[i];
    const Tensor& value = parameter.value();
    check(value.size() == sizes_[i], "optimizer",
          "{} has changed its size from {} to {}; make a new optimizer", name, sizes_[i],
          value.size());
    Tensor& gradient = parameter.gradient();
    check(
        !gradient.defined() || gradient.shape() == value.shape(), "optimizer",
        "{} of shape {} has a gradient of shape {}; clear the gradients where a value is replaced",
        name, value.shape(), gradient.shape());
    const bool wanted = parameter.trainable() && gradient.defined();
    if (wanted && slot_of_[i] == no_slot) add_moments(i);
    norm_slots_[i].gradient = wanted ? gradient.data() : nullptr;
    if (slot_of_[i] != no_slot) slots_[slot_of_[i]].gradient = norm_slots_[i].gradient;
  }
}

void Optimizer::step(double lr, double gradient_scale) {
  Tape::check_optimized("optimizer");
  point_slots();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].gradient) continue;
    const std::size_t number = parameter_of_[i];
    const ParameterRef& parameter = parameters_[number].parameter;
    slots_[i].value = parameter.value().data();
    prepare(slots_[i], parameter.shape(), ++steps_[number], lr);
  }
  update(slots_, static_cast<Real>(gradient_scale));
}

void Optimizer::clear_gradients() {
  for (const auto& [name, parameter] : parameters_)
    parameter.clear_gradient();
}

double Optimizer::gradient_norm() {
  point_slots();
  return std::sqrt(kernels::sum_of_squares(norm_slots_, partials_.data()));
}

std::vector<NamedTensor> Optimizer::state() const {
  Index largest = 0;  // of the parameters without moments, which share their zeros
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (slot_of_[i] == no_slot) largest = std::max(largest, sizes_[i]);
  const Tensor zeros = Tensor::zeros({moments_.empty() ? 0 : largest});
  std::vector<NamedTensor> result;
  for (const auto& [moment, tensor] : moments_)
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const bool kept = slot_of_[i] != no_slot;
      const Index begin = kept ? slots_[slot_of_[i]].begin : 0;
      const Tensor part = (kept ? tensor : zeros).slice(begin, begin + sizes_[i]);
      result.push_back(
          {moment + "." + parameters_[i].name, part.reshape(parameters_[i].parameter.shape())});
    }
  return result;
}

Sgd::Sgd(AnyModule model, const SgdOptions& options)
    : Optimizer(model, options.lr, one_if(options.momentum != 0, "sgd.m")), options_(options) {
  check_argument(options.lr >= 0, "sgd", "lr", options.lr, "of at least 0");
  check_argument(options.momentum >= 0, "sgd", "momentum", options.momentum, "of at least 0");
  check_argument(options.weight_decay >= 0, "sgd", "weight_decay", options.weight_decay,
                 "of at least 0");
}

void Sgd::prepare(UpdateSlot& slot, const Shape&, std::int64_t, double lr) const {
  slot.rate = static_cast<Real>(lr);
  slot.penalty = static_cast<Real>(options_.weight_decay);
}

void Sgd::update(std::span<const UpdateSlot> slots, Real gradient_scale) {
  kernels::sgd(slots, gradient_scale, static_cast<Real>(options_.momentum),
               options_.momentum == 0 ? nullptr : moment(0));
}

Adam::Adam(AnyModule model, const AdamOptions& options)
    : Optimizer(model, options.lr, {"adam.m", "adam.v"}), options_(options) {
  check_adam("adam", options.lr, options.beta1, options.beta2, options.epsilon,
             options.weight_decay);
}

void Adam::prepare(UpdateSlot& slot, const Shape&, std::int64_t step, double lr) const {
  correct_bias(slot, step, lr, options_.beta1, options_.beta2);
  slot.penalty = static_cast<Real>(options_.weight_decay);
}

void Adam::update(std::span<const UpdateSlot> slots, Real gradient_scale) {
  kernels::adam(slots, gradient_scale, constants(options_.beta1, options_.beta2, options_.epsilon),
                moment(0), moment(1));
}

AdamW::AdamW(AnyModule model, const AdamWOptions& options)
    : Optimizer(model, options.lr, {"adamw.m", "adamw.v"}), options_(options) {
  check_adam("adamw", options.lr, options.beta1, options.beta2, options.epsilon,
             options.weight_decay);
}

void AdamW::prepare(UpdateSlot& slot, const Shape& shape, std::int64_t step, double lr) const {
  correct_bias(slot, step, lr, options_.beta1, options_.beta2);
  const bool decays = options_.decay_vectors || shape.rank() > 1;
  slot.keep = decays ? static_cast<Real>(1 - lr * options_.weight_decay) : Real{1};
}

void AdamW::update(std::span<const UpdateSlot> slots, Real gradient_scale) {
  kernels::adam(slots, gradient_scale, constants(options_.beta1, options_.beta2, options_.epsilon),
                moment(0), moment(1));
}

}  // namespace heed
