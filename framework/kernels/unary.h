#pragma once

#include "framework/types.h"

namespace heed::kernels {

// y = f(x), and dx = or += dy f'(x), from x or from y, whichever f' is cheaper in.

void exp(Index n, const Real* x, Real* y);
void exp_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode);
void log(Index n, const Real* x, Real* y);
void log_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode);
void sqrt(Index n, const Real* x, Real* y);
void sqrt_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode);
void square(Index n, const Real* x, Real* y);
void square_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode);
void abs(Index n, const Real* x, Real* y);
void abs_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode);
void power(Index n, Real exponent, const Real* x, Real* y);
void power_backward(Index n, Real exponent, const Real* x, const Real* dy, Real* dx, Mode mode);
void clamp(Index n, Real low, Real high, const Real* x, Real* y);
void clamp_backward(Index n, Real low, Real high, const Real* x, const Real* dy, Real* dx,
                    Mode mode);
void sin(Index n, const Real* x, Real* y);
void sin_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode);
void cos(Index n, const Real* x, Real* y);
void cos_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode);
void tanh(Index n, const Real* x, Real* y);
void tanh_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode);
void sigmoid(Index n, const Real* x, Real* y);
void sigmoid_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode);
void relu(Index n, const Real* x, Real* y);
void relu_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode);
void gelu(Index n, const Real* x, Real* y);
void gelu_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode);
void silu(Index n, const Real* x, Real* y);
void silu_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode);
void softplus(Index n, const Real* x, Real* y);
void softplus_backward(Index n, const Real* x, const Real* dy, Real* dx, Mode mode);

}  // namespace heed::kernels
