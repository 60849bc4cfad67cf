#pragma once

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// y = x W^T + b.  x (..., in), W (out, in), b (out), y (..., out)
struct Linear {
  Parameter weight;
  Parameter bias;

  Linear(Index in, Index out, Random& random, bool with_bias = true)
      : weight(xavier_uniform({out, in}, random)),
        bias(with_bias ? Parameter(zeros({out})) : Parameter()) {}
  Variable operator()(const Operand& x) const {
    return bias.defined() ? linear(x, weight, bias) : linear(x, weight);
  }
  void visit(Visitor& v) {
    v("weight", weight);
    v("bias", bias);
  }
};

}  // namespace heed
