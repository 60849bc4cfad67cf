#pragma once

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// In training zeroes each element with probability p and divides the others by 1 - p (Srivastava et al. 2014); in evaluation the
/// identity. What is zeroed follows from step_random().
struct Dropout {
  Real p;
  bool active = true;

  explicit Dropout(Real probability) : p(probability) {}
  bool drops() const { return active && p > 0; }
  Variable operator()(const Variable& x) const { return drops() ? dropout(x, p, step_random().next_key()) : x; }
  /// x + dropout(branch), in one pass.
  Variable residual(const Variable& x, const Variable& branch) const {
    return drops() ? add_dropout(x, branch, p, step_random().next_key()) : x + branch;
  }
  void visit(Visitor& v) { v.training(active); }
};

}  // namespace heed
