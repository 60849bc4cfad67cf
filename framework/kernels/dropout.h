#pragma once

#include "framework/random.h"
#include "framework/types.h"

namespace heed::kernels {

/// Keeps an element when its 16 random bits reach the threshold, and scales what is kept by
/// 1 / (1 - p). p is rounded to a multiple of 1/65536.
struct Dropout {
  RandomKey key;
  std::uint32_t threshold = 0;
  Real scale = 1;
  Dropout() = default;
  Dropout(Real p, RandomKey k);
  bool active() const { return threshold > 0; }
};

inline constexpr Index dropout_block = 128;

/// out[i] = scale or 0 for elements [block * 128, block * 128 + 128): a function of (key, position)
/// alone. Element e of block b takes half (e / 16) % 2 of word e / 32 of
/// philox(key, 16 b + e % 16).
void dropout_mask(const Dropout& dropout, Index block, Real* out);
/// The same for elements [128 block, 128 block + n). `out` has room for whole blocks.
void dropout_mask(const Dropout& dropout, Index block, Index n, Real* out);

/// y = or += mask * x
void dropout(Index n, const Dropout& dropout, const Real* x, Real* y, Mode mode);
/// y = x + mask * branch
void add_dropout(Index n, const Dropout& dropout, const Real* x, const Real* branch, Real* y);
/// y = mask * max(x, 0). Backward from y: dx = or += mask * dy where y > 0.
void relu_dropout(Index n, const Dropout& dropout, const Real* x, Real* y);
void relu_dropout_backward(Index n, const Dropout& dropout, const Real* y, const Real* dy, Real* dx,
                           Mode mode);

}  // namespace heed::kernels
