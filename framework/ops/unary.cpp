#include "framework/kernels/unary.h"

#include "framework/ops.h"

namespace heed {

namespace {

using Forward = void(Index n, const Real* x, Real* y);
using Backward = void(Index n, const Real* saved, const Real* dy, Real* dx, Mode mode);

/// y = f(x); `backward` reads x.
Variable of_input(const char* op, const Operand& x, Forward forward, Backward* backward) {
  Tensor y(x.shape());
  forward(x.size(), x.data(), y.data());
  return record(op, y, {x}, [backward, x = x.value()](const Tensor& dy, Gradient dx) {
    backward(x.size(), x.data(), dy.data(), dx.data(), dx.mode());
  });
}

/// y = f(x); `backward` reads y.
Variable of_output(const char* op, const Operand& x, Forward forward, Backward* backward) {
  Tensor y(x.shape());
  forward(x.size(), x.data(), y.data());
  return record(op, y, {x}, [backward, y](const Tensor& dy, Gradient dx) {
    backward(y.size(), y.data(), dy.data(), dx.data(), dx.mode());
  });
}

}  // namespace

// dx = dy y
Variable exp(const Operand& x) { return of_output("exp", x, kernels::exp, kernels::exp_backward); }
// dx = dy / x
Variable log(const Operand& x) { return of_input("log", x, kernels::log, kernels::log_backward); }
// dx = dy / 2y
Variable sqrt(const Operand& x) {
  return of_output("sqrt", x, kernels::sqrt, kernels::sqrt_backward);
}
Variable square(const Operand& x) {
  return of_input("square", x, kernels::square, kernels::square_backward);
}  // dx = 2 x dy
// dx = dy sign x, 0 at 0
Variable abs(const Operand& x) { return of_input("abs", x, kernels::abs, kernels::abs_backward); }
// dx = dy cos x
Variable sin(const Operand& x) { return of_input("sin", x, kernels::sin, kernels::sin_backward); }
// dx = -dy sin x
Variable cos(const Operand& x) { return of_input("cos", x, kernels::cos, kernels::cos_backward); }
// dx = dy (1 - y^2)
Variable tanh(const Operand& x) {
  return of_output("tanh", x, kernels::tanh, kernels::tanh_backward);
}
Variable sigmoid(const Operand& x) {
  return of_output("sigmoid", x, kernels::sigmoid, kernels::sigmoid_backward);
}  // dx = dy y (1 - y)
// dx = dy where y > 0
Variable relu(const Operand& x) {
  return of_output("relu", x, kernels::relu, kernels::relu_backward);
}
Variable gelu(const Operand& x) {
  return of_input("gelu", x, kernels::gelu, kernels::gelu_backward);
}
Variable silu(const Operand& x) {
  return of_input("silu", x, kernels::silu, kernels::silu_backward);
}
Variable softplus(const Operand& x) {
  return of_input("softplus", x, kernels::softplus, kernels::softplus_backward);
}

Variable power(const Operand& x, Real exponent) {
  Tensor y(x.shape());
  kernels::power(x.size(), exponent, x.data(), y.data());
  // dx = dy exponent x^(exponent - 1)
  return record("power", y, {x}, [exponent, x = x.value()](const Tensor& dy, Gradient dx) {
    kernels::power_backward(x.size(), exponent, x.data(), dy.data(), dx.data(), dx.mode());
  });
}

Variable clamp(const Operand& x, Real low, Real high) {
  check(low <= high, "clamp", "expected low <= high; got {} and {}", low, high);
  Tensor y(x.shape());
  kernels::clamp(x.size(), low, high, x.data(), y.data());
  // dx = dy within [low, high]
  return record("clamp", y, {x}, [low, high, x = x.value()](const Tensor& dy, Gradient dx) {
    kernels::clamp_backward(x.size(), low, high, x.data(), dy.data(), dx.data(), dx.mode());
  });
}

}  // namespace heed
