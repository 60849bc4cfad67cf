#pragma once

#include <utility>

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// While it lives, no dropout on this thread drops: what decodes evaluates, whatever mode the model
/// is in.
class NoDropout {
 public:
  NoDropout() : before_(std::exchange(active_, true)) {}
  ~NoDropout() { active_ = before_; }
  NoDropout(const NoDropout&) = delete;
  NoDropout& operator=(const NoDropout&) = delete;
  static bool active() { return active_; }

 private:
  static thread_local bool active_;
  bool before_;
};

/// In training zeroes each element with probability p and divides the others by 1 - p (Srivastava
/// et al. 2014); in evaluation the identity. What is zeroed follows from step_random().
struct Dropout {
  Real p;
  bool active = true;

  explicit Dropout(Real probability) : p(probability) {
    check(p >= 0 && p < 1, "dropout", "expected a probability within [0, 1); got {}", p);
  }
  bool drops() const { return active && p > 0 && !NoDropout::active(); }
  Variable operator()(const Variable& x) const {
    return drops() ? dropout(x, p, step_random().next_key()) : x;
  }
  /// x + dropout(branch), in one pass.
  Variable residual(const Variable& x, const Variable& branch) const {
    return drops() ? add_dropout(x, branch, p, step_random().next_key()) : x + branch;
  }
  void visit(Visitor& v) { v.training(active); }
};

}  // namespace heed
