#include "framework/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "framework/kernels/attention_products.h"
#include "framework/kernels/attention_scores.h"
#include "framework/kernels/multiply_adds.h"

namespace heed::kernels::tiles {

namespace {

/// Scratch memory of forward.
struct ForwardSpace {
  Real* queries;  // (query tile, padded width)
  Real* keys;     // panels (width, 64)
  Real* values;   // (keys, padded value width)
  Real* out;      // (query tile, padded value width)
  Real* scores;   // a tile
  Real* mask;     // a tile

  ForwardSpace(const Task& t, Real* work) {
    const auto take = [&](Index n) { return std::exchange(work, work + n); };
    queries = take(query_tile * t.padded_width);
    keys = take(t.width * panel * panels(t.keys));
    values = take(t.padded_keys * t.padded_value_width);
    out = take(query_tile * t.padded_value_width);
    scores = take(tile_numbers);
    mask = take(tile_numbers);
  }
};

/// The softmax of a tile of queries, as far as their keys have been seen.
struct RunningSoftmax {
  Real tops[query_tile];  // the largest scores
  Real sums[query_tile];  // of exp(score - top)

  explicit RunningSoftmax(Index rows) {
    std::fill_n(tops, rows, -infinity);
    std::fill_n(sums, rows, Real{0});
  }
};

/// Turns a tile of products into exp(score - top), dropped out. Where a row has a new top, its sum
/// and its row of `out` are rescaled, unless the tile is the first.
void softmax_tile(const ScoreTile& tile, bool first_tile, const ForwardSpace& w,
                  RunningSoftmax& softmax) {
  const Task& t = tile.task();
  const Index d = t.padded_value_width;
  const Index wide = padded(tile.count);
  const bool drops = tile.queries.shape.dropout.active();
  const Index mask_ld = mask_tile_stride(t);
  if (drops) mask_tile(tile, w.mask);
  for (Index i = 0; i < tile.rows(); ++i) {
    Real* s = w.scores + i * tile.stride;
    const Index count = finish_scores(tile, i, s);
    if (count == 0) {
      std::fill_n(s, wide, Real{0});
      continue;
    }
    const Real top = std::max(softmax.tops[i], top_of(s, count));
    if (top == -infinity) {  // all hidden by the scores themselves
      std::fill_n(s, wide, Real{0});
      continue;
    }
    const Real shrink = first_tile ? 0 : std::exp(softmax.tops[i] - top);
    softmax.sums[i] = softmax.sums[i] * shrink + sum(exponentials(s, count, wide, top));
    if (!first_tile && shrink != 1) scale(d, shrink, w.out + i * d);
    softmax.tops[i] = top;
    if (drops) multiply(wide, w.mask + i * mask_ld + tile.skipped, s);
  }
}

/// w.out = the unnormalised results of a tile of queries. `by_element`: not by products of whole
/// tiles (see for_seen).
void attend(const QueryTile& q, bool by_element, const ForwardSpace& w, RunningSoftmax& softmax) {
  const Index d = q.t.padded_value_width;
  std::fill_n(w.out, q.rows * d, Real{0});
  bool first_tile = true;
  for_score_tiles(q, [&](const ScoreTile& tile) {
    key_products(tile, q.t.width, w.queries, w.keys, w.scores);
    softmax_tile(tile, std::exchange(first_tile, false), w, softmax);
    if (by_element) {
      for_seen(tile, w.scores, [&](Index i, Index key, Real weight) {
        add_scaled_row(d, weight, w.values + key * d, w.out + i * d);
      });
    } else {
      query_sums(tile, d, w.scores, w.values, w.out);
    }
  });
}

/// Writes the weights of a tile of queries, without dropout, to `weights` (heads, queries, keys).
void store_weights(const QueryTile& q, const ForwardSpace& w, const Real* log_sums, Real* weights) {
  const Task& t = q.t;
  for (Index j0 = 0; j0 < t.keys; j0 += key_tile) {
    const ScoreTile tile = ScoreTile::whole(q, j0);
    key_products(tile, t.width, w.queries, w.keys, w.scores);
    for (Index i = 0; i < q.rows; ++i) {
      Real* s = w.scores + i * tile.stride;
      const Index count = finish_scores(tile, i, s);
      exponentials(s, count, padded(tile.count), log_sums[t.sum_index(q.begin + i)]);
      std::copy_n(s, tile.count, weights + (t.head * t.queries + q.begin + i) * t.keys + j0);
    }
  }
}

/// The keys in panels, rotated where that is asked for. The tile of queries is scratch memory.
void copy_keys(const AttentionShape& shape, const Task& t, const ConstMatrix& keys,
               const ForwardSpace& w) {
  if (!shape.rotation.cosines) {
    copy_to_panels(keys, w.keys);
    return;
  }
  static_assert(query_tile == panel);
  for (Index j = 0; j < t.keys; j += panel) {
    const ConstMatrix rows = keys.block(j, 0, std::min(panel, t.keys - j), t.width);
    copy_to_tile(rows, 1, w.queries);
    rotate_tile(t, shape.rotation, j, rows.rows, false, w.queries);
    copy_to_panels({w.queries, rows.rows, t.width, t.padded_width}, w.keys + j * t.width);
  }
}

void forward(const AttentionShape& shape, const Task& t, const AttentionInputs& in,
             const OutputRows& y, Real* log_sums, Real* weights, Real* work) {
  const ForwardSpace w(t, work);
  copy_keys(shape, t, t.key_rows(in.k, t.width), w);
  copy_to_tile(t.key_rows(in.v, t.value_width), 1, w.values);
  const bool by_element =
      shape.hides() && !all_finite(dense<const Real>(w.values, t.keys, t.padded_value_width));
  for (Index i0 = 0; i0 < t.queries; i0 += query_tile) {
    const QueryTile q(shape, t, i0);
    copy_queries(q, in.q, w.queries);
    RunningSoftmax softmax(q.rows);
    attend(q, by_element, w, softmax);
    const Real* const sums = softmax.sums;
    copy_from_tile(
        w.out, q.rows, t.value_width, [=](Index i) { return sums[i] > 0 ? 1 / sums[i] : Real{0}; },
        t.query_rows(y, i0, t.value_width));
    // Of a row that sees nothing: exp(s - infinity) is zero in backward too.
    for (Index i = 0; i < q.rows; ++i)
      log_sums[t.sum_index(i0 + i)] = sums[i] > 0 ? softmax.tops[i] + std::log(sums[i]) : infinity;
    if (weights) store_weights(q, w, log_sums, weights);
  }
}

}  // namespace

}  // namespace heed::kernels::tiles

namespace heed::kernels {

Index attention_workspace(const AttentionShape& s) {
  const Index d = padded(s.width);
  const Index value_d = padded(s.value_width);
  const Index keys = padded(s.longest_key);
  return tiles::query_tile * (d + value_d) + s.width * tiles::panel * tiles::panels(keys) +
         keys * value_d + 2 * tiles::tile_numbers;
}

void count_products(const AttentionShape& shape, Index number) {
  Index pairs = 0;
  for (Index b = 0; b < shape.sequences; ++b) {
    const Index queries = shape.query_lengths[b];
    for (Index i = 0; i < queries; ++i) {
      const Visible seen(shape.causal, shape.window, queries, shape.key_lengths[b], i, shape.sinks);
      pairs += seen.sinks + seen.end - seen.begin;
    }
  }
  multiply_adds() += pairs * shape.heads * number;
}

void attention(const AttentionShape& shape, const AttentionInputs& in, const OutputRows& y,
               Real* log_sums, Real* const* weights, Real* workspace) {
  count_products(shape, shape.width + shape.value_width);
  const Index numbers = padded(attention_workspace(shape));
  parallel_for_workers(shape.sequences * shape.heads, tiles::tasks_grain(shape, 1),
                       [&](Index begin, Index end, int worker) {
                         for (Index i = begin; i < end; ++i)
                           tiles::forward(shape,
                                          tiles::Task(shape, i / shape.heads, i % shape.heads), in,
                                          y, log_sums, weights ? weights[i / shape.heads] : nullptr,
                                          workspace + worker * numbers);
                       });
}

}  // namespace heed::kernels
