#include "optim/optimizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "framework/kernels/update.h"
#include "optim/internal/adam.h"

namespace heed {

namespace {

std::vector<std::string> one_if(bool condition, const char* name) {
  return condition ? std::vector<std::string>{name} : std::vector<std::string>{};
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
    : Optimizer(model, lr, std::vector<std::vector<std::string>>{std::move(moments)},
                [](const ParameterNames&) { return std::size_t{0}; }) {}

Optimizer::Optimizer(AnyModule model, double lr, std::vector<std::vector<std::string>> moments,
                     const GroupOf& group_of)
    : lr_(lr), parameters_(heed::parameters(model)) {
  check_distinct(parameters_);
  steps_.assign(parameters_.size(), 0);
  rate_factors_.assign(parameters_.size(), 1);
  groups_.resize(moments.size());
  for (const ParameterNames& parameter : parameter_names(model))
    group_of_.push_back(group_of(parameter));
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
  for (std::size_t g = 0; g < groups_.size(); ++g)
    for (std::string& name : moments[g])
      groups_[g].moments.push_back({std::move(name), Tensor::zeros({groups_[g].size()})});
  partials_.resize(static_cast<std::size_t>(kernels::update_pieces(norm_slots_)));
}

void Optimizer::set_rate_factors(std::vector<double> factors) {
  check(factors.size() == parameters_.size(), "optimizer",
        "expected a factor for each of {} parameters; got {}", parameters_.size(), factors.size());
  rate_factors_ = std::move(factors);
}

void Optimizer::add_slot(std::size_t parameter) {
  Group& group = owner(parameter);
  const Index begin = group.size();
  slot_of_[parameter] = group.slots.size();
  group.parameter_of.push_back(parameter);
  group.slots.push_back({.begin = begin, .size = sizes_[parameter]});
}

/// For a parameter that was frozen when the optimizer was made.
void Optimizer::add_moments(std::size_t parameter) {
  add_slot(parameter);
  const Index begin = owner(parameter).slots.back().begin;
  for (NamedTensor& moment : owner(parameter).moments) {
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
    if (slot_of_[i] != no_slot) owner(i).slots[slot_of_[i]].gradient = norm_slots_[i].gradient;
  }
}

void Optimizer::step(double lr, double gradient_scale) {
  Tape::check_optimized("optimizer");
  point_slots();
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    Group& group = groups_[g];
    for (std::size_t i = 0; i < group.slots.size(); ++i) {
      if (!group.slots[i].gradient) continue;
      const std::size_t number = group.parameter_of[i];
      group.slots[i].value = parameters_[number].parameter.value().data();
      prepare_in_group(g, number, group.slots[i], ++steps_[number], lr * rate_factors_[number]);
    }
    update_group(g, group.slots, static_cast<Real>(gradient_scale));
  }
}

void Optimizer::prepare_in_group(std::size_t /*group*/, std::size_t number, UpdateSlot& slot,
                                 std::int64_t step, double lr) {
  prepare(slot, parameters_[number].parameter.shape(), step, lr);
}

void Optimizer::update_group(std::size_t /*group*/, std::span<const UpdateSlot> slots,
                             Real gradient_scale) {
  update(slots, gradient_scale);
}

void Optimizer::clear_gradients() {
  for (const auto& [name, parameter] : parameters_)
    parameter.clear_gradient();
}

double Optimizer::gradient_norm() {
  point_slots();
  return std::sqrt(kernels::sum_of_squares(norm_slots_, partials_.data()));
}

Tensor Optimizer::moment_of(std::size_t number, std::size_t i) const {
  if (slot_of_[number] == no_slot) return {};
  const Group& group = groups_[group_of_[number]];
  const Index begin = group.slots[slot_of_[number]].begin;
  return group.moments[i]
      .tensor.slice(begin, begin + sizes_[number])
      .reshape(parameters_[number].parameter.shape());
}

std::vector<NamedTensor> Optimizer::state() const {
  Index largest = 0;  // of the parameters without moments, which share their zeros
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (slot_of_[i] == no_slot) largest = std::max(largest, sizes_[i]);
  Tensor zeros;
  std::vector<NamedTensor> result;
  for (std::size_t g = 0; g < groups_.size(); ++g)
    for (std::size_t m = 0; m < groups_[g].moments.size(); ++m) {
      const std::string& name = groups_[g].moments[m].name;
      for (std::size_t i = 0; i < parameters_.size() && !name.empty(); ++i) {
        if (group_of_[i] != g) continue;
        const auto& [of, parameter] = parameters_[i];
        Tensor part = moment_of(i, m);
        if (!part.defined()) {
          if (!zeros.defined()) zeros = Tensor::zeros({largest});
          part = zeros.slice(0, sizes_[i]).reshape(parameter.shape());
        }
        result.push_back({fmt::format("{}.{}", name, of), std::move(part)});
      }
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
  kernels::adam(slots, gradient_scale,
                adam_constants(options_.beta1, options_.beta2, options_.epsilon), moment(0),
                moment(1));
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
  kernels::adam(slots, gradient_scale,
                adam_constants(options_.beta1, options_.beta2, options_.epsilon), moment(0),
                moment(1));
}

}  // namespace heed
