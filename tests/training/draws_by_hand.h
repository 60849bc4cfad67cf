#pragma once

#include <cstddef>
#include <vector>

#include "framework/module.h"

// The gradients of several draws, summed by hand.

namespace heed {

/// The gradient of each parameter; empty where it has none.
using DrawGradients = std::vector<std::vector<Real>>;

/// Takes the gradients out of a model, which has none afterwards.
inline DrawGradients take_gradients(AnyModule model) {
  DrawGradients gradients;
  for (const auto& [name, parameter] : parameters(model)) {
    const Tensor& gradient = parameter.gradient();
    gradients.push_back(gradient.defined() ? gradient.to_vector() : std::vector<Real>());
  }
  clear_gradients(model);
  return gradients;
}

inline DrawGradients sum_of(DrawGradients a, const DrawGradients& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].empty())
      a[i] = b[i];
    else
      for (std::size_t j = 0; j < b[i].size(); ++j)
        a[i][j] += b[i][j];
  }
  return a;
}

inline void give_gradients(AnyModule model, const DrawGradients& gradients) {
  const auto all = parameters(model);
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!gradients[i].empty())
      all[i].parameter.gradient() = Tensor(all[i].parameter.shape(), gradients[i]);
}

}  // namespace heed
