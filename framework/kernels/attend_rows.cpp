#include "framework/kernels/attend_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/kernels/parallel.h"
#include "framework/kernels/simd.h"

namespace heed::kernels {

namespace {

constexpr Index chunk = 64;  // keys whose scores are held at once
static_assert(chunk % Vec::width == 0);

Vec load(const Real* from, Index count) { return count >= Vec::width ? Vec::load(from) : Vec::load(from, count); }

Real dot(Index n, const Real* a, const Real* b) {
  Vec total = Real{0};
  for (Index j = 0; j < n; j += Vec::width) total = multiply_add(load(a + j, n - j), load(b + j, n - j), total);
  return sum(total);
}

/// out (+)= sum_j s_j v_j over `vectors` vectors of columns, the last of which may be short.
template <int vectors>
void add_values(Index count, const Real* s, const Real* const* v, Index width, Real* out) {
  Vec sums[vectors];
  for (int c = 0; c < vectors; ++c) sums[c] = load(out + c * Vec::width, width - c * Vec::width);
  for (Index j = 0; j < count; ++j)
    for (int c = 0; c < vectors; ++c) sums[c] = multiply_add(Vec(s[j]), load(v[j] + c * Vec::width, width - c * Vec::width), sums[c]);
  for (int c = 0; c < vectors; ++c) {
    if (const Index left = width - c * Vec::width; left >= Vec::width)
      sums[c].store(out + c * Vec::width);
    else
      sums[c].store(out + c * Vec::width, left);
  }
}

/// One head of one row. Chunk by chunk, what stands in `out` rescaled where a chunk has a larger score (docs/kernels.md).
void attend_head(Index width, Real scale, const Real* q, const Real* kv, Index stride, Index values, const KeyList& keys, Real* out) {
  alignas(64) Real s[chunk];
  const Real* rows[chunk];
  std::fill_n(out, width, Real{0});
  Real top = -std::numeric_limits<Real>::infinity(), total = 0;
  for (Index begin = 0; begin < keys.count; begin += chunk) {
    const Index count = std::min(chunk, keys.count - begin), whole = (count + Vec::width - 1) / Vec::width * Vec::width;
    Real best = top;
    for (Index j = 0; j < count; ++j) {
      rows[j] = kv + (keys.rows ? keys.rows[begin + j] : keys.begin + begin + j) * stride;
      best = std::max(best, s[j] = scale * dot(width, q, rows[j]));
      rows[j] += values;
    }
    std::fill(s + count, s + whole, -std::numeric_limits<Real>::infinity());
    if (begin > 0 && best > top) {
      const Real factor = std::exp(top - best);
      total *= factor;
      for (Index c = 0; c < width; ++c) out[c] *= factor;
    }
    top = best;
    Vec sums = Real{0};
    for (Index j = 0; j < whole; j += Vec::width) {
      const Vec e = exp(Vec::load(s + j) - Vec(top));
      e.store(s + j), sums = sums + e;
    }
    total += sum(sums);
    Index c = 0;
    for (; c + 4 * Vec::width <= width; c += 4 * Vec::width) {
      add_values<4>(count, s, rows, 4 * Vec::width, out + c);
      for (Index j = 0; j < count; ++j) rows[j] += 4 * Vec::width;
    }
    for (; c < width; c += Vec::width) {
      add_values<1>(count, s, rows, width - c, out + c);
      for (Index j = 0; j < count; ++j) rows[j] += Vec::width;
    }
  }
  if (keys.count > 0)
    for (Index c = 0; c < width; ++c) out[c] /= total;
}

}  // namespace

void attend_rows(Index rows, Index heads, Index width, Real scale, const Real* q, Index q_stride, const Real* kv, const KeyList* keys, Real* y,
                 bool serial) {
  const Index d = heads * width;
  Index seen = 0;
  for (Index r = 0; r < rows; ++r) seen += keys[r].count;
  const Index items = rows * heads, cost = rows > 0 ? 4 * width * (seen / rows + 1) : 1;
  parallel_for(items, serial ? std::max<Index>(items, 1) : grain_of(cost), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index r = i / heads, h = i % heads * width;
      attend_head(width, scale, q + r * q_stride + h, kv + h, 2 * d, d, keys[r], y + r * d + h);
    }
  });
}

}  // namespace heed::kernels
