#pragma once

#include <utility>

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// While it lives, no Dropout drops on this thread. Decoding uses it, because the model may be in
/// the mode of training.
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

/// In training: y_i = 0 with probability p, and x_i / (1 - p) otherwise (Srivastava et al. 2014).
/// step_random() decides which. In evaluation: y = x. The constructor throws Error unless p is
/// within [0, 1).
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
