#pragma once

#include <optional>
#include <vector>

#include "framework/module.h"

namespace heed {

/// Sums the gradients of the draws of a step by a fixed binary tree: draws 0 and 1, 2 and 3, then
/// these two sums, and so on. The order depends on the number of draws alone, so that the draws can
/// be computed anywhere. It holds log2(draws) + 1 gradients.
class GradientTree {
 public:
  explicit GradientTree(AnyModule model) : parameters_(parameters(model)) {}

  /// Takes the gradients of the next draw out of the parameters, which have none afterwards.
  void add();
  /// Gives the sum of all to the parameters, and is empty again.
  void give();
  /// Forgets all: of a step that is given up.
  void clear() { levels_.clear(); }

 private:
  /// One tensor a parameter; undefined where it has no gradient.
  using Gradients = std::vector<Tensor>;
  Gradients take() const;  // out of the parameters
  static void accumulate(Gradients& to, const Gradients& from);

  std::vector<NamedParameter> parameters_;
  std::vector<std::optional<Gradients>> levels_;  // level i: the sum of 2^i draws
};

}  // namespace heed
