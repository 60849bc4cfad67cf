#pragma once

#include <functional>
#include <memory>
#include <string>

#include "framework/registry.h"
#include "optim/optimizer.h"

namespace heed {

/// A row of the table of optimizers.
struct OptimizerKind {
  std::string name;
  std::string paper;
  /// The options with which a training begins. They list at least `lr`.
  AnyOptions options;
  std::function<std::unique_ptr<Optimizer>(AnyModule, const AnyOptions&)> make;
  /// Whether a step is proportional to the gradients: half of them count as half the rate.
  bool follows_scale = false;
  /// Whether it has Optimizer::weights_to_use(): an average, of which no other is made.
  bool averages = false;
  /// The schedule that suits it, one of schedules(); "": any.
  std::string schedule = {};
  /// The rate that it bears on running text, in those of Adam.
  double rate = 1;
};
Registry<OptimizerKind>& optimizers();

}  // namespace heed
