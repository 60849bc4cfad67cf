#include "framework/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "framework/kernels/pack.h"
#include "framework/kernels/parallel.h"

// One task is one sequence and head, in backward one sequence and head of keys with the heads of
// queries that share it. Its operands are packed to rows of whole vectors (and the keys, and for
// backward the values, transposed), so that all products are tile_product's and only packing and
// unpacking know the true extents.

namespace heed::kernels {

namespace {

// a tile of scores is 36 KB
constexpr Index query_tile = 64;
constexpr Index key_tile = 128;
static_assert(key_tile % dropout_block == 0);
// transposed keys lie in panels (width, 64): rows as far apart as a sequence's keys would share
// cache sets
constexpr Index panel = 64;
constexpr Index diagonal_rows = 24;  // that a tile on the edge of what is seen goes by

/// The stride of scores in the dropout mask's numbering: whole blocks a row where rows are long, so
/// that a tile's row is blocks.
Index mask_stride(Index keys) {
  return keys <= key_tile ? padded(keys)
                          : (keys + dropout_block - 1) / dropout_block * dropout_block;
}

struct Task {
  // pair: its number among sequences x heads
  Index queries;
  Index keys;
  Index head;
  Index kv_head;
  Index pair;
  Index query_begin;
  Index key_begin;
  Index width;
  Index padded_width;
  Index padded_keys;

  Task(const AttentionShape& s, Index sequence, Index h)
      : queries(s.query_lengths[sequence]),
        keys(s.key_lengths[sequence]),
        head(h),
        kv_head(h * s.kv_heads / s.heads),
        pair(sequence * s.heads + h),
        query_begin(s.query_begins[sequence]),
        key_begin(s.key_begins[sequence]),
        width(s.width),
        padded_width(padded(s.width)),
        padded_keys(padded(keys)) {}
  auto* query(auto rows, Index i) const {
    return rows.data + (query_begin + i) * rows.stride + head * width;
  }
  auto* key(auto rows) const { return rows.data + key_begin * rows.stride + kv_head * width; }
  Visible visible(const AttentionShape& s, Index i) const {
    return {s.causal, s.window, queries, keys, i};
  }
};

/// Those keys of a tile that some of its queries see. Tiles begin at multiples of key_tile, for the
/// sake of the mask.
struct Columns {
  // begin = tile + skipped
  Index tile;
  Index skipped;
  Index begin;
  Index count;

  Columns(Index j0, Index first, Index last)
      : tile(j0),
        skipped(std::max<Index>(0, first - j0) / 16 * 16),
        begin(tile + skipped),
        count(std::min(j0 + key_tile, last) - begin) {}
};

/// mask (rows, ld) for queries [i0, i0 + rows) and keys [j0, ...): ld is a tile's stride.
void mask_tile(const Dropout& dropout, const Task& t, Index i0, Index rows, Index j0, Index columns,
               Index ld, Real* mask) {
  Dropout own = dropout;
  own.key.stream = mix(dropout.key.stream, static_cast<std::uint64_t>(t.pair));
  const Index stride = mask_stride(t.keys);
  if (t.keys <= key_tile) {  // the tile is a run of whole rows: i0 * stride must begin a block
    dropout_mask(own, i0 * stride / dropout_block, rows * stride, mask);
  } else {
    for (Index i = 0; i < rows; ++i)
      dropout_mask(own, ((i0 + i) * stride + j0) / dropout_block, columns, mask + i * ld);
  }
}
static_assert(query_tile * padded(1) % dropout_block == 0,
              "tiles of short sequences begin at whole blocks of the mask");

constexpr Index tile_numbers = query_tile * (key_tile + 16) + dropout_block;
constexpr Index panels(Index keys) { return (keys + panel - 1) / panel; }

Index mask_tile_stride(const Task& t) { return t.keys <= key_tile ? t.padded_keys : key_tile; }
/// Not a multiple of 64: columns of a tile, which backward reads, would share cache sets.
Index tile_stride(const Task& t) {
  const Index columns = std::min(t.padded_keys, key_tile);
  return columns % 64 == 0 ? columns + 16 : columns;
}

void pack_panels(const Task& t, const Real* rows, Index stride, Real* to) {
  for (Index j = 0; j < t.keys; j += panel)
    pack_transposed(std::min(panel, t.keys - j), t.width, rows + j * stride, stride,
                    to + j * t.width, panel);
}

/// f(begin, rows) on the queries of a tile: on all at once, or where some do not see all of its
/// keys on a few at a time.
template <class F>
void query_groups(bool edge, Index rows, F f) {
  for (Index r = 0, step = edge ? diagonal_rows : rows; r < rows; r += step)
    f(r, std::min(step, rows - r));
}

/// The products of a tile of queries (or gradients) and keys (or values), left out past what the
/// last query of a group sees.
template <class Seen>
void key_products(bool edge, Index rows, const Task& t, const Columns& c, const Real* left,
                  const Real* right, Real* out, Index ld, Seen seen) {
  query_groups(edge, rows, [&](Index r, Index count) {
    const Index end = c.begin + padded(edge ? seen(r + count - 1) : c.count);
    for (Index j = c.begin; j < end;) {
      const Index wide = std::min(end, (j / panel + 1) * panel) - j;
      tile_product(count, wide, t.width, left + r * t.padded_width, t.padded_width, 1,
                   right + j / panel * panel * t.width + j % panel, panel,
                   out + r * ld + j - c.begin, ld, Mode::assign);
      j += wide;
    }
  });
}

/// out += tile * right: of a tile of weights (or their gradients) and values (or keys).
template <class Seen>
void query_sums(bool edge, Index rows, const Task& t, const Columns& c, const Real* tile, Index ld,
                const Real* right, Real* out, Seen seen) {
  const Index d = t.padded_width;
  query_groups(edge, rows, [&](Index r, Index count) {
    const Index end = edge ? seen(r + count - 1) : c.count;
    for (Index j = 0; j < end; j += panel)
      tile_product(count, d, std::min(panel, end - j), tile + r * ld + j, ld, 1,
                   right + (c.begin + j) * d, d, out + r * d, d, Mode::accumulate);
  });
}

/// out += tile^T * right, over the queries that see a group of keys.
template <class Seen>
void key_sums(bool edge, Index rows, const Task& t, const Columns& c, const Real* tile, Index ld,
              const Real* right, Real* out, Seen seen) {
  const Index d = t.padded_width;
  Index first = 0;
  for (Index j = 0, step = edge ? diagonal_rows : c.count; j < c.count; j += step) {
    while (edge && first < rows && seen(first) <= j)
      ++first;
    tile_product(std::min(step, c.count - j), d, rows - first, tile + first * ld + j, 1, ld,
                 right + first * d, d, out + (c.begin + j) * d, d, Mode::accumulate);
  }
}

/// Whether there is neither an infinity nor a NaN: 0 times one is no number.
bool all_finite(Index rows, Index width, const Real* x, Index stride) {
  Vec zero = Real{0};
  for (Index i = 0; i < rows; ++i, x += stride) {
    Index j = 0;
    for (; j + Vec::width <= width; j += Vec::width)
      zero = multiply_add(Vec::load(x + j), Vec(Real{0}), zero);
    if (j < width) zero = multiply_add(Vec::load(x + j, width - j), Vec(Real{0}), zero);
  }
  return sum(zero) == 0;
}

/// f(i, j, weight) for each query of a tile and each key of it that the query sees. The products of
/// whole tiles multiply what is hidden by 0, which is not enough where it is not finite.
template <class F>
void for_seen(const AttentionShape& shape, const Task& t, Index i0, Index rows, const Columns& c,
              const Real* tile, Index ld, F f) {
  for (Index i = 0; i < rows; ++i) {
    const Visible seen = t.visible(shape, i0 + i);
    const Index end = std::min(seen.end - c.begin, c.count);
    for (Index j = std::max<Index>(seen.begin - c.begin, 0); j < end; ++j)
      f(i, c.begin + j, tile[i * ld + j]);
  }
}

/// to += factor from
void add_scaled_row(Index n, Real factor, const Real* from, Real* to) {
  transform_serial(
      n, to, Mode::accumulate, [factor](Vec v) { return Vec(factor) * v; }, from);
}

alignas(64) constexpr struct Lanes {
  Real value[Vec::width];
  constexpr Lanes() : value() {
    for (Index i = 0; i < Vec::width; ++i)
      value[i] = static_cast<Real>(i);
  }
} lanes;

/// s[j] -= slope |distance - j|
void lean(Real* s, Index width, Real slope, Real distance) {
  for (Index j = 0; j < width; j += Vec::width)
    (Vec::load(s + j) -
     Vec(slope) * abs(Vec(distance - static_cast<Real>(j)) - Vec::load(lanes.value)))
        .store(s + j);
}

/// What neither q nor k say of a row's scores with keys from `begin` on: slopes, and -infinity
/// before its window.
[[gnu::noinline]] Index lean_and_hide(const AttentionShape& shape, const Task& t, Index i,
                                      Index begin, Index columns, Real* s) {
  const Visible seen = t.visible(shape, i);
  const Index count = std::clamp<Index>(seen.end - begin, 0, columns);

  const Index hidden = std::clamp<Index>(seen.begin - begin, 0, count);
  if (count == hidden) return 0;
  if (shape.slopes)
    lean(s, padded(count), shape.slopes[t.head], static_cast<Real>(i + t.keys - t.queries - begin));
  std::fill_n(s, hidden, -std::numeric_limits<Real>::infinity());
  return count;
}

/// Makes scores of the products of query i with keys from `begin` on. Gives how many may count, 0
/// where it sees none.
[[gnu::always_inline]] inline Index finish(const AttentionShape& shape, const Task& t, Index i,
                                           Index begin, Index columns, Real* s) {
  if (shape.window > 0 || shape.slopes) return lean_and_hide(shape, t, i, begin, columns, s);
  return shape.causal ? std::clamp<Index>(i + 1 + t.keys - t.queries - begin, 0, columns) : columns;
}

/// s[j] for j < count becomes exp(s[j] - top), beyond it zero, up to the padded width.
inline Vec exponentials(Real* s, Index count, Index width, Vec top) {
  Vec total = Real{0};
  Index j = 0;
  for (; j + Vec::width <= count; j += Vec::width) {
    const Vec e = exp(Vec::load(s + j) - top);
    e.store(s + j);
    total = total + e;
  }
  if (j < count) {
    const Vec e = select(less(Vec::load(lanes.value), Vec(static_cast<Real>(count - j))),
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
  Vec top = -std::numeric_limits<Real>::infinity();
  Index j = 0;
  for (; j + Vec::width <= count; j += Vec::width)
    top = max(top, Vec::load(s + j));
  Real best = max(top);
  for (; j < count; ++j)
    best = std::max(best, s[j]);
  return best;
}

void multiply(Index n, const Real* mask, Real* s) {
  for (Index j = 0; j < n; j += Vec::width)
    (Vec::load(mask + j) * Vec::load(s + j)).store(s + j);
}

void forward(const AttentionShape& shape, const Task& t, Rows q, Rows k, Rows v, MutableRows y,
             Real* log_sums, Real* weights, Real* work) {
  const Index d = t.padded_width;
  Real* const queries = work;
  Real* const keys = queries + query_tile * d;                   // panels (width, 64)
  Real* const values = keys + t.width * panel * panels(t.keys);  // (keys, d)
  Real* const out = values + t.padded_keys * d;                  // (query tile, d)
  Real* const scores = out + query_tile * d;
  Real* const mask = scores + tile_numbers;
  pack_panels(t, t.key(k), k.stride, keys);
  pack(t.keys, t.width, t.key(v), v.stride, 1, values);
  const Index ld = tile_stride(t);
  const Index mask_ld = mask_tile_stride(t);
  const bool by_element = shape.hides() && !all_finite(t.keys, d, values, d);
  for (Index i0 = 0; i0 < t.queries; i0 += query_tile) {
    const Index rows = std::min(query_tile, t.queries - i0);
    pack(rows, t.width, t.query(q, i0), q.stride, shape.scale, queries);
    Real tops[query_tile];
    Real sums[query_tile];
    std::fill_n(tops, rows, -std::numeric_limits<Real>::infinity());
    std::fill_n(sums, rows, Real{0});
    std::fill_n(out, rows * d, Real{0});
    const Index first = t.visible(shape, i0).begin;
    const Index last = t.visible(shape, i0 + rows - 1).end;

    const Index first_tile = first / key_tile * key_tile;
    for (Index j0 = first_tile; j0 < last; j0 += key_tile) {
      const Columns c(j0, first, last);
      const Index wide = padded(c.count);
      const auto seen = [&](Index i) {
        return std::clamp<Index>(t.visible(shape, i0 + i).end - c.begin, 0, c.count);
      };
      const bool edge = seen(0) < c.count;
      key_products(edge, rows, t, c, queries, keys, scores, ld, seen);
      if (shape.dropout.active())
        mask_tile(shape.dropout, t, i0, rows, j0, c.skipped + c.count, mask_ld, mask);
      for (Index i = 0; i < rows; ++i) {
        Real* s = scores + i * ld;
        const Index count = finish(shape, t, i0 + i, c.begin, c.count, s);
        if (count == 0) {
          std::fill_n(s, wide, Real{0});
          continue;
        }
        const Real top = std::max(tops[i], top_of(s, count));
        if (top == -std::numeric_limits<Real>::infinity()) {  // all hidden by the scores themselves
          std::fill_n(s, wide, Real{0});
          continue;
        }
        const Real shrink = j0 > first_tile ? std::exp(tops[i] - top) : 0;
        sums[i] = sums[i] * shrink + sum(exponentials(s, count, wide, top));
        if (j0 > first_tile && shrink != 1)
          for (Index j = 0; j < d; j += Vec::width)
            (Vec(shrink) * Vec::load(out + i * d + j)).store(out + i * d + j);
        tops[i] = top;
        if (shape.dropout.active()) multiply(wide, mask + i * mask_ld + c.skipped, s);
      }
      if (by_element) {
        for_seen(shape, t, i0, rows, c, scores, ld, [&](Index i, Index key, Real weight) {
          add_scaled_row(d, weight, values + key * d, out + i * d);
        });
      } else {
        query_sums(edge, rows, t, c, scores, ld, values, out, seen);
      }
    }
    unpack(
        rows, t.width, out, [&](Index i) { return sums[i] > 0 ? 1 / sums[i] : Real{0}; },
        t.query(y, i0), y.stride, y.mode);
    for (Index i = 0; i < rows;
         ++i)  // a row that sees nothing: exp(s - infinity) is zero in backward too
      log_sums[(t.query_begin + i0 + i) * shape.heads + t.head] =
          sums[i] > 0 ? tops[i] + std::log(sums[i]) : std::numeric_limits<Real>::infinity();
    if (!weights) continue;
    for (Index j0 = 0; j0 < t.keys; j0 += key_tile) {
      const Index columns = std::min(key_tile, t.keys - j0);
      key_products(false, rows, t, Columns(j0, 0, t.keys), queries, keys, scores, ld,
                   [](Index) { return Index{0}; });
      for (Index i = 0; i < rows; ++i) {
        const Index count = finish(shape, t, i0 + i, j0, columns, scores + i * ld);
        exponentials(scores + i * ld, count, padded(columns),
                     log_sums[(t.query_begin + i0 + i) * shape.heads + t.head]);
        std::copy_n(scores + i * ld, columns,
                    weights + (t.head * t.queries + i0 + i) * t.keys + j0);
      }
    }
  }
}

/// Scratch memory of backward, and what the heads that share keys share.
struct BackwardSpace {
  // (query tile, d) each
  Real* queries;
  Real* douts;
  Real* dqueries;
  // the first two panels (width, 64), the others (keys, d); the last two null
  // where nobody wants them
  Real* keys_t;
  Real* values_t;
  Real* keys;
  Real* dkeys;
  Real* dvalues;
  // tiles
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

/// Whether all that a tile of queries reads is finite, by the sums over it: what is not in a query
/// or a key makes the log_sum of a row that sees it infinite or no number, what is not in a value
/// or in dy the dot. Each key of the tile is seen by one of its queries, unless there is a window.
bool finite_rows(const AttentionShape& shape, const Task& t, Index i0, Index rows,
                 const Real* log_sums, const Real* dots) {
  Real zero = 0;
  for (Index i = 0; i < rows; ++i) {
    const Real log_sum = log_sums[(t.query_begin + i0 + i) * shape.heads + t.head];
    zero += (log_sum + dots[i]) * 0;
  }
  return zero == 0;
}

void backward(const AttentionShape& shape, const Task& t, Rows q, Rows y, const Real* log_sums,
              Rows dy, MutableRows dq, const BackwardSpace& w) {
  const Index d = t.padded_width;
  const Index ld = tile_stride(t);
  const Index mask_ld = mask_tile_stride(t);
  for (Index i0 = 0; i0 < t.queries; i0 += query_tile) {
    const Index rows = std::min(query_tile, t.queries - i0);
    pack(rows, t.width, t.query(q, i0), q.stride, shape.scale, w.queries);
    pack(rows, t.width, t.query(dy, i0), dy.stride, 1, w.douts);
    std::fill_n(w.dqueries, rows * d, Real{0});
    Real dots[query_tile];  // sum_j p_ij dp_ij = y_i . dy_i
    for (Index i = 0; i < rows; ++i) {
      const Real* a = t.query(y, i0 + i);
      const Real* b = t.query(dy, i0 + i);
      Vec dot = Real{0};
      Index j = 0;
      for (; j + Vec::width <= t.width; j += Vec::width)
        dot = multiply_add(Vec::load(a + j), Vec::load(b + j), dot);
      if (j < t.width)
        dot = multiply_add(Vec::load(a + j, t.width - j), Vec::load(b + j, t.width - j), dot);
      dots[i] = sum(dot);
    }
    const bool by_element =
        shape.hides() && !(w.finite_keys && finite_rows(shape, t, i0, rows, log_sums, dots));
    const Index first = t.visible(shape, i0).begin;
    const Index last = t.visible(shape, i0 + rows - 1).end;
    for (Index j0 = first / key_tile * key_tile; j0 < last; j0 += key_tile) {
      const Columns c(j0, first, last);
      const Index wide = padded(c.count);
      const auto seen = [&](Index i) {
        return std::clamp<Index>(t.visible(shape, i0 + i).end - c.begin, 0, c.count);
      };
      const bool edge = seen(0) < c.count;
      key_products(edge, rows, t, c, w.queries, w.keys_t, w.p, ld, seen);
      key_products(edge, rows, t, c, w.douts, w.values_t, w.dp, ld, seen);
      if (shape.dropout.active())
        mask_tile(shape.dropout, t, i0, rows, j0, c.skipped + c.count, mask_ld, w.mask);
      for (Index i = 0; i < rows; ++i) {
        Real* weights = w.p + i * ld;
        Real* gradients = w.dp + i * ld;
        const Index count = finish(shape, t, i0 + i, c.begin, c.count, weights);
        exponentials(weights, count, wide,
                     log_sums[(t.query_begin + i0 + i) * shape.heads + t.head]);
        const Vec dot = dots[i];
        const Index some = padded(count);  // what lies beyond was not computed
        if (shape.dropout.active()) {
          const Real* keep = w.mask + i * mask_ld + c.skipped;
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
      // dV += P^T dY, dK += dS^T Q, dQ += dS K
      if (by_element) {
        for_seen(shape, t, i0, rows, c, w.p, ld, [&](Index i, Index key, Real weight) {
          if (w.dvalues) add_scaled_row(d, weight, w.douts + i * d, w.dvalues + key * d);
        });
        for_seen(shape, t, i0, rows, c, w.dp, ld, [&](Index i, Index key, Real gradient) {
          if (w.dkeys) add_scaled_row(d, gradient, w.queries + i * d, w.dkeys + key * d);
          if (dq.data) add_scaled_row(d, gradient, w.keys + key * d, w.dqueries + i * d);
        });
        continue;
      }
      if (w.dvalues) key_sums(edge, rows, t, c, w.p, ld, w.douts, w.dvalues, seen);
      if (w.dkeys) key_sums(edge, rows, t, c, w.dp, ld, w.queries, w.dkeys, seen);
      if (dq.data) query_sums(edge, rows, t, c, w.dp, ld, w.keys, w.dqueries, seen);
    }
    if (dq.data)
      unpack(
          rows, t.width, w.dqueries, [&](Index) { return shape.scale; }, t.query(dq, i0), dq.stride,
          dq.mode);
  }
}

void backward(const AttentionShape& shape, Index sequence, Index kv_head, Rows q, Rows k, Rows v,
              Rows y, const Real* log_sums, Rows dy, MutableRows dq, MutableRows dk, MutableRows dv,
              Real* work) {
  const Index group = shape.heads / shape.kv_heads;
  const Task t(shape, sequence, kv_head * group);
  const Index d = t.padded_width;
  BackwardSpace space(t, work);
  pack_panels(t, t.key(k), k.stride, space.keys_t);
  pack_panels(t, t.key(v), v.stride, space.values_t);
  pack(t.keys, t.width, t.key(k), k.stride, 1, space.keys);
  if (shape.window > 0) {
    const bool values = all_finite(t.keys, t.width, t.key(v), v.stride);
    space.finite_keys = values && all_finite(t.keys, t.width, t.key(k), k.stride);
  }
  for (auto [out, wanted] : {std::pair(&space.dkeys, dk.data != nullptr),
                             std::pair(&space.dvalues, dv.data != nullptr)}) {
    if (wanted)
      std::fill_n(*out, t.keys * d, Real{0});
    else
      *out = nullptr;
  }
  for (Index head = t.head; head < t.head + group; ++head)
    backward(shape, Task(shape, sequence, head), q, y, log_sums, dy, dq, space);
  const auto one = [](Index) { return Real{1}; };
  if (dk.data) unpack(t.keys, t.width, space.dkeys, one, t.key(dk), dk.stride, dk.mode);
  if (dv.data) unpack(t.keys, t.width, space.dvalues, one, t.key(dv), dv.stride, dv.mode);
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

void attention(const AttentionShape& shape, Rows q, Rows k, Rows v, MutableRows y, Real* log_sums,
               Real* const* weights, Real* workspace) {
  const Index numbers = padded(attention_workspace(shape));
  parallel_for_workers(shape.sequences * shape.heads, tasks_grain(shape, 1),
                       [&](Index begin, Index end, int worker) {
                         for (Index i = begin; i < end; ++i)
                           forward(shape, Task(shape, i / shape.heads, i % shape.heads), q, k, v, y,
                                   log_sums, weights ? weights[i / shape.heads] : nullptr,
                                   workspace + worker * numbers);
                       });
}

void attention_backward(const AttentionShape& shape, Rows q, Rows k, Rows v, Rows y,
                        const Real* log_sums, Rows dy, MutableRows dq, MutableRows dk,
                        MutableRows dv, Real* workspace) {
  const Index numbers = padded(attention_backward_workspace(shape));
  parallel_for_workers(shape.sequences * shape.kv_heads,
                       tasks_grain(shape, shape.heads / shape.kv_heads),
                       [&](Index begin, Index end, int worker) {
                         for (Index i = begin; i < end; ++i)
                           backward(shape, i / shape.kv_heads, i % shape.kv_heads, q, k, v, y,
                                    log_sums, dy, dq, dk, dv, workspace + worker * numbers);
                       });
}

}  // namespace heed::kernels
