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

// g++ 12 gives false warnings for intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

// This code is compiled for these instructions whatever the rest of Heed is compiled for. It runs
// only after onednn::obstacle() has asked the processor.
#define HEED_BF16_CODE __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

namespace heed::kernels {

namespace {

using Half = std::uint16_t;

// Rows of b that a primitive takes. Where b has more, several results are added up, and a primitive
// that takes fewer does the rest.
constexpr Index deep = 512;
// a tile of conversion: 16 lines of 16 pairs of numbers
constexpr Index tile_lines = 16;
constexpr Index tile_pairs = 16;
constexpr Index round_up(Index n, Index to) { return (n + to - 1) / to * to; }

/// How many rows of b the last primitive takes: one of few sizes, since each is compiled.
constexpr Index last_depth(Index k) { return k <= 32 ? 32 : round_up(k, 64); }

/// A mask of the first `count` of 16 lanes.
HEED_BF16_CODE inline __mmask16 first(Index count) {
  if (count >= 16) return 0xffff;
  if (count <= 0) return 0;
  return static_cast<__mmask16>((1 << count) - 1);
}

/// 32 neighbours as 16 pairs. The first `count` of them exist; the others are zeros.
HEED_BF16_CODE inline __m512i along(const float* from, Index count) {
  const __m512 low = _mm512_maskz_loadu_ps(first(count), from);
  const __m512 high = _mm512_maskz_loadu_ps(first(count - 16), count > 16 ? from + 16 : from);
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

/// 16 neighbours of one row, each paired with the number below it in the next row, `stride` on. Of
/// the rows `rows` exist, and `count` of the neighbours; the others are zeros.
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

/// Transposes 16 lines of 16 pairs.
HEED_BF16_CODE inline void transpose_pairs(__m512i (&r)[16]) {
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

/// Converts a tile of x (lines, depth), as much of it as there is from its start: line i, its 16
/// pairs, goes to out + i `apart`; or, `by_pairs`, pair p of the 16 lines to out + p `apart`.
template <bool by_pairs>
HEED_BF16_CODE inline void convert_tile(const ConstMatrix& x, Half* out, Index apart) {
  const float* const data = x.data;
  const Index row = x.row_stride;
  const Index step = x.column_stride;
  __m512i r[16];
  if (step == 1) {
#pragma GCC unroll 16
    for (Index i = 0; i < 16; ++i)
      r[i] = i < x.rows ? along(data + i * row, x.columns) : _mm512_setzero_si512();
  } else {
#pragma GCC unroll 16
    for (Index p = 0; p < 16; ++p)
      r[p] = 2 * p < x.columns ? across(data + 2 * p * step, step, x.rows, x.columns - 2 * p)
                               : _mm512_setzero_si512();
  }
  if ((step == 1) == by_pairs) transpose_pairs(r);
#pragma GCC unroll 16
  for (Index i = 0; i < 16; ++i)
    _mm512_storeu_si512(out + i * apart, r[i]);
}

/// The part of x from element (i, p) on; nothing where that lies beyond x.
HEED_BF16_CODE inline ConstMatrix from(const ConstMatrix& x, Index i, Index p) {
  return x.block(i, p, x.rows - i, x.columns - p);
}

/// out (lines rounded up to 16, wide) = x (lines, k), zeros beyond x
HEED_BF16_CODE void convert_lines(const ConstMatrix& x, Half* out, Index wide) {
  for (Index i = 0; i < x.rows; i += tile_lines)
    for (Index p = 0; p < wide; p += 2 * tile_pairs)
      convert_tile<false>(from(x, i, p), out + i * wide + p, wide);
}

/// 64 columns of b (k, columns) as oneDNN wants them, `wide` rows deep, zeros beyond b
HEED_BF16_CODE void convert_panel(const ConstMatrix& b, Half* out, Index wide) {
  const ConstMatrix lines = transposed(b);
  for (Index p = 0; p < wide; p += onednn::block_rows)
    for (Index j = 0; j < onednn::panel_columns; j += tile_lines) {
      ConstMatrix tile = from(lines, j, p);
      // A pointer stays within b even where nothing is read through it.
      tile.data = lines.at(j < b.columns ? j : 0, p < b.rows ? p : 0);
      convert_tile<true>(tile, out + p * onednn::panel_columns + 2 * j, 2 * onednn::panel_columns);
    }
}

/// How many rows of c are one task. Where there are few rows it is fewer, so that there are tasks
/// to share.
constexpr Index rows_of_task(Index m) { return m >= 512 ? 64 : 32; }

/// b (k, n) in bfloat16, in the layout of onednn.h, cut along k into chunks of `deep` rows.
class Bf16Right {
 public:
  explicit Bf16Right(const ConstMatrix& b)
      : panels_((b.columns + onednn::panel_columns - 1) / onednn::panel_columns),
        chunks_((b.rows + deep - 1) / deep),
        depth_((chunks_ - 1) * deep + last_depth(b.rows - (chunks_ - 1) * deep)),
        numbers_(columns() * depth_ / 2) {
    parallel_for(chunks_ * panels_,
                 std::max<Index>(1, grain_of(widest() * onednn::panel_columns / 2)),
                 [&](Index begin, Index end) {
                   for (Index task = begin; task < end; ++task) {
                     const Index number = task / panels_;
                     const Index j = task % panels_ * onednn::panel_columns;
                     convert_panel(from(b, number * deep, j), chunk(number) + j * rows(number),
                                   rows(number));
                   }
                 });
  }
  Index chunks() const { return chunks_; }
  /// Rows of a chunk, rounded up, and of the largest one.
  Index rows(Index chunk) const { return std::min(deep, depth_ - chunk * deep); }
  Index widest() const { return std::min(deep, depth_); }
  Half* chunk(Index i) const {
    return reinterpret_cast<Half*>(numbers_.data()) + i * deep * columns();
  }

 private:
  Index columns() const { return panels_ * onednn::panel_columns; }

  Index panels_;
  Index chunks_;
  Index depth_;
  Scratch numbers_;
};

/// c (rows, n) = or += round(a) b + bias for a (rows, k), a task's rows. `lines` has room for the
/// rows, rounded up, of a chunk.
void multiply_rows(const ConstMatrix& a, const Bf16Right& b, const Real* bias, const Matrix& c,
                   Mode mode, Half* lines) {
  const Index rows = c.rows;
  const Index n = c.columns;
  const Index whole = round_up(rows, tile_lines);
  if (bias)
    for (Index r = 0; r < rows; ++r)
      std::copy_n(bias, n, c.row(r));
  // The rows that round up have no place in c.
  const Scratch more(whole == rows ? 0 : whole * n);
  Real* const out = whole == rows ? c.data : more.data();
  const bool add = bias || mode == Mode::accumulate;
  if (whole != rows && add) {
    std::copy_n(c.data, rows * n, out);
    std::fill_n(out + rows * n, (whole - rows) * n, Real{0});
  }
  for (Index chunk = 0; chunk < b.chunks(); ++chunk) {
    const Index wide = b.rows(chunk);
    convert_lines(from(a, 0, chunk * deep), lines, wide);
    onednn::product(whole, n, wide, lines, b.chunk(chunk), out,
                    chunk == 0 && !add ? Mode::assign : Mode::accumulate);
  }
  if (whole != rows) std::copy_n(out, rows * n, c.data);
}

}  // namespace

bool bf16_is_worth(Index m, Index n, Index k, Index ldc) {
  return ldc == n && m >= 16 && n >= 16 && k >= 32 && m * n * k >= Index{1} << 18;
}

void bf16_gemm(const ConstMatrix& a, const ConstMatrix& b, const Real* bias, const Matrix& c,
               Mode mode) {
  const Index m = c.rows;
  const Bf16Right right(b);
  const Index task_rows = rows_of_task(m);
  parallel_for((m + task_rows - 1) / task_rows, 1, [&](Index begin, Index end) {
    const Scratch lines(task_rows * right.widest() / 2);
    for (Index task = begin; task < end; ++task) {
      const Index i = task * task_rows;
      const Index rows = std::min(task_rows, m - i);
      multiply_rows(a.block(i, 0, rows, a.columns), right, bias, c.block(i, 0, rows, c.columns),
                    mode, reinterpret_cast<Half*>(lines.data()));
    }
  });
}

}  // namespace heed::kernels

#else

namespace heed::kernels {

bool bf16_is_worth(Index, Index, Index, Index) { return false; }
void bf16_gemm(const ConstMatrix&, const ConstMatrix&, const Real*, const Matrix&, Mode) {}

}  // namespace heed::kernels

#endif
