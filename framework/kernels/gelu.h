#pragma once

// For kernels' .cpp files only: gelu(x) = x/2 (1 + tanh u) with u = sqrt(2/pi) (x + 0.044715 x^3),
// and its derivative.

#include <numbers>

#include "framework/kernels/simd.h"

namespace heed::kernels {

struct Gelu {
  static constexpr Real scale = static_cast<Real>(std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
  static constexpr Real cube = Real(0.044715);
  static constexpr Real far = 1000;  // tanh u is 1 long before
  Vec x;
  Vec t;

  /// Below -far the value is 0; -infinity times 0 would be NaN. The order of max's operands keeps a
  /// NaN.
  explicit Gelu(Vec v) : x(max(v, -far)), t(tanh(x * scale * multiply_add(x * x, cube, 1))) {}
  Vec value() const { return Vec(Real(0.5)) * x * (Vec(1) + t); }
  /// g times the derivative: (1 + tanh u)/2 + x/2 (1 - tanh^2 u) u'
  Vec backward(Vec g) const {
    // Far from 0 the second term is 0 times a slope, which must stay finite.
    const Vec near = min(x, far);
    const Vec slope = multiply_add(near * near, 3 * cube, 1) * scale;
    return g * Real(0.5) * (Vec(1) + t + near * (Vec(1) - t * t) * slope);
  }
};

}  // namespace heed::kernels
