#include "framework/kernels/unary.h"

#include <cmath>

#include "framework/kernels/gelu.h"
#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

namespace {

/// f of each lane, for functions that Eigen has no packets for.
template <class F>
Vec each(Vec v, F f) {
  alignas(64) Real lanes[Vec::width];
  packet::pstore(lanes, v.p);
  for (Real& lane : lanes)
    lane = f(lane);
  return packet::pload<Vec::Packet>(lanes);
}

Vec sin(Vec v) {
  if constexpr (std::is_same_v<Real, float>)
    return packet::psin(v.p);
  else
    return each(v, [](Real a) { return std::sin(a); });
}
Vec cos(Vec v) {
  if constexpr (std::is_same_v<Real, float>)
    return packet::pcos(v.p);
  else
    return each(v, [](Real a) { return std::cos(a); });
}

}  // namespace

void exp(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 16, [](Vec v) { return exp(v); }, x);
}
void exp_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 3, [](Vec e, Vec g) { return g * e; }, y, dy);
}

void log(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 16, [](Vec v) { return log(v); }, x);
}
void log_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 4, [](Vec v, Vec g) { return g / v; }, x, dy);
}

void sqrt(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 8, [](Vec v) { return sqrt(v); }, x);
}
void sqrt_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 4, [](Vec root, Vec g) { return g * Real(0.5) / root; }, y, dy);
}

void square(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 2, [](Vec v) { return v * v; }, x);
}
void square_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 3, [](Vec v, Vec g) { return g * v * Real(2); }, x, dy);
}

void abs(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 2, [](Vec v) { return abs(v); }, x);
}
void abs_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 4,
      [](Vec v, Vec g) {
        return select(less(v, Real(0)), -g, select(less(Real(0), v), g, Real(0)));
      },
      x, dy);
}

void power(Index n, Real exponent, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 64,
      [exponent](Vec v) { return each(v, [exponent](Real a) { return std::pow(a, exponent); }); },
      x);
}
void power_backward(Index n, Real exponent, const Real* x, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 64,
      [exponent](Vec v, Vec g) {
        if (exponent == 0) return Vec(Real(0));  // at 0 the product would be 0 * infinity
        return g * exponent * each(v, [exponent](Real a) { return std::pow(a, exponent - 1); });
      },
      x, dy);
}

void clamp(Index n, Real low, Real high, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 3, [low, high](Vec v) { return max(min(v, high), low); }, x);
}
void clamp_backward(Index n, Real low, Real high, const Real* x, const Real* dy, Real* dx,
                    Mode mode) {
  transform(
      n, dx, mode, 5,
      [low, high](Vec v, Vec g) {
        return select(less(v, low), Real(0), select(less(high, v), Real(0), g));
      },
      x, dy);
}

void sin(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 24, [](Vec v) { return sin(v); }, x);
}
void sin_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 24, [](Vec v, Vec g) { return g * cos(v); }, x, dy);
}

void cos(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 24, [](Vec v) { return cos(v); }, x);
}
void cos_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 24, [](Vec v, Vec g) { return -g * sin(v); }, x, dy);
}

void tanh(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 24, [](Vec v) { return tanh(v); }, x);
}
void tanh_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 4, [](Vec t, Vec g) { return g * (Vec(1) - t * t); }, y, dy);
}

void sigmoid(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 20, [](Vec v) { return sigmoid(v); }, x);
}
void sigmoid_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 4, [](Vec s, Vec g) { return g * s * (Vec(1) - s); }, y, dy);
}

void relu(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 2, [](Vec v) { return max(v, Real(0)); }, x);
}
void relu_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 3, [](Vec v, Vec g) { return select(less(Real(0), v), g, Real(0)); }, y, dy);
}

void gelu(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 30, [](Vec v) { return Gelu(v).value(); }, x);
}
void gelu_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 40, [](Vec v, Vec g) { return Gelu(v).backward(g); }, x, dy);
}

// Stands for -infinity, which times 0 would be NaN. The order of max's operands keeps a NaN.
constexpr Real lowest = std::numeric_limits<Real>::lowest();

void silu(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 20, [](Vec v) { return max(v, lowest) * sigmoid(v); }, x);
}
void silu_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 24,
      [](Vec v, Vec g) {
        const Vec s = sigmoid(v);
        return g * s * (Vec(1) + min(max(v, lowest), -lowest) * (Vec(1) - s));
      },
      x, dy);
}

void softplus(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::assign, 40,
      [](Vec v) {
        // max(x, 0) + log(1 + e) with e = exp(-|x|) <= 1. Kahan's log1p corrects for the rounding
        // of 1 + e.
        const Vec e = exp(-abs(v));
        const Vec u = Vec(1) + e;
        return max(v, Real(0)) + select(equal(u, Vec(1)), e, log_of_normal(u) * e / (u - Vec(1)));
      },
      x);
}
void softplus_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode) {
  transform(
      n, dx, mode, 24, [](Vec v, Vec g) { return g * sigmoid(v); }, x, dy);
}

}  // namespace heed::kernels
