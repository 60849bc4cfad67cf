#include "optim/muon.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/ranges.h>

#include "framework/kernels/muon.h"
#include "framework/kernels/update.h"
#include "optim/internal/adam.h"

namespace heed {

namespace {

enum Group : std::size_t { matrices, others };

MuonOptions checked(const MuonOptions& o, AnyModule model) {
  check_adam("muon", o.lr, o.beta1, o.beta2, o.epsilon, o.weight_decay);
  check_argument(0 <= o.momentum && o.momentum < 1, "muon", "momentum", o.momentum,
                 "within [0, 1)");
  const std::vector<std::string> unused = unmatched(model, ParameterPatterns(o.hidden));
  check(unused.empty(), "muon", "expected patterns that match parameters; got {}",
        fmt::join(unused, ", "));
  return o;
}

/// The rows of each matrix that a parameter stores.
std::vector<Index> blocks_of(const NamedParameter& parameter) {
  const Index rows = parameter.parameter.shape()[0];
  const std::vector<Index>& blocks = parameter.parameter.layout().blocks;
  if (blocks.empty()) return {rows};
  check(std::accumulate(blocks.begin(), blocks.end(), Index{0}) == rows, "muon",
        "{} has {} rows, and its layout() blocks of {}", parameter.name, rows,
        fmt::join(blocks, ", "));
  return blocks;
}

}  // namespace

bool is_hidden_matrix(const ParameterRef& parameter) {
  const Shape& shape = parameter.shape();
  return shape.rank() == 2 && shape[0] > 1 && shape[1] > 1 && !parameter.layout().table;
}

Muon::Muon(AnyModule model, const MuonOptions& options)
    : Optimizer(model, checked(options, model).lr, {{"muon.m"}, {"adamw.m", "adamw.v"}},
                [patterns = ParameterPatterns(options.hidden)](const ParameterNames& p) {
                  const bool hidden = is_hidden_matrix(p.parameter) && patterns.chooses(p.names);
                  return hidden ? matrices : others;
                }),
      options_(options) {}

std::string Muon::summary() const {
  Index count = 0;
  Index numbers = 0;
  Index all = 0;
  for (std::size_t i = 0; i < steps().size(); ++i) {
    const ParameterRef& trained = parameter(i).parameter;
    if (!trained.trainable()) continue;  // frozen
    const Index size = trained.value().size();
    all += size;
    if (group_of(i) != matrices) continue;
    ++count;
    numbers += size;
  }
  if (count == 0) return "Muon for no matrix of hidden layers; AdamW for all";
  return fmt::format("Muon for {} matrices of hidden layers, {} of {} numbers; AdamW for the rest",
                     count, numbers, all);
}

void Muon::prepare(UpdateSlot& slot, const Shape& shape, std::int64_t step, double lr) const {
  correct_bias(slot, step, lr, options_.beta1, options_.beta2);
  slot.keep = shape.rank() > 1 ? static_cast<Real>(1 - lr * options_.weight_decay) : Real{1};
}

void Muon::update(std::span<const UpdateSlot> slots, Real gradient_scale) {
  kernels::adam(slots, gradient_scale,
                adam_constants(options_.beta1, options_.beta2, options_.epsilon), moment(0, others),
                moment(1, others));
}

void Muon::prepare_in_group(std::size_t group, std::size_t number, UpdateSlot& slot,
                            std::int64_t step, double lr) {
  prepare(slot, parameter(number).parameter.shape(), step, lr);
  if (group == matrices) slot.rate = static_cast<Real>(lr);
}

void Muon::update_group(std::size_t group, std::span<const UpdateSlot> slots, Real gradient_scale) {
  if (group == others) {
    update(slots, gradient_scale);
    return;
  }
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i].gradient) update_matrices(numbers(group)[i], slots[i], gradient_scale);
}

void Muon::update_matrices(std::size_t number, const UpdateSlot& slot, Real gradient_scale) {
  const Index columns = parameter(number).parameter.shape()[1];
  Index begin = 0;
  for (const Index rows : blocks_of(parameter(number))) {
    const auto longest = static_cast<Real>(std::max(rows, columns));
    kernels::muon({.rows = rows,
                   .columns = columns,
                   .value = slot.value + begin,
                   .gradient = slot.gradient + begin,
                   .momentum = moment(0, matrices) + slot.begin + begin,
                   .rate = slot.rate * Real(0.2) * std::sqrt(longest),
                   .keep = slot.keep},
                  gradient_scale, static_cast<Real>(options_.momentum));
    begin += rows * columns;
  }
}

}  // namespace heed
