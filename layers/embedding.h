#pragma once

#include <cmath>

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// y_i = E[id_i] scale.  ids (...), E (n, d), y (..., d). Normal of deviation d^-1/2: with a scale
/// of d^1/2, as in Vaswani et al. 2017 (section 3.4), vectors begin with unit variance, and E can
/// serve as the output layer too.
struct Embedding {
  Parameter weight;

  Embedding(Index n, Index d, Random& random)
      : weight(normal({n, d}, random, 1 / std::sqrt(static_cast<Real>(d)))) {}
  Variable operator()(const Ids& ids, Real scale = 1) const {
    return embedding(ids, weight, scale);
  }
  void visit(Visitor& v) { v("weight", weight); }
};

}  // namespace heed
