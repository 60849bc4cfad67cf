#include "framework/kernels/attend_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/kernels/parallel.h"
#include "framework/kernels/simd.h"

namespace heed::kernels {

namespace {

constexpr Index chunk = 64;      // keys whose scores are held at once
constexpr Index most_heads = 8;  // of a row, that go through its keys together
constexpr Index ahead = 3;       // keys
// rows: of so few, each head is an item of its own, to keep the threads busy
constexpr Index few = 16;
static_assert(chunk % Vec::width == 0);

Vec load(const Real* from, Index count) {
  return count >= Vec::width ? Vec::load(from) : Vec::load(from, count);
}

Real dot(Index n, const Real* a, const Real* b) {
  Vec total = Real{0};
  for (Index j = 0; j < n; j += Vec::width)
    total = multiply_add(load(a + j, n - j), load(b + j, n - j), total);
  return sum(total);
}

/// out += sum_j s_j rows[j][column ..] over `vectors` vectors of columns, the last of which may be
/// short.
template <int vectors>
void add_values(Index count, const Real* s, const Real* const* rows, Index column, Index width,
                Real* out) {
  Vec sums[vectors];
  for (int c = 0; c < vectors; ++c)
    sums[c] = load(out + c * Vec::width, width - c * Vec::width);
  for (Index j = 0; j < count; ++j)
    for (int c = 0; c < vectors; ++c)
      sums[c] = multiply_add(
          Vec(s[j]), load(rows[j] + column + c * Vec::width, width - c * Vec::width), sums[c]);
  for (int c = 0; c < vectors; ++c) {
    if (const Index left = width - c * Vec::width; left >= Vec::width)
      sums[c].store(out + c * Vec::width);
    else
      sums[c].store(out + c * Vec::width, left);
  }
}

void prefetch(const Real* from, Index count) {
  for (Index c = 0; c < count; c += Index{64 / sizeof(Real)})
    __builtin_prefetch(from + c);
}

/// Some neighbouring heads of one row, whose keys lie side by side. Chunk by chunk, what stands in
/// `out` rescaled where a chunk has a larger score (docs/kernels.md). Rows of keys are asked for
/// ahead of their use: they lie anywhere, and no processor guesses where.
void attend_heads(Index heads, Index width, Real scale, const Real* q, const Real* kv, Index stride,
                  Index values, const KeyList& keys, Real* out) {
  alignas(64) Real scores[most_heads][chunk];
  Real top[most_heads];
  Real total[most_heads] = {};
  const Real* rows[chunk];
  std::fill_n(out, heads * width, Real{0});
  std::fill_n(top, heads, -std::numeric_limits<Real>::infinity());
  const auto key = [&](Index j) {
    return kv + (keys.rows ? keys.rows[j] : keys.begin + j) * stride;
  };
  for (Index begin = 0; begin < keys.count; begin += chunk) {
    const Index count = std::min(chunk, keys.count - begin);

    const Index whole = (count + Vec::width - 1) / Vec::width * Vec::width;
    for (Index j = 0; j < count; ++j) {
      rows[j] = key(begin + j);
      if (begin + j + ahead < keys.count) prefetch(key(begin + j + ahead), heads * width);
      prefetch(rows[j] + values, heads * width);
      for (Index h = 0; h < heads; ++h)
        scores[h][j] = scale * dot(width, q + h * width, rows[j] + h * width);
    }
    for (Index h = 0; h < heads; ++h) {
      Real* s = scores[h];
      Real* y = out + h * width;
      Real best = top[h];
      for (Index j = 0; j < count; ++j)
        best = std::max(best, s[j]);
      std::fill(s + count, s + whole, -std::numeric_limits<Real>::infinity());
      if (begin > 0 && best > top[h]) {
        const Real factor = std::exp(top[h] - best);
        total[h] *= factor;
        for (Index c = 0; c < width; ++c)
          y[c] *= factor;
      }
      top[h] = best;
      Vec sums = Real{0};
      for (Index j = 0; j < whole; j += Vec::width) {
        const Vec e = exp(Vec::load(s + j) - Vec(best));
        e.store(s + j);
        sums = sums + e;
      }
      total[h] += sum(sums);
      Index c = 0;
      for (; c + 4 * Vec::width <= width; c += 4 * Vec::width)
        add_values<4>(count, s, rows, values + h * width + c, 4 * Vec::width, y + c);
      for (; c < width; c += Vec::width)
        add_values<1>(count, s, rows, values + h * width + c, width - c, y + c);
    }
  }
  if (keys.count > 0)
    for (Index h = 0; h < heads; ++h)
      for (Index c = 0; c < width; ++c)
        out[h * width + c] /= total[h];
}

}  // namespace

void attend_rows(Index rows, Index heads, Index width, Real scale, const Real* q, Index q_stride,
                 const Real* kv, const KeyList* keys, Real* y, bool serial) {
  const Index d = heads * width;
  Index seen = 0;
  for (Index r = 0; r < rows; ++r)
    seen += keys[r].count;
  const Index together = serial || rows > few ? std::min(heads, most_heads) : 1;

  const Index groups = (heads + together - 1) / together;
  const Index items = rows * groups;
  const Index cost = rows > 0 ? 4 * together * width * (seen / rows + 1) : 1;
  parallel_for(items, serial ? std::max<Index>(items, 1) : grain_of(cost),
               [=](Index begin, Index end) {
                 for (Index i = begin; i < end; ++i) {
                   const Index r = i / groups;
                   const Index first = i % groups * together;
                   const Index h = first * width;
                   attend_heads(std::min(together, heads - first), width, scale,
                                q + r * q_stride + h, kv + h, 2 * d, d, keys[r], y + r * d + h);
                 }
               });
}

}  // namespace heed::kernels
