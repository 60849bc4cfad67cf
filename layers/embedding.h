#pragma once

#include <cmath>

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// y_i = scale E[id_i].  ids (...), E (n, d), y (..., d)
///
/// E is at first normally distributed with standard deviation d^-1/2. With the scale d^1/2 of
/// Vaswani et al. 2017 (section 3.4) the vectors begin with unit variance, and E can be the output
/// layer too.
struct Embedding {
  Parameter weight;

  Embedding(Index n, Index d, Random& random)
      : weight(normal({n, d}, random, 1 / std::sqrt(static_cast<Real>(d)))) {
    weight.layout().table = true;
  }
  Variable operator()(const Ids& ids, Real scale = 1) const {
    return embedding(ids, weight, scale);
  }
  void visit(Visitor& v) { v("weight", weight); }
};

}  // namespace heed
