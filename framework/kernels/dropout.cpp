#include "framework/kernels/dropout.h"

#include <algorithm>
#include <cmath>

#include "framework/kernels/simd.h"

namespace heed::kernels {

Dropout::Dropout(Real p, RandomKey k) : key(k) {
  threshold = static_cast<std::uint32_t>(std::lround(static_cast<double>(p) * 65536));
  scale = threshold < 65536 ? static_cast<Real>(65536.0 / (65536.0 - threshold)) : 0;
}

void dropout_mask(const Dropout& dropout, Index block, Real* out) {
  constexpr int lanes = 16;
  std::uint32_t c0[lanes], c1[lanes], c2[lanes], c3[lanes];
  for (int i = 0; i < lanes; ++i) {
    const std::uint64_t counter = static_cast<std::uint64_t>(block) * lanes + static_cast<std::uint64_t>(i);
    c0[i] = static_cast<std::uint32_t>(counter), c1[i] = static_cast<std::uint32_t>(counter >> 32);
    c2[i] = static_cast<std::uint32_t>(dropout.key.stream), c3[i] = static_cast<std::uint32_t>(dropout.key.stream >> 32);
  }
  std::uint32_t k0 = static_cast<std::uint32_t>(dropout.key.seed), k1 = static_cast<std::uint32_t>(dropout.key.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < lanes; ++i) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c0[i], p1 = std::uint64_t{0xCD9E8D57} * c2[i];
      c0[i] = static_cast<std::uint32_t>(p1 >> 32) ^ c1[i] ^ k0;
      c1[i] = static_cast<std::uint32_t>(p1);
      c2[i] = static_cast<std::uint32_t>(p0 >> 32) ^ c3[i] ^ k1;
      c3[i] = static_cast<std::uint32_t>(p0);
    }
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  const std::uint32_t* words[] = {c0, c1, c2, c3};
  for (int w = 0; w < 4; ++w)
    for (int i = 0; i < lanes; ++i) {
      out[w * 32 + i] = (words[w][i] & 0xffff) >= dropout.threshold ? dropout.scale : 0;
      out[w * 32 + 16 + i] = (words[w][i] >> 16) >= dropout.threshold ? dropout.scale : 0;
    }
}

void dropout_mask(const Dropout& dropout, Index block, Index n, Real* out) {
  for (Index i = 0; i < n; i += dropout_block) dropout_mask(dropout, block + i / dropout_block, out + i);
}

namespace {

/// f(mask, in...) over blocks, so that every mask is made in a buffer that stays in cache.
template <class F, class... In>
void masked(Index n, const Dropout& dropout, Real* out, Mode mode, F f, const In*... in) {
  constexpr Index grain = dropout_block * 64;
  parallel_for(n, grain, [&](Index begin, Index end) {
    alignas(64) Real mask[dropout_block];
    for (Index i = begin; i < end; i += dropout_block) {
      dropout_mask(dropout, i / dropout_block, mask);
      transform_serial(std::min(dropout_block, end - i), out + i, mode, f, mask, (in + i)...);
    }
  });
}

}  // namespace

void dropout(Index n, const Dropout& d, const Real* x, Real* y, Mode mode) {
  masked(n, d, y, mode, [](Vec mask, Vec a) { return mask * a; }, x);
}

void add_dropout(Index n, const Dropout& d, const Real* x, const Real* branch, Real* y) {
  if (!d.active()) return transform(n, y, Mode::assign, 1, [](Vec a, Vec b) { return a + b; }, x, branch);
  masked(n, d, y, Mode::assign, [](Vec mask, Vec a, Vec b) { return a + mask * b; }, x, branch);
}

void relu_dropout(Index n, const Dropout& d, const Real* x, Real* y) {
  if (!d.active()) return transform(n, y, Mode::assign, 1, [](Vec a) { return max(a, Vec(0)); }, x);
  masked(n, d, y, Mode::assign, [](Vec mask, Vec a) { return mask * max(a, Vec(0)); }, x);
}

void relu_dropout_backward(Index n, const Dropout& d, const Real* y, const Real* dy, Real* dx, Mode mode) {
  const Vec scale = d.scale;  // where y > 0 the mask was not zero
  transform(n, dx, mode, 1, [scale](Vec a, Vec da) { return select(less(Vec(0), a), scale * da, Vec(0)); }, y, dy);
}

}  // namespace heed::kernels
