#include "framework/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "framework/kernels/parallel.h"
#include "framework/kernels/tile_copy.h"

// A task is one sequence and head; in backward it is one sequence and head of keys, with the heads
// of queries that share it. The operands of a task are copied to tiles, rows of whole vectors. The
// keys are transposed on the way, and in backward the values too. All products are then those of
// tile_product(), and only the copies know the true extents.

namespace heed::kernels {

namespace {

// a tile of scores is 36 KB
constexpr Index query_tile = 64;
constexpr Index key_tile = 128;
static_assert(key_tile % dropout_block == 0);
// Transposed keys lie in panels (width, 64). Rows that are as far apart as a sequence's keys would
// share cache sets.
constexpr Index panel = 64;
// Rows of a tile that are multiplied together where some queries do not see all its keys.
constexpr Index diagonal_rows = 24;

constexpr Real infinity = std::numeric_limits<Real>::infinity();

/// How far the rows of scores are apart in the numbering of the dropout mask. Long rows take whole
/// blocks, so that a row of a tile is whole blocks too.
Index mask_stride(Index keys) {
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
  Index width;
  Index padded_width;
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
        padded_keys(padded(keys)),
        heads(s.heads) {}
  Index query_offset(Index i, Index row_stride) const {
    return (query_begin + i) * row_stride + head * width;
  }
  Index key_offset(Index row_stride) const { return key_begin * row_stride + kv_head * width; }
  /// This head's part of the rows of queries [i, i + count).
  ConstMatrix query_rows(const ConstMatrix& m, Index i, Index count) const {
    return {m.data + query_offset(i, m.row_stride), count, width, m.row_stride};
  }
  OutputRows query_rows(const OutputRows& m, Index i) const {
    return {m.data + query_offset(i, m.row_stride), m.row_stride, m.mode};
  }
  /// This head's part of the rows of all keys.
  ConstMatrix key_rows(const ConstMatrix& m) const {
    return {m.data + key_offset(m.row_stride), keys, width, m.row_stride};
  }
  OutputRows key_rows(const OutputRows& m) const {
    return {m.data + key_offset(m.row_stride), m.row_stride, m.mode};
  }
  /// Where log_sums (query rows, heads) holds that of query i.
  Index sum_index(Index i) const { return (query_begin + i) * heads + head; }
  Visible visible(const AttentionShape& s, Index i) const {
    return {s.causal, s.window, queries, keys, i};
  }
};

constexpr Index tile_numbers = query_tile * (key_tile + 16) + dropout_block;
constexpr Index panels(Index keys) { return (keys + panel - 1) / panel; }

/// The stride of a tile of scores. It is no multiple of 64: else the columns of a tile, which
/// backward reads, would share cache sets.
Index tile_stride(const Task& t) {
  const Index columns = std::min(t.padded_keys, key_tile);
  return columns % 64 == 0 ? columns + 16 : columns;
}
Index mask_tile_stride(const Task& t) { return t.keys <= key_tile ? t.padded_keys : key_tile; }

/// A tile of a task's queries.
struct QueryTile {
  const AttentionShape& shape;
  const Task& t;
  Index begin;
  Index rows;

  QueryTile(const AttentionShape& s, const Task& task, Index first)
      : shape(s), t(task), begin(first), rows(std::min(query_tile, task.queries - first)) {}
  /// The keys that its queries see lie within [first_key(), last_key()).
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

/// The dropout mask of a tile, with rows mask_tile_stride() apart. It begins at the tile's first
/// key, skipped or not.
void mask_tile(const ScoreTile& tile, Real* mask) {
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

/// Copies the rows of keys or values, (keys, width), to panels (width, 64).
void copy_to_panels(const ConstMatrix& rows, Real* to) {
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
void key_products(const ScoreTile& tile, const Real* left, const Real* right, Real* out) {
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
void query_sums(const ScoreTile& tile, const Real* scores, const Real* right, Real* out) {
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
void key_sums(const ScoreTile& tile, const Real* scores, const Real* right, Real* out) {
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
bool all_finite(const ConstMatrix& x) {
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
void add_scaled_row(Index n, Real factor, const Real* from, Real* to) {
  transform_serial(
      n, to, Mode::accumulate, [factor](Vec v) { return Vec(factor) * v; }, from);
}

// The loops below run over whole vectors of padded rows.

alignas(64) constexpr struct Lanes {
  Real value[Vec::width];
  constexpr Lanes() : value() {
    for (Index i = 0; i < Vec::width; ++i)
      value[i] = static_cast<Real>(i);
  }
} lane_numbers;

/// s[j] -= slope |distance - j|
void subtract_slope(Real* s, Index width, Real slope, Real distance) {
  for (Index j = 0; j < width; j += Vec::width)
    (Vec::load(s + j) -
     Vec(slope) * abs(Vec(distance - static_cast<Real>(j)) - Vec::load(lane_numbers.value)))
        .store(s + j);
}

/// Applies to a row of scores what neither q nor k say of them: slopes, and -infinity before the
/// window.
[[gnu::noinline]] Index slope_and_hide(const AttentionShape& shape, const Task& t, Index i,
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

Real top_of(const Real* s, Index count) {
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
void multiply(Index n, const Real* mask, Real* s) {
  for (Index j = 0; j < n; j += Vec::width)
    (Vec::load(mask + j) * Vec::load(s + j)).store(s + j);
}

/// s *= factor
void scale(Index n, Vec factor, Real* s) {
  for (Index j = 0; j < n; j += Vec::width)
    (factor * Vec::load(s + j)).store(s + j);
}

/// Scratch memory of forward.
struct ForwardSpace {
  Real* queries;  // (query tile, d), d = padded width
  Real* keys;     // panels (width, 64)
  Real* values;   // (keys, d)
  Real* out;      // (query tile, d)
  Real* scores;   // a tile
  Real* mask;     // a tile

  ForwardSpace(const Task& t, Real* work) {
    const auto take = [&](Index n) { return std::exchange(work, work + n); };
    const Index d = t.padded_width;
    queries = take(query_tile * d);
    keys = take(t.width * panel * panels(t.keys));
    values = take(t.padded_keys * d);
    out = take(query_tile * d);
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
  const Index d = t.padded_width;
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
  const Index d = q.t.padded_width;
  std::fill_n(w.out, q.rows * d, Real{0});
  const Index first = q.first_key();
  const Index last = q.last_key();
  const Index first_tile = first / key_tile * key_tile;
  for (Index j0 = first_tile; j0 < last; j0 += key_tile) {
    const ScoreTile tile(q, j0, first, last);
    key_products(tile, w.queries, w.keys, w.scores);
    softmax_tile(tile, j0 == first_tile, w, softmax);
    if (by_element) {
      for_seen(tile, w.scores, [&](Index i, Index key, Real weight) {
        add_scaled_row(d, weight, w.values + key * d, w.out + i * d);
      });
    } else {
      query_sums(tile, w.scores, w.values, w.out);
    }
  }
}

/// Writes the weights of a tile of queries, without dropout, to `weights` (heads, queries, keys).
void store_weights(const QueryTile& q, const ForwardSpace& w, const Real* log_sums, Real* weights) {
  const Task& t = q.t;
  for (Index j0 = 0; j0 < t.keys; j0 += key_tile) {
    const ScoreTile tile = ScoreTile::whole(q, j0);
    key_products(tile, w.queries, w.keys, w.scores);
    for (Index i = 0; i < q.rows; ++i) {
      Real* s = w.scores + i * tile.stride;
      const Index count = finish_scores(tile, i, s);
      exponentials(s, count, padded(tile.count), log_sums[t.sum_index(q.begin + i)]);
      std::copy_n(s, tile.count, weights + (t.head * t.queries + q.begin + i) * t.keys + j0);
    }
  }
}

void forward(const AttentionShape& shape, const Task& t, const AttentionInputs& in,
             const OutputRows& y, Real* log_sums, Real* weights, Real* work) {
  const ForwardSpace w(t, work);
  copy_to_panels(t.key_rows(in.k), w.keys);
  copy_to_tile(t.key_rows(in.v), 1, w.values);
  const bool by_element =
      shape.hides() && !all_finite(dense<const Real>(w.values, t.keys, t.padded_width));
  for (Index i0 = 0; i0 < t.queries; i0 += query_tile) {
    const QueryTile q(shape, t, i0);
    copy_to_tile(t.query_rows(in.q, i0, q.rows), shape.scale, w.queries);
    RunningSoftmax softmax(q.rows);
    attend(q, by_element, w, softmax);
    const Real* const sums = softmax.sums;
    copy_from_tile(
        w.out, q.rows, t.width, [=](Index i) { return sums[i] > 0 ? 1 / sums[i] : Real{0}; },
        t.query_rows(y, i0));
    // Of a row that sees nothing: exp(s - infinity) is zero in backward too.
    for (Index i = 0; i < q.rows; ++i)
      log_sums[t.sum_index(i0 + i)] = sums[i] > 0 ? softmax.tops[i] + std::log(sums[i]) : infinity;
    if (weights) store_weights(q, w, log_sums, weights);
  }
}

/// Scratch memory of backward, and what the heads that share keys share.
struct BackwardSpace {
  // (query tile, d), d = padded width
  Real* queries;
  Real* douts;
  Real* dqueries;
  // panels (width, 64)
  Real* keys_t;
  Real* values_t;
  // (keys, d); the last two are null where they are not wanted
  Real* keys;
  Real* dkeys;
  Real* dvalues;
  // tiles: the weights, their gradients and the mask
  Real* p;
  Real* dp;
  Real* mask;
  bool finite_keys = true;  // and values; known of windows alone

  BackwardSpace(const Task& t, Real* work) {
    const auto take = [&](Index n) { return std::exchange(work, work + n); };
    const Index d = t.padded_width;
    for (Real** x : {&queries, &douts, &dqueries})
      *x = take(query_tile * d);
    for (Real** x : {&keys_t, &values_t})
      *x = take(t.width * panel * panels(t.keys));
    for (Real** x : {&keys, &dkeys, &dvalues})
      *x = take(t.padded_keys * d);
    for (Real** x : {&p, &dp, &mask})
      *x = take(tile_numbers);
  }
};

/// Whether all that a tile of queries reads is finite, by the sums over it. An infinity or NaN in a
/// query or a key makes the log_sum of a row that sees it infinite or NaN; one in a value or in dy
/// does so to the dot. Each key of the tile is seen by one of its queries, unless there is a
/// window.
bool finite_rows(const QueryTile& q, const Real* log_sums, const Real* dots) {
  Real zero = 0;
  for (Index i = 0; i < q.rows; ++i)
    zero += (log_sums[q.t.sum_index(q.begin + i)] + dots[i]) * 0;
  return zero == 0;
}

/// Turns a tile of products (w.p: of queries and keys, w.dp: of dy and values) into the dropped-out
/// weights P and the gradients dS of the scores:
/// dS_ij = p_ij (m_ij dp_ij - dot_i), with the mask m and dot_i = sum_j p_ij m_ij dp_ij.
void score_gradients(const ScoreTile& tile, const Real* log_sums, const Real* dots,
                     const BackwardSpace& w) {
  const Task& t = tile.task();
  const Index wide = padded(tile.count);
  const bool drops = tile.queries.shape.dropout.active();
  const Index mask_ld = mask_tile_stride(t);
  if (drops) mask_tile(tile, w.mask);
  for (Index i = 0; i < tile.rows(); ++i) {
    Real* weights = w.p + i * tile.stride;
    Real* gradients = w.dp + i * tile.stride;
    const Index count = finish_scores(tile, i, weights);
    exponentials(weights, count, wide, log_sums[t.sum_index(tile.queries.begin + i)]);
    const Vec dot = dots[i];
    const Index some = padded(count);  // what lies beyond was not computed
    if (drops) {
      const Real* keep = w.mask + i * mask_ld + tile.skipped;
      for (Index j = 0; j < some; j += Vec::width) {
        const Vec a = Vec::load(weights + j);
        const Vec m = Vec::load(keep + j);
        (a * (m * Vec::load(gradients + j) - dot)).store(gradients + j);
        (a * m).store(weights + j);
      }
    } else {
      for (Index j = 0; j < some; j += Vec::width)
        (Vec::load(weights + j) * (Vec::load(gradients + j) - dot)).store(gradients + j);
    }
    std::fill(gradients + some, gradients + wide, Real{0});
  }
}

/// dV += P^T dY, dK += dS^T Q, dQ += dS K
void add_gradients(const ScoreTile& tile, bool wants_queries, const BackwardSpace& w) {
  if (w.dvalues) key_sums(tile, w.p, w.douts, w.dvalues);
  if (w.dkeys) key_sums(tile, w.dp, w.queries, w.dkeys);
  if (wants_queries) query_sums(tile, w.dp, w.keys, w.dqueries);
}

/// The same over what is seen alone (see for_seen).
void add_gradients_by_element(const ScoreTile& tile, bool wants_queries, const BackwardSpace& w) {
  const Index d = tile.task().padded_width;
  for_seen(tile, w.p, [&](Index i, Index key, Real weight) {
    if (w.dvalues) add_scaled_row(d, weight, w.douts + i * d, w.dvalues + key * d);
  });
  for_seen(tile, w.dp, [&](Index i, Index key, Real gradient) {
    if (w.dkeys) add_scaled_row(d, gradient, w.queries + i * d, w.dkeys + key * d);
    if (wants_queries) add_scaled_row(d, gradient, w.keys + key * d, w.dqueries + i * d);
  });
}

/// What one head of queries gives to the gradients.
void backward_head(const AttentionShape& shape, const Task& t, const AttentionInputs& in,
                   const AttentionResults& results, const ConstMatrix& dy, const OutputRows& dq,
                   const BackwardSpace& w) {
  const Index d = t.padded_width;
  for (Index i0 = 0; i0 < t.queries; i0 += query_tile) {
    const QueryTile q(shape, t, i0);
    const ConstMatrix y_rows = t.query_rows(results.y, i0, q.rows);
    const ConstMatrix dy_rows = t.query_rows(dy, i0, q.rows);
    copy_to_tile(t.query_rows(in.q, i0, q.rows), shape.scale, w.queries);
    copy_to_tile(dy_rows, 1, w.douts);
    std::fill_n(w.dqueries, q.rows * d, Real{0});
    Real dots[query_tile];  // y_i . dy_i
    for (Index i = 0; i < q.rows; ++i)
      dots[i] = dot(t.width, y_rows.row(i), dy_rows.row(i));
    const bool by_element = shape.hides() && !(w.finite_keys && finite_rows(q, results.sums, dots));
    const Index first = q.first_key();
    const Index last = q.last_key();
    for (Index j0 = first / key_tile * key_tile; j0 < last; j0 += key_tile) {
      const ScoreTile tile(q, j0, first, last);
      key_products(tile, w.queries, w.keys_t, w.p);
      key_products(tile, w.douts, w.values_t, w.dp);
      score_gradients(tile, results.sums, dots, w);
      (by_element ? add_gradients_by_element : add_gradients)(tile, dq.data != nullptr, w);
    }
    if (dq.data)
      copy_from_tile(
          w.dqueries, q.rows, t.width, [&](Index) { return shape.scale; }, t.query_rows(dq, i0));
  }
}

/// One head of keys and all heads of queries that share it.
void backward(const AttentionShape& shape, Index sequence, Index kv_head, const AttentionInputs& in,
              const AttentionResults& results, const ConstMatrix& dy, const AttentionGradients& to,
              Real* work) {
  const Index group = shape.heads / shape.kv_heads;
  const Task t(shape, sequence, kv_head * group);
  const ConstMatrix k = t.key_rows(in.k);
  const ConstMatrix v = t.key_rows(in.v);
  BackwardSpace space(t, work);
  copy_to_panels(k, space.keys_t);
  copy_to_panels(v, space.values_t);
  copy_to_tile(k, 1, space.keys);
  if (shape.window > 0) space.finite_keys = all_finite(v) && all_finite(k);
  const auto start = [&](Real*& sums, const OutputRows& wanted) {
    if (wanted.data)
      std::fill_n(sums, t.keys * t.padded_width, Real{0});
    else
      sums = nullptr;
  };
  start(space.dkeys, to.k);
  start(space.dvalues, to.v);
  for (Index head = t.head; head < t.head + group; ++head)
    backward_head(shape, Task(shape, sequence, head), in, results, dy, to.q, space);
  const auto one = [](Index) { return Real{1}; };
  if (to.k.data) copy_from_tile(space.dkeys, t.keys, t.width, one, t.key_rows(to.k));
  if (to.v.data) copy_from_tile(space.dvalues, t.keys, t.width, one, t.key_rows(to.v));
}

/// Sequences and heads a piece: enough work for a thread.
Index tasks_grain(const AttentionShape& s, Index heads) {
  return grain_of(heads * (s.longest_query + 1) * (s.longest_key + 1) * (s.width + 8));
}

}  // namespace

Index attention_workspace(const AttentionShape& s) {
  const Index d = padded(s.width);
  const Index keys = padded(s.longest_key);
  return 2 * query_tile * d + s.width * panel * panels(keys) + keys * d + 2 * tile_numbers;
}

Index attention_backward_workspace(const AttentionShape& s) {
  const Index d = padded(s.width);
  const Index keys = padded(s.longest_key);
  return 3 * query_tile * d + 2 * s.width * panel * panels(keys) + 3 * keys * d + 3 * tile_numbers;
}

void attention(const AttentionShape& shape, const AttentionInputs& in, const OutputRows& y,
               Real* log_sums, Real* const* weights, Real* workspace) {
  const Index numbers = padded(attention_workspace(shape));
  parallel_for_workers(shape.sequences * shape.heads, tasks_grain(shape, 1),
                       [&](Index begin, Index end, int worker) {
                         for (Index i = begin; i < end; ++i)
                           forward(shape, Task(shape, i / shape.heads, i % shape.heads), in, y,
                                   log_sums, weights ? weights[i / shape.heads] : nullptr,
                                   workspace + worker * numbers);
                       });
}

void attention_backward(const AttentionShape& shape, const AttentionInputs& in,
                        const AttentionResults& results, const ConstMatrix& dy,
                        const AttentionGradients& to, Real* workspace) {
  const Index numbers = padded(attention_backward_workspace(shape));
  parallel_for_workers(shape.sequences * shape.kv_heads,
                       tasks_grain(shape, shape.heads / shape.kv_heads),
                       [&](Index begin, Index end, int worker) {
                         for (Index i = begin; i < end; ++i)
                           backward(shape, i / shape.kv_heads, i % shape.kv_heads, in, results, dy,
                                    to, workspace + worker * numbers);
                       });
}

}  // namespace heed::kernels
