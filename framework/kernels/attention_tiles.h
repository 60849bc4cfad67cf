#pragma once

// For the .cpp files of attention only.
//
// A task is one sequence and head; in backward it is one sequence and head of keys, with the heads
// of queries that share it. The operands of a task are copied to tiles, rows of whole vectors. The
// keys are transposed on the way, and in backward the values too. All products are then those of
// tile_product(), and only the copies know the true extents.

#include <algorithm>
#include <limits>

#include "framework/kernels/attention.h"
#include "framework/kernels/parallel.h"
#include "framework/kernels/tile.h"

namespace heed::kernels::tiles {

// a tile of scores is 36 KB
inline constexpr Index query_tile = 64;
inline constexpr Index key_tile = 128;
static_assert(key_tile % dropout_block == 0);
// Transposed keys lie in panels (width, 64). Rows that are as far apart as a sequence's keys would
// share cache sets.
inline constexpr Index panel = 64;
// Rows of a tile that are multiplied together where some queries do not see all its keys.
inline constexpr Index diagonal_rows = 24;

inline constexpr Real infinity = std::numeric_limits<Real>::infinity();

/// How far the rows of scores are apart in the numbering of the dropout mask. Long rows take whole
/// blocks, so that a row of a tile is whole blocks too.
inline Index mask_stride(Index keys) {
  if (keys <= key_tile) return padded(keys);
  return (keys + dropout_block - 1) / dropout_block * dropout_block;
}

/// One sequence and head.
struct Task {
  Index queries;
  Index keys;
  Index head;
  Index kv_head;
  Index number;  // among sequences x heads
  Index query_begin;
  Index key_begin;
  Index width;  // of queries and keys
  Index padded_width;
  Index value_width;
  Index padded_value_width;
  Index padded_keys;
  Index heads;

  Task(const AttentionShape& s, Index sequence, Index h)
      : queries(s.query_lengths[sequence]),
        keys(s.key_lengths[sequence]),
        head(h),
        kv_head(h * s.kv_heads / s.heads),
        number(sequence * s.heads + h),
        query_begin(s.query_begins[sequence]),
        key_begin(s.key_begins[sequence]),
        width(s.width),
        padded_width(padded(s.width)),
        value_width(s.value_width),
        padded_value_width(padded(s.value_width)),
        padded_keys(padded(keys)),
        heads(s.heads) {}
  /// This head's part of the rows of queries [i, i + count), `columns` wide: width or value_width.
  ConstMatrix query_rows(const ConstMatrix& m, Index i, Index count, Index columns) const {
    return {m.row(query_begin + i) + head * columns, count, columns, m.row_stride};
  }
  OutputRows query_rows(const OutputRows& m, Index i, Index columns) const {
    return {m.row(query_begin + i) + head * columns, m.row_stride, m.mode};
  }
  /// This head's part of the rows of all keys.
  ConstMatrix key_rows(const ConstMatrix& m, Index columns) const {
    return {m.row(key_begin) + kv_head * columns, keys, columns, m.row_stride};
  }
  OutputRows key_rows(const OutputRows& m, Index columns) const {
    return {m.row(key_begin) + kv_head * columns, m.row_stride, m.mode};
  }
  /// Where log_sums (query rows, heads) holds that of query i.
  Index sum_index(Index i) const { return (query_begin + i) * heads + head; }
  Visible visible(const AttentionShape& s, Index i) const {
    return {s.causal, s.window, queries, keys, i, s.sinks};
  }
};

inline constexpr Index tile_numbers = query_tile * (key_tile + 16) + dropout_block;
constexpr Index panels(Index keys) { return (keys + panel - 1) / panel; }

/// The stride of a tile of scores. It is no multiple of 64: else the columns of a tile, which
/// backward reads, would share cache sets.
inline Index tile_stride(const Task& t) {
  const Index columns = std::min(t.padded_keys, key_tile);
  return columns % 64 == 0 ? columns + 16 : columns;
}
inline Index mask_tile_stride(const Task& t) {
  return t.keys <= key_tile ? t.padded_keys : key_tile;
}

/// A tile of a task's queries.
struct QueryTile {
  const AttentionShape& shape;
  const Task& t;
  Index begin;
  Index rows;
  // As in the shape, for what asks them for each row.
  bool adjusts;
  bool caps_or_biases;

  QueryTile(const AttentionShape& s, const Task& task, Index first)
      : shape(s),
        t(task),
        begin(first),
        rows(std::min(query_tile, task.queries - first)),
        adjusts(s.adjusts()),
        caps_or_biases(s.caps_or_biases()) {}
  /// The keys that its queries see lie within [0, sinks()) and [first_key(), last_key()).
  Index sinks() const { return shape.sinks > 0 ? t.visible(shape, begin + rows - 1).sinks : 0; }
  Index first_key() const { return t.visible(shape, begin).begin; }
  Index last_key() const { return t.visible(shape, begin + rows - 1).end; }
};

/// The scores of a tile of queries with those keys of a tile of keys that some of them see. Tiles
/// of keys begin at multiples of key_tile, for the sake of the dropout mask.
struct ScoreTile {
  QueryTile queries;
  Index tile;     // where the tile of keys begins
  Index skipped;  // keys of it that nobody sees, before `begin`
  Index begin;    // = tile + skipped
  Index count;    // keys from there on
  Index stride;   // of the scores
  bool edge;      // some queries do not see all the keys

  ScoreTile(const QueryTile& q, Index j0, Index first, Index last)
      : queries(q),
        tile(j0),
        skipped(std::max<Index>(0, first - j0) / 16 * 16),
        begin(tile + skipped),
        count(std::min(j0 + key_tile, last) - begin),
        stride(tile_stride(q.t)),
        edge(seen(0) < count) {}
  /// All keys of the tile, seen or not.
  static ScoreTile whole(const QueryTile& q, Index j0) {
    ScoreTile result(q, j0, 0, q.t.keys);
    result.edge = false;
    return result;
  }
  const Task& task() const { return queries.t; }
  Index rows() const { return queries.rows; }
  /// How many of the keys come before the end of what query i of the tile sees.
  Index seen(Index i) const {
    const Visible visible = task().visible(queries.shape, queries.begin + i);
    return std::clamp<Index>(visible.end - begin, 0, count);
  }
};

/// f(tile) for the tiles of scores that a tile of queries needs, from the first key to the last.
template <class F>
void for_score_tiles(const QueryTile& q, F f) {
  const Index sinks = q.sinks();
  const Index first = q.first_key();
  const Index last = q.last_key();
  Index j0 = 0;
  for (; j0 < sinks && j0 + key_tile <= first; j0 += key_tile)
    f(ScoreTile(q, j0, j0, sinks));
  for (j0 = std::max(j0, first / key_tile * key_tile); j0 < last; j0 += key_tile)
    f(ScoreTile(q, j0, j0 < sinks ? j0 : first, last));
}

/// The dropout mask of a tile, with rows mask_tile_stride() apart. It begins at the tile's first
/// key, skipped or not.
inline void mask_tile(const ScoreTile& tile, Real* mask) {
  const Task& t = tile.task();
  const Index i0 = tile.queries.begin;
  Dropout own = tile.queries.shape.dropout;
  own.key.stream = mix(own.key.stream, static_cast<std::uint64_t>(t.number));
  const Index stride = mask_stride(t.keys);
  if (t.keys <= key_tile) {  // the tile is a run of whole rows: i0 * stride must begin a block
    dropout_mask(own, i0 * stride / dropout_block, tile.rows() * stride, mask);
    return;
  }
  for (Index i = 0; i < tile.rows(); ++i)
    dropout_mask(own, ((i0 + i) * stride + tile.tile) / dropout_block, tile.skipped + tile.count,
                 mask + i * mask_tile_stride(t));
}
static_assert(query_tile * padded(1) % dropout_block == 0,
              "tiles of short sequences begin at whole blocks of the mask");

/// Sequences and heads a piece: enough work for a thread.
inline Index tasks_grain(const AttentionShape& s, Index heads) {
  const Index width = (s.width + s.value_width + 1) / 2;
  return grain_of(heads * (s.longest_query + 1) * (s.longest_key + 1) * (width + 8));
}

}  // namespace heed::kernels::tiles
