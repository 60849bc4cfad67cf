#pragma once

// For the .cpp files of attention only: products of a tile of scores with rows of queries, keys and
// values.

#include <algorithm>

#include "framework/kernels/attention_tiles.h"
#include "framework/kernels/tile_copy.h"

namespace heed::kernels::tiles {

/// Copies the rows of keys or values, (keys, width), to panels (width, 64).
inline void copy_to_panels(const ConstMatrix& rows, Real* to) {
  for (Index j = 0; j < rows.rows; j += panel)
    copy_transposed_to_tile(rows.block(j, 0, std::min(panel, rows.rows - j), rows.columns),
                            to + j * rows.columns, panel);
}

/// f(begin, rows) on the queries of a tile: on all at once, or on a few at a time where some do not
/// see all of its keys.
template <class F>
void query_groups(const ScoreTile& tile, F f) {
  const Index step = tile.edge ? diagonal_rows : tile.rows();
  for (Index r = 0; r < tile.rows(); r += step)
    f(r, std::min(step, tile.rows() - r));
}

/// out (rows, count) = left right^T: the products of queries (or gradients), left (rows, padded
/// width), and keys (or values), right (panels). What lies beyond the keys that the last query of a
/// group sees is left out.
inline void key_products(const ScoreTile& tile, const Real* left, const Real* right, Real* out) {
  const Task& t = tile.task();
  query_groups(tile, [&](Index r, Index count) {
    const ConstMatrix a{left + r * t.padded_width, count, t.width, t.padded_width};
    const Index end = tile.begin + padded(tile.edge ? tile.seen(r + count - 1) : tile.count);
    for (Index j = tile.begin; j < end;) {
      const Index wide = std::min(end, (j / panel + 1) * panel) - j;
      const Real* const columns = right + j / panel * panel * t.width + j % panel;
      Real* const to = out + r * tile.stride + j - tile.begin;
      tile_product(a, {columns, t.width, wide, panel}, {to, count, wide, tile.stride},
                   Mode::assign);
      j += wide;
    }
  });
}

/// out (rows, padded width) += scores right: a tile of weights (or their gradients) times the
/// values (or keys), right (keys, padded width).
inline void query_sums(const ScoreTile& tile, const Real* scores, const Real* right, Real* out) {
  const Index d = tile.task().padded_width;
  query_groups(tile, [&](Index r, Index count) {
    const Index end = tile.edge ? tile.seen(r + count - 1) : tile.count;
    for (Index j = 0; j < end; j += panel) {
      const Index deep = std::min(panel, end - j);
      tile_product({scores + r * tile.stride + j, count, deep, tile.stride},
                   {right + (tile.begin + j) * d, deep, d, d}, {out + r * d, count, d, d},
                   Mode::accumulate);
    }
  });
}

/// out (keys, padded width) += scores^T right, for right (rows, padded width): over the queries
/// that see a group of keys.
inline void key_sums(const ScoreTile& tile, const Real* scores, const Real* right, Real* out) {
  const Index d = tile.task().padded_width;
  const Index ld = tile.stride;
  const Index step = tile.edge ? diagonal_rows : tile.count;
  Index first = 0;
  for (Index j = 0; j < tile.count; j += step) {
    while (tile.edge && first < tile.rows() && tile.seen(first) <= j)
      ++first;
    const Index keys = std::min(step, tile.count - j);
    const Index deep = tile.rows() - first;
    tile_product({scores + first * ld + j, keys, deep, 1, ld}, {right + first * d, deep, d, d},
                 {out + (tile.begin + j) * d, keys, d, d}, Mode::accumulate);
  }
}

/// Whether there is neither an infinity nor a NaN: 0 times one is NaN.
inline bool all_finite(const ConstMatrix& x) {
  Vec zero = Real{0};
  for (Index i = 0; i < x.rows; ++i) {
    const Real* const row = x.row(i);
    for_each_vector(x.columns,
                    [&](auto lanes) { zero = multiply_add(lanes.load(row), Vec(Real{0}), zero); });
  }
  return sum(zero) == 0;
}

/// f(i, j, score) for each query of a tile and each key of it that the query sees. The products of
/// whole tiles multiply what is hidden by 0, which is not enough where it is not finite.
template <class F>
void for_seen(const ScoreTile& tile, const Real* scores, F f) {
  for (Index i = 0; i < tile.rows(); ++i) {
    const Visible seen = tile.task().visible(tile.queries.shape, tile.queries.begin + i);
    const Index end = std::min(seen.end - tile.begin, tile.count);
    for (Index j = std::max<Index>(seen.begin - tile.begin, 0); j < end; ++j)
      f(i, tile.begin + j, scores[i * tile.stride + j]);
  }
}

/// to += factor from
inline void add_scaled_row(Index n, Real factor, const Real* from, Real* to) {
  transform_serial(
      n, to, Mode::accumulate, [factor](Vec v) { return Vec(factor) * v; }, from);
}

}  // namespace heed::kernels::tiles
