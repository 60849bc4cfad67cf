#pragma once

#include "framework/kernels/dropout.h"
#include "framework/types.h"

namespace heed::kernels {

// The activations between the two products of a feed-forward block, for `n` of its hidden numbers.
// `first` is the number of the first of them, from which the dropout mask is counted: a multiple of
// dropout_block. h may be z. dz takes the place of dh.

/// h = mask * f(z)
void relu_hidden(Index n, const Dropout& dropout, Index first, const Real* z, Real* h);
void gelu_hidden(Index n, const Dropout& dropout, Index first, const Real* z, Real* h);

/// dz = mask * dh * f'(z)
/// - of relu from h: h > 0 says that neither the mask nor the rectifier was zero;
/// - of gelu from z, which becomes h.
void relu_hidden_backward(Index n, const Dropout& dropout, const Real* h, Real* dh);
void gelu_hidden_backward(Index n, const Dropout& dropout, Index first, Real* z, Real* dh);

}  // namespace heed::kernels
