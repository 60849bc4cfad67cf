#pragma once

#include "framework/kernels/dropout.h"
#include "framework/types.h"

namespace heed::kernels {

// The activations between the two products of a feed-forward block, for `n` of its hidden numbers
// from number `first` on, a multiple of dropout_block, which the dropout mask is counted from. h
// may be z, and dz is written in dh's place.

/// h = mask * f(z)
void relu_hidden(Index n, const Dropout& dropout, Index first, const Real* z, Real* h);
void gelu_hidden(Index n, const Dropout& dropout, Index first, const Real* z, Real* h);

/// dz = mask * dh * f'(z): relu's from h, where h > 0 says that neither mask nor rectifier was
/// zero; gelu's from z, which becomes h.
void relu_hidden_backward(Index n, const Dropout& dropout, const Real* h, Real* dh);
void gelu_hidden_backward(Index n, const Dropout& dropout, Index first, Real* z, Real* dh);

}  // namespace heed::kernels
