#include "optim/schedule_free.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "framework/kernels/update.h"
#include "optim/internal/adam.h"

namespace heed {

namespace {

enum Moment : std::size_t { fast, square, average };  // z, v, x

}  // namespace

// x has no name: a checkpoint has it as the model's weights.
ScheduleFree::ScheduleFree(AnyModule model, const ScheduleFreeOptions& o)
    : Optimizer(model, o.lr, {"schedule_free.z", "schedule_free.v", ""}), options_(o) {
  check_adam("schedule_free", o.lr, o.beta1, o.beta2, o.epsilon, o.weight_decay);
  sums_.assign(steps().size(), 0);
}

void ScheduleFree::prepare(UpdateSlot& slot, const Shape& shape, std::int64_t step,
                           double lr) const {
  const double rate = lr * std::sqrt(1 - std::pow(options_.beta2, static_cast<double>(step)));
  slot.rate = static_cast<Real>(rate);
  slot.penalty = static_cast<Real>(shape.rank() > 1 ? rate * options_.weight_decay : 0);
}

void ScheduleFree::prepare_in_group(std::size_t /*group*/, std::size_t number, UpdateSlot& slot,
                                    std::int64_t step, double lr) {
  prepare(slot, parameter(number).parameter.shape(), step, lr);
  const double weight = std::pow(static_cast<double>(slot.rate), 2);
  sums_[number] += weight;
  slot.share = sums_[number] > 0 ? static_cast<Real>(weight / sums_[number]) : Real{1};
}

void ScheduleFree::update(std::span<const UpdateSlot> slots, Real gradient_scale) {
  const kernels::ScheduleFreeConstants constants{
      .beta1 = static_cast<Real>(options_.beta1),
      .beta2 = static_cast<Real>(options_.beta2),
      .one_minus_beta2 = static_cast<Real>(1 - options_.beta2),
      .epsilon = static_cast<Real>(options_.epsilon)};
  kernels::schedule_free(slots, gradient_scale, constants, moment(fast), moment(square),
                         moment(average));
}

std::vector<NamedTensor> ScheduleFree::weights_to_use() const {
  std::vector<NamedTensor> weights;
  for (std::size_t i = 0; i < steps().size(); ++i) {
    const auto& [name, p] = parameter(i);
    const Tensor x = steps()[i] > 0 ? moment_of(i, average) : Tensor();
    weights.push_back({name, x.defined() ? x : p.value()});
  }
  return weights;
}

void ScheduleFree::restored() {
  for (std::size_t i = 0; i < steps().size(); ++i) {
    if (steps()[i] == 0) continue;
    Tensor x = moment_of(i, average);
    if (!x.defined()) continue;  // it is frozen now, and stays at x
    Tensor& y = parameter(i).parameter.value();
    std::copy_n(std::as_const(y).data(), y.size(), x.data());
    kernels::interpolate(y.size(), static_cast<Real>(options_.beta1),
                         std::as_const(*this).moment_of(i, fast).data(), x.data(), y.data());
  }
}

}  // namespace heed
