#pragma once

// For the .cpp files of attention only: from the products of queries and keys to scores and
// weights. The loops run over whole vectors of padded rows.

#include <algorithm>

#include "framework/kernels/attention_tiles.h"
#include "framework/kernels/vector_loops.h"

namespace heed::kernels::tiles {

alignas(64) inline constexpr struct Lanes {
  Real value[Vec::width];
  constexpr Lanes() : value() {
    for (Index i = 0; i < Vec::width; ++i)
      value[i] = static_cast<Real>(i);
  }
} lane_numbers;

/// s[j] -= slope |distance - j|
inline void subtract_slope(Real* s, Index width, Real slope, Real distance) {
  for (Index j = 0; j < width; j += Vec::width)
    (Vec::load(s + j) -
     Vec(slope) * abs(Vec(distance - static_cast<Real>(j)) - Vec::load(lane_numbers.value)))
        .store(s + j);
}

/// Applies to a row of scores what neither q nor k say of them: slopes, and -infinity before the
/// window.
[[gnu::noinline]] inline Index slope_and_hide(const AttentionShape& shape, const Task& t, Index i,
                                              Index begin, Index columns, Real* s) {
  const Visible seen = t.visible(shape, i);
  const Index count = std::clamp<Index>(seen.end - begin, 0, columns);
  const Index hidden = std::clamp<Index>(seen.begin - begin, 0, count);
  if (count == hidden) return 0;
  if (shape.slopes)
    subtract_slope(s, padded(count), shape.slopes[t.head],
                   static_cast<Real>(i + t.keys - t.queries - begin));
  std::fill_n(s, hidden, -infinity);
  return count;
}

/// Turns the products of query r of the tile into scores. Returns how many of them may count, 0
/// where the query sees none.
[[gnu::always_inline]] inline Index finish_scores(const ScoreTile& tile, Index r, Real* s) {
  const AttentionShape& shape = tile.queries.shape;
  const Task& t = tile.task();
  const Index i = tile.queries.begin + r;
  if (shape.window > 0 || shape.slopes)
    return slope_and_hide(shape, t, i, tile.begin, tile.count, s);
  if (!shape.causal) return tile.count;
  return std::clamp<Index>(i + 1 + t.keys - t.queries - tile.begin, 0, tile.count);
}

/// s[j] for j < count becomes exp(s[j] - top); beyond it, up to the padded width, zero. Returns the
/// sum, in lanes.
inline Vec exponentials(Real* s, Index count, Index width, Vec top) {
  Vec total = Real{0};
  Index j = 0;
  for (; j + Vec::width <= count; j += Vec::width) {
    const Vec e = exp(Vec::load(s + j) - top);
    e.store(s + j);
    total = total + e;
  }
  if (j < count) {
    const Vec e = select(less(Vec::load(lane_numbers.value), Vec(static_cast<Real>(count - j))),
                         exp(Vec::load(s + j) - top), Vec(Real{0}));
    e.store(s + j);
    total = total + e;
    j += Vec::width;
  }
  for (; j < width; j += Vec::width)
    Vec(Real{0}).store(s + j);
  return total;
}

inline Real top_of(const Real* s, Index count) {
  Vec top = -infinity;
  Index j = 0;
  for (; j + Vec::width <= count; j += Vec::width)
    top = max(top, Vec::load(s + j));
  Real best = max(top);
  for (; j < count; ++j)
    best = std::max(best, s[j]);
  return best;
}

/// s *= mask
inline void multiply(Index n, const Real* mask, Real* s) {
  for (Index j = 0; j < n; j += Vec::width)
    (Vec::load(mask + j) * Vec::load(s + j)).store(s + j);
}

/// s *= factor
inline void scale(Index n, Vec factor, Real* s) {
  for (Index j = 0; j < n; j += Vec::width)
    (factor * Vec::load(s + j)).store(s + j);
}

}  // namespace heed::kernels::tiles
