#include "training/internal/gradient_tree.h"

#include <utility>

#include "framework/ops.h"

namespace heed {

GradientTree::Gradients GradientTree::take() const {
  Gradients gradients;
  for (const auto& [name, parameter] : parameters_) {
    gradients.push_back(parameter.gradient());
    parameter.clear_gradient();
  }
  return gradients;
}

void GradientTree::accumulate(Gradients& to, const Gradients& from) {
  const Tape::Pause pause;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (!from[i].defined()) continue;
    to[i] = to[i].defined() ? (Variable(to[i]) + Variable(from[i])).value() : from[i];
  }
}

void GradientTree::add() {
  Gradients sum = take();
  for (std::optional<Gradients>& level : levels_) {
    if (!level) {
      level = std::move(sum);
      return;
    }
    accumulate(*level, sum);
    sum = std::move(*level);
    level.reset();
  }
  levels_.emplace_back(std::move(sum));
}

void GradientTree::give() {
  // Where the number of draws is no power of 2: the later, smaller subtrees join the earlier ones.
  std::optional<Gradients> sum;
  for (std::optional<Gradients>& level : levels_) {
    if (!level) continue;
    if (sum) accumulate(*level, *sum);
    sum = std::exchange(level, std::nullopt);
  }
  levels_.clear();
  if (!sum) return;
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    parameters_[i].parameter.gradient() = (*sum)[i];
}

}  // namespace heed
