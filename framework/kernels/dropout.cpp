#include "framework/kernels/dropout.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

Dropout::Dropout(Real p, RandomKey k) : key(k) {
  threshold = static_cast<std::uint32_t>(std::lround(static_cast<double>(p) * 65536));
  scale = threshold < 65536 ? static_cast<Real>(65536.0 / (65536.0 - threshold)) : 0;
}

namespace {

// Vector types of g++ and clang instead of loops: neither compiler vectorises Philox's widening
// products by itself, and masks would be ten times slower.
// Wide: eight words of 32 bits, whose upper halves are free for products.
typedef std::uint64_t Wide __attribute__((vector_size(64)));
typedef std::uint32_t Narrow __attribute__((vector_size(32)));
typedef Real Multipliers __attribute__((vector_size(8 * sizeof(Real))));

inline Wide product(Wide words, std::uint64_t factor) {
#ifdef __AVX512F__
  return reinterpret_cast<Wide>(_mm512_mul_epu32(
      reinterpret_cast<__m512i>(words), _mm512_set1_epi64(static_cast<long long>(factor))));
#else
  return (words & 0xffffffff) * factor;
#endif
}

#if defined(__AVX512F__) && !defined(HEED_DOUBLE)
/// 16 elements from the lower halves of 16 words, then 16 from the upper ones.
inline void store_masks(Wide first, Wide second, const Dropout& dropout, Real* out) {
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  const __m512i words = _mm512_permutex2var_epi32(reinterpret_cast<__m512i>(first), even,
                                                  reinterpret_cast<__m512i>(second));
  const __m512i threshold = _mm512_set1_epi32(static_cast<int>(dropout.threshold));
  const __m512 scale = _mm512_set1_ps(dropout.scale);
  _mm512_storeu_ps(
      out, _mm512_maskz_mov_ps(_mm512_cmpge_epu32_mask(
                                   _mm512_and_si512(words, _mm512_set1_epi32(0xffff)), threshold),
                               scale));
  _mm512_storeu_ps(
      out + 16,
      _mm512_maskz_mov_ps(_mm512_cmpge_epu32_mask(_mm512_srli_epi32(words, 16), threshold), scale));
}
#else
inline void store_mask(Narrow bits, const Dropout& dropout, Real* out) {
  const Narrow kept = reinterpret_cast<Narrow>(bits >= dropout.threshold) & 1;
  const Multipliers result = __builtin_convertvector(kept, Multipliers) * dropout.scale;
  std::memcpy(out, &result, sizeof result);
}

inline void store_masks(Wide first, Wide second, const Dropout& dropout, Real* out) {
  const Wide* halves[] = {&first, &second};
  for (int h = 0; h < 2; ++h) {
    const Narrow word = __builtin_convertvector(*halves[h], Narrow);
    store_mask(word & 0xffff, dropout, out + h * 8);
    store_mask(word >> 16, dropout, out + 16 + h * 8);
  }
}
#endif

}  // namespace

void dropout_mask(const Dropout& dropout, Index block, Real* out) {
  constexpr int halves = 2;
  constexpr int lanes = 8;
  Wide c0[halves];
  Wide c1[halves];
  Wide c2[halves];
  Wide c3[halves];
  for (int h = 0; h < halves; ++h) {
    c0[h] = Wide{0, 1, 2, 3, 4, 5, 6, 7} +
            static_cast<std::uint64_t>(block * halves * lanes + h * lanes);
    c1[h] = c0[h] >> 32;
    c2[h] = Wide{} + dropout.key.stream;
    c3[h] = c2[h] >> 32;
  }
  std::uint32_t k0 = static_cast<std::uint32_t>(dropout.key.seed);
  std::uint32_t k1 = static_cast<std::uint32_t>(dropout.key.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int h = 0; h < halves; ++h) {
      const Wide p0 = product(c0[h], 0xD2511F53);
      const Wide p1 = product(c2[h], 0xCD9E8D57);
      c0[h] = (p1 >> 32) ^ c1[h] ^ k0;
      c1[h] = p1;
      c2[h] = (p0 >> 32) ^ c3[h] ^ k1;
      c3[h] = p0;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const Wide* words[] = {c0, c1, c2, c3};
  for (int w = 0; w < 4; ++w)
    store_masks(words[w][0], words[w][1], dropout, out + w * 32);
}

void dropout_mask(const Dropout& dropout, Index block, Index n, Real* out) {
  for (Index i = 0; i < n; i += dropout_block)
    dropout_mask(dropout, block + i / dropout_block, out + i);
}

namespace {

/// out = or += f(mask, in...), a block at a time, so that the mask stays in cache.
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
  masked(
      n, d, y, mode, [](Vec mask, Vec a) { return mask * a; }, x);
}

void add_dropout(Index n, const Dropout& d, const Real* x, const Real* branch, Real* y) {
  if (!d.active())
    return transform(
        n, y, Mode::assign, 1, [](Vec a, Vec b) { return a + b; }, x, branch);
  masked(
      n, d, y, Mode::assign, [](Vec mask, Vec a, Vec b) { return a + mask * b; }, x, branch);
}

void relu_dropout(Index n, const Dropout& d, const Real* x, Real* y) {
  if (!d.active())
    return transform(
        n, y, Mode::assign, 1, [](Vec a) { return max(a, Vec(0)); }, x);
  masked(
      n, d, y, Mode::assign, [](Vec mask, Vec a) { return mask * max(a, Vec(0)); }, x);
}

void relu_dropout_backward(Index n, const Dropout& d, const Real* y, const Real* dy, Real* dx,
                           Mode mode) {
  const Vec scale = d.scale;  // of the mask where y > 0: it was not zero
  transform(
      n, dx, mode, 1,
      [scale](Vec a, Vec da) { return select(less(Vec(0), a), scale * da, Vec(0)); }, y, dy);
}

}  // namespace heed::kernels
