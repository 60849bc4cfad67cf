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

/// s = cap tanh(s / cap). `derivatives`, where not null, become those of it.
inline void cap_scores(Index width, Real cap, Real* s, Real* derivatives) {
  for (Index j = 0; j < width; j += Vec::width) {
    const Vec y = tanh(Vec::load(s + j) / Vec(cap));
    (Vec(cap) * y).store(s + j);
    if (derivatives) (Vec(1) - y * y).store(derivatives + j);
  }
}

/// Where the numbers of query i and the keys from j on lie in each kind of bias.
struct BiasPlaces {
  Index pairs;
  Index shared;
  Index keys;

  BiasPlaces(const AttentionShape& shape, const Task& t, Index i, Index j)
      : pairs(0),
        shared(((shape.bias.shared_heads > 1 ? t.head : 0) * shape.longest_query + i) *
                   shape.longest_key +
               j),
        keys(t.key_begin + j) {
    if (shape.bias.pairs)
      pairs = shape.bias.pair_begins[t.number / t.heads] + (t.head * t.queries + i) * t.keys + j;
  }
};

/// s += bias. -infinity hides the key, even where s is no number.
inline void add_bias(Index n, const Real* bias, Real* s) {
  const Vec hidden = -infinity;
  for_each_vector(n, [=](auto lanes) {
    const Vec b = lanes.load(bias);
    lanes.store(select(equal(b, hidden), hidden, lanes.load(s) + b), s);
  });
}
/// Caps the first `count` scores of query r of a tile, and adds the biases.
[[gnu::noinline]] inline void cap_and_bias(const ScoreTile& tile, Index r, Index count, Real* s,
                                           Real* cap_derivatives) {
  const AttentionShape& shape = tile.queries.shape;
  if (shape.softcap > 0) cap_scores(padded(count), shape.softcap, s, cap_derivatives);
  const ScoreBias& bias = shape.bias;
  if (!bias.given()) return;
  const BiasPlaces at(shape, tile.task(), tile.queries.begin + r, tile.begin);
  if (bias.pairs) add_bias(count, bias.pairs + at.pairs, s);
  if (bias.shared) add_bias(count, bias.shared + at.shared, s);
  if (bias.keys) add_bias(count, bias.keys + at.keys, s);
}

/// Applies to a row of scores what queries and keys do not say of them: the cap, biases, slopes,
/// and -infinity between the sinks and the window. See finish_scores.
[[gnu::noinline]] inline Index adjust_scores(const ScoreTile& tile, Index r, Real* s,
                                             Real* cap_derivatives) {
  const AttentionShape& shape = tile.queries.shape;
  const Task& t = tile.task();
  const Index i = tile.queries.begin + r;
  const Visible seen = t.visible(shape, i);
  Index count = std::clamp<Index>(seen.end - tile.begin, 0, tile.count);
  const Index sinks = std::clamp<Index>(seen.sinks - tile.begin, 0, count);
  const Index hidden = std::clamp<Index>(seen.begin - tile.begin, 0, count);
  if (hidden == count) count = sinks;
  if (count == 0) return 0;
  if (tile.queries.caps_or_biases) cap_and_bias(tile, r, count, s, cap_derivatives);
  if (shape.slopes)
    subtract_slope(s, padded(count), shape.slopes[t.head],
                   static_cast<Real>(i + t.keys - t.queries - tile.begin));
  if (sinks < hidden && hidden < count) std::fill(s + sinks, s + hidden, -infinity);
  return count;
}

/// Turns the products of query r of the tile into scores. Returns how many of them may count, 0
/// where the query sees none. `cap_derivatives`, where not null, become those of the scores by
/// their products, where there is a cap.
[[gnu::always_inline]] inline Index finish_scores(const ScoreTile& tile, Index r, Real* s,
                                                  Real* cap_derivatives = nullptr) {
  const AttentionShape& shape = tile.queries.shape;
  if (tile.queries.adjusts) return adjust_scores(tile, r, s, cap_derivatives);
  if (!shape.causal) return tile.count;
  const Task& t = tile.task();
  return std::clamp<Index>(tile.queries.begin + r + 1 + t.keys - t.queries - tile.begin, 0,
                           tile.count);
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
