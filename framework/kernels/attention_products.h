#pragma once

// For the .cpp files of attention only: products of a tile of scores with rows of queries, keys and
// values.

#include <algorithm>

#include "framework/kernels/attention_tiles.h"
#include "framework/kernels/rotate.h"
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
inline void key_products(const ScoreTile& tile, Index width, const Real* left, const Real* right,
                         Real* out) {
  const Index d = padded(width);
  query_groups(tile, [&](Index r, Index count) {
    const ConstMatrix a{left + r * d, count, width, d};
    const Index end = tile.begin + padded(tile.edge ? tile.seen(r + count - 1) : tile.count);
    for (Index j = tile.begin; j < end;) {
      const Index wide = std::min(end, (j / panel + 1) * panel) - j;
      const Real* const columns = right + j / panel * panel * width + j % panel;
      Real* const to = out + r * tile.stride + j - tile.begin;
      tile_product(a, {columns, width, wide, panel}, {to, count, wide, tile.stride}, Mode::assign);
      j += wide;
    }
  });
}

/// out (rows, d) += scores right: a tile of weights (or their gradients) times the values (or
/// keys), right (keys, d). d is a padded width.
inline void query_sums(const ScoreTile& tile, Index d, const Real* scores, const Real* right,
                       Real* out) {
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

/// out (keys, d) += scores^T right, for right (rows, d): over the queries that see a group of keys.
inline void key_sums(const ScoreTile& tile, Index d, const Real* scores, const Real* right,
                     Real* out) {
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
/// whole tiles multiply what is hidden by 0, which is not enough where it is not finite. Where
/// there is a bias, it may have hidden any key whose score is now 0.
template <class F>
void for_seen(const ScoreTile& tile, const Real* scores, F f) {
  const bool biased = tile.queries.shape.bias.given();
  const auto run = [&](Index i, Index begin, Index end) {
    const Real* const row = scores + i * tile.stride;
    for (Index j = std::max<Index>(begin - tile.begin, 0);
         j < std::min(end - tile.begin, tile.count); ++j)
      if (!biased || row[j] != 0) f(i, tile.begin + j, row[j]);
  };
  for (Index i = 0; i < tile.rows(); ++i) {
    const Visible seen = tile.task().visible(tile.queries.shape, tile.queries.begin + i);
    run(i, 0, seen.sinks);
    run(i, seen.begin, seen.end);
  }
}

/// Rotates `count` rows of a tile of queries or keys, in place. The first is at `place` among the
/// keys.
inline void rotate_tile(const Task& t, const Rotation& r, Index place, Index count, bool back,
                        Real* tile) {
  const Index half = r.head.width / 2;
  for (Index i = 0; i < count; ++i) {
    Real* const row = tile + i * t.padded_width;
    const Index at = (place + i) * half;
    rotate_columns(r.head, {r.cosines + at, r.sines + at, back}, row, row, Mode::assign);
  }
}

/// The scaled rows of a tile's queries, rotated where that is asked for.
inline void copy_queries(const QueryTile& q, const ConstMatrix& queries, Real* tile) {
  const Task& t = q.t;
  copy_to_tile(t.query_rows(queries, q.begin, q.rows, t.width), q.shape.scale, tile);
  if (q.shape.rotation.cosines)
    rotate_tile(t, q.shape.rotation, q.begin + t.keys - t.queries, q.rows, false, tile);
}

/// to += factor from
inline void add_scaled_row(Index n, Real factor, const Real* from, Real* to) {
  transform_serial(
      n, to, Mode::accumulate, [factor](Vec v) { return Vec(factor) * v; }, from);
}

}  // namespace heed::kernels::tiles
