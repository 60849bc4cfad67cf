#include "framework/kernels/bf16.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "framework/kernels/onednn.h"
#include "framework/kernels/parallel.h"
#include "framework/kernels/scratch.h"

namespace heed::kernels {

namespace {

std::atomic<bool> in_use = false;

}  // namespace

void use_bf16(bool on) { in_use = on; }
bool uses_bf16() { return in_use.load(std::memory_order_acquire); }

}  // namespace heed::kernels

#if defined(__x86_64__) && !defined(HEED_DOUBLE)

#pragma GCC diagnostic ignored \
    "-Wuninitialized"  // g++ 12 gives false ones for intrinsics (GCC bug 105593)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

// Compiled for these instructions whatever the rest of Heed is compiled for: onednn::obstacle() has
// asked the processor.
#define HEED_BF16_CODE __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

namespace heed::kernels {

namespace {

using Half = std::uint16_t;

// rows of b a primitive takes: more are added up, and one that takes fewer does the rest
constexpr Index deep = 512;
// a tile of conversion: 16 lines of 16 pairs
constexpr Index side = 16;
constexpr Index pairs = 16;
constexpr Index round_up(Index n, Index to) { return (n + to - 1) / to * to; }

/// How many rows of b the last primitive takes: from few sizes, since each is compiled.
constexpr Index depth(Index k) { return k <= 32 ? 32 : round_up(k, 64); }

HEED_BF16_CODE inline __mmask16 first(Index count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
}

/// 32 neighbours, `count` of them there: 16 pairs.
HEED_BF16_CODE inline __m512i along(const float* from, Index count) {
  const __m512 low = _mm512_maskz_loadu_ps(first(count), from);

  const __m512 high = _mm512_maskz_loadu_ps(first(count - 16), count > 16 ? from + 16 : from);
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

/// 16 neighbours of one row paired with those of the next, `stride` on, if that is there.
HEED_BF16_CODE inline __m512i across(const float* from, Index stride, Index count, Index rows) {
  const __m512 low = _mm512_maskz_loadu_ps(rows > 0 ? first(count) : 0, from);

  const __m512 high =
      _mm512_maskz_loadu_ps(rows > 1 ? first(count) : 0, rows > 1 ? from + stride : from);
  const __m512i interleaved =
      _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                       21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(interleaved,
                                  reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
}

/// Turns 16 lines of 16 pairs.
HEED_BF16_CODE inline void turn(__m512i (&r)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // r[4 g + c] holds of lines 4 g to 4 g + 3 the columns c, c + 4, c + 8, c + 12
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i a = _mm512_shuffle_i32x4(r[c], r[4 + c], 0x44);

    const __m512i b = _mm512_shuffle_i32x4(r[c], r[4 + c], 0xee);
    const __m512i d = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0x44);

    const __m512i e = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0xee);
    t[c] = _mm512_shuffle_i32x4(a, d, 0x88);
    t[4 + c] = _mm512_shuffle_i32x4(a, d, 0xdd);
    t[8 + c] = _mm512_shuffle_i32x4(b, e, 0x88);
    t[12 + c] = _mm512_shuffle_i32x4(b, e, 0xdd);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i)
    r[i] = t[i];
}

/// A tile of an operand x (lines, depth) with x[i, p] at x + i row + p step, in which `lines` and
/// `there` are left: line i, its 16 pairs, to out + i `apart`; or, `by_pairs`, pair p of the 16
/// lines there.
template <bool by_pairs>
HEED_BF16_CODE inline void convert_tile(const float* x, Index row, Index step, Index lines,
                                        Index there, Half* out, Index apart) {
  __m512i r[16];
  if (step == 1) {
#pragma GCC unroll 16
    for (Index i = 0; i < 16; ++i)
      r[i] = i < lines ? along(x + i * row, there) : _mm512_setzero_si512();
  } else {
#pragma GCC unroll 16
    for (Index p = 0; p < 16; ++p)
      r[p] = 2 * p < there ? across(x + 2 * p * step, step, lines, there - 2 * p)
                           : _mm512_setzero_si512();
  }
  if ((step == 1) == by_pairs) turn(r);
#pragma GCC unroll 16
  for (Index i = 0; i < 16; ++i)
    _mm512_storeu_si512(out + i * apart, r[i]);
}

/// x (lines, k), lines rounded up to 16 and k to `wide`, zeros there
HEED_BF16_CODE void convert_lines(const float* x, Index row, Index step, Index lines, Index k,
                                  Half* out, Index wide) {
  for (Index i = 0; i < lines; i += side)
    for (Index p = 0; p < wide; p += 2 * pairs)
      convert_tile<false>(x + i * row + p * step, row, step, lines - i, k - p, out + i * wide + p,
                          wide);
}

/// 64 columns of b as oneDNN wants them
HEED_BF16_CODE void convert_panel(const float* b, Index b_row, Index b_column, Index columns,
                                  Index k, Half* out, Index wide) {
  for (Index p = 0; p < wide; p += onednn::block_rows)
    for (Index j = 0; j < onednn::panel_columns; j += side)
      convert_tile<true>(b + (j < columns ? j : 0) * b_column + (p < k ? p : 0) * b_row, b_column,
                         b_row, columns - j, k - p, out + p * onednn::panel_columns + 2 * j,
                         2 * onednn::panel_columns);
}

/// How many rows of c are one task: fewer where there are few, so that there are tasks to share.
constexpr Index height(Index m) { return m >= 512 ? 64 : 32; }

}  // namespace

bool bf16_is_worth(Index m, Index n, Index k, Index ldc) {
  return ldc == n && m >= 16 && n >= 16 && k >= 32 && m * n * k >= Index{1} << 18;
}

void bf16_gemm(Index m, Index n, Index k, const Real* a, Index row, Index step, const Real* b,
               Index b_row, Index b_column, const Real* bias, Real* c, Mode mode) {
  const Index panels = (n + onednn::panel_columns - 1) / onednn::panel_columns;

  const Index columns = panels * onednn::panel_columns;
  const Index chunks = (k + deep - 1) / deep;

  const Index stored = (chunks - 1) * deep + depth(k - (chunks - 1) * deep);
  const auto wide = [=](Index chunk) { return std::min(deep, stored - chunk * deep); };
  const Scratch packed(columns * stored / 2);
  Half* const right = reinterpret_cast<Half*>(packed.data());
  parallel_for(chunks * panels,
               std::max<Index>(1, grain_of(std::min(deep, stored) * onednn::panel_columns / 2)),
               [=](Index begin, Index end) {
                 for (Index task = begin; task < end; ++task) {
                   const Index chunk = task / panels;
                   const Index j = task % panels * onednn::panel_columns;

                   const Index p = chunk * deep;
                   convert_panel(b + p * b_row + j * b_column, b_row, b_column, n - j, k - p,
                                 right + p * columns + j * wide(chunk), wide(chunk));
                 }
               });
  const Index tall = height(m);
  parallel_for((m + tall - 1) / tall, 1, [=](Index begin, Index end) {
    const Scratch left(tall * std::min(deep, stored) / 2);
    Half* const lines = reinterpret_cast<Half*>(left.data());
    for (Index task = begin; task < end; ++task) {
      const Index i = task * tall;
      const Index rows = std::min(tall, m - i);
      const Index whole = round_up(rows, side);
      if (bias)
        for (Index r = i; r < i + rows; ++r)
          std::copy_n(bias, n, c + r * n);
      // the rows that round up have no place in c
      const Scratch more(whole == rows ? 0 : whole * n);
      Real* const out = whole == rows ? c + i * n : more.data();
      const bool add = bias || mode == Mode::accumulate;
      if (whole != rows && add) {
        std::copy_n(c + i * n, rows * n, out);
        std::fill_n(out + rows * n, (whole - rows) * n, Real{0});
      }
      for (Index chunk = 0; chunk < chunks; ++chunk) {
        const Index p = chunk * deep;
        convert_lines(a + i * row + p * step, row, step, rows, k - p, lines, wide(chunk));
        onednn::product(whole, n, wide(chunk), lines, right + p * columns, out,
                        chunk == 0 && !add ? Mode::assign : Mode::accumulate);
      }
      if (whole != rows) std::copy_n(out, rows * n, c + i * n);
    }
  });
}

}  // namespace heed::kernels

#else

namespace heed::kernels {

bool bf16_is_worth(Index, Index, Index, Index) { return false; }
void bf16_gemm(Index, Index, Index, const Real*, Index, Index, const Real*, Index, Index,
               const Real*, Real*, Mode) {}

}  // namespace heed::kernels

#endif
