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
};
Registry<OptimizerKind>& optimizers();

}  // namespace heed
