#include "framework/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/kernels/parallel.h"
#include "framework/kernels/tile.h"

// One task is one sequence and head. Its operands are packed to rows of whole vectors (and the keys, and for backward the values,
// transposed), so that all products are tile_product's and only packing and unpacking know the true extents.

namespace heed::kernels {

namespace {

constexpr Index query_tile = 64, key_tile = 128;  // a tile of scores is 32 KB
static_assert(key_tile % dropout_block == 0);

/// The stride of scores in the dropout mask's numbering: whole blocks a row where rows are long, so that a tile's row is blocks.
Index mask_stride(Index keys) { return keys <= key_tile ? padded(keys) : (keys + dropout_block - 1) / dropout_block * dropout_block; }

struct Task {
  Index queries, keys, head, pair;  // pair: its number among sequences x heads
  Index query_begin, key_begin;
  Index width, padded_width, padded_keys;

  Task(const AttentionShape& s, Index number)
      : head(number % s.heads), pair(number), width(s.width), padded_width(padded(s.width)) {
    const Index i = number / s.heads;
    queries = s.query_lengths[i], keys = s.key_lengths[i];
    query_begin = s.query_begins[i], key_begin = s.key_begins[i];
    padded_keys = padded(keys);
  }
  const Real* at(Rows rows, Index begin) const { return rows.data + begin * rows.stride + head * width; }
  Real* at(MutableRows rows, Index begin) const { return rows.data + begin * rows.stride + head * width; }
  /// How many keys query i sees.
  Index visible(const AttentionShape& s, Index i) const { return s.causal ? std::clamp<Index>(i + 1 + keys - queries, 0, keys) : keys; }
};

/// to (rows, padded width) = from * factor, the padding zero
void pack(Index rows, Index width, const Real* from, Index stride, Real factor, Real* to) {
  const Vec f = factor;
  const Index ld = padded(width);
  for (Index i = 0; i < rows; ++i, from += stride, to += ld) {
    transform_serial(width, to, Mode::assign, [f](Vec a) { return f * a; }, from);
    std::fill(to + width, to + ld, Real{0});
  }
}

/// to (width, padded rows) = from^T, the padding zero
void pack_transposed(Index rows, Index width, const Real* from, Index stride, Real* to) {
  const Index ld = padded(rows);
  constexpr Index square = 16;
  for (Index i0 = 0; i0 < rows; i0 += square)
    for (Index j0 = 0; j0 < width; j0 += square)
      for (Index j = j0; j < std::min(width, j0 + square); ++j)
        for (Index i = i0; i < std::min(rows, i0 + square); ++i) to[j * ld + i] = from[i * stride + j];
  for (Index j = 0; j < width; ++j) std::fill(to + j * ld + rows, to + (j + 1) * ld, Real{0});
}

/// to = or += from * factor(row)
template <class Factor>
void unpack(Index rows, Index width, const Real* from, Factor factor, Real* to, Index stride, Mode mode) {
  const Index ld = padded(width);
  for (Index i = 0; i < rows; ++i) {
    const Vec f = factor(i);
    transform_serial(width, to + i * stride, mode, [f](Vec a) { return f * a; }, from + i * ld);
  }
}

/// mask (rows, ld) for queries [i0, i0 + rows) and keys [j0, ...): ld is a tile's stride.
void mask_tile(const Dropout& dropout, const Task& t, Index i0, Index rows, Index j0, Index columns, Index ld, Real* mask) {
  Dropout own = dropout;
  own.key.stream = mix(dropout.key.stream, static_cast<std::uint64_t>(t.pair));
  const Index stride = mask_stride(t.keys);
  if (t.keys <= key_tile) {  // the tile is a run of whole rows: i0 * stride must begin a block
    dropout_mask(own, i0 * stride / dropout_block, rows * stride, mask);
  } else {
    for (Index i = 0; i < rows; ++i) dropout_mask(own, ((i0 + i) * stride + j0) / dropout_block, columns, mask + i * ld);
  }
}
static_assert(query_tile * padded(1) % dropout_block == 0, "tiles of short sequences begin at whole blocks of the mask");

constexpr Index tile_numbers = query_tile * key_tile + dropout_block;

Index tile_stride(const Task& t) { return t.keys <= key_tile ? t.padded_keys : key_tile; }

/// s[j] for j < count becomes exp(s[j] - top), beyond it zero, up to the padded width.
inline Vec exponentials(Real* s, Index count, Index width, Vec top) {
  Vec total = Real{0};
  alignas(64) static constexpr struct Lanes {
    Real value[Vec::width];
    constexpr Lanes() : value() {
      for (Index i = 0; i < Vec::width; ++i) value[i] = static_cast<Real>(i);
    }
  } lanes;
  Index j = 0;
  for (; j + Vec::width <= count; j += Vec::width) {
    const Vec e = exp(Vec::load(s + j) - top);
    e.store(s + j);
    total = total + e;
  }
  if (j < count) {
    const Vec e = select(less(Vec::load(lanes.value), Vec(static_cast<Real>(count - j))), exp(Vec::load(s + j) - top), Vec(Real{0}));
    e.store(s + j);
    total = total + e;
    j += Vec::width;
  }
  for (; j < width; j += Vec::width) Vec(Real{0}).store(s + j);
  return total;
}

Real top_of(const Real* s, Index count) {
  Vec top = -std::numeric_limits<Real>::infinity();
  Index j = 0;
  for (; j + Vec::width <= count; j += Vec::width) top = max(top, Vec::load(s + j));
  Real best = max(top);
  for (; j < count; ++j) best = std::max(best, s[j]);
  return best;
}

void multiply(Index n, const Real* mask, Real* s) {
  for (Index j = 0; j < n; j += Vec::width) (Vec::load(mask + j) * Vec::load(s + j)).store(s + j);
}

void forward(const AttentionShape& shape, const Task& t, Rows q, Rows k, Rows v, MutableRows y, Real* log_sums, Real* weights, Real* work) {
  const Index d = t.padded_width;
  Real* const queries = work;
  Real* const keys = queries + query_tile * d;            // (width, padded keys)
  Real* const values = keys + t.width * t.padded_keys;    // (keys, d)
  Real* const out = values + t.padded_keys * d;           // (query tile, d)
  Real* const scores = out + query_tile * d;
  Real* const mask = scores + tile_numbers;
  pack_transposed(t.keys, t.width, t.at(k, t.key_begin), k.stride, keys);
  pack(t.keys, t.width, t.at(v, t.key_begin), v.stride, 1, values);
  const Index ld = tile_stride(t);
  for (Index i0 = 0; i0 < t.queries; i0 += query_tile) {
    const Index rows = std::min(query_tile, t.queries - i0);
    pack(rows, t.width, t.at(q, t.query_begin + i0), q.stride, shape.scale, queries);
    Real tops[query_tile], sums[query_tile];
    std::fill_n(tops, rows, -std::numeric_limits<Real>::infinity()), std::fill_n(sums, rows, Real{0});
    std::fill_n(out, rows * d, Real{0});
    const Index seen = t.visible(shape, i0 + rows - 1);
    for (Index j0 = 0; j0 < seen; j0 += key_tile) {
      const Index columns = std::min(key_tile, seen - j0), wide = padded(columns);
      tile_product(rows, wide, t.width, queries, d, 1, keys + j0, t.padded_keys, scores, ld, Mode::assign);
      if (shape.dropout.active()) mask_tile(shape.dropout, t, i0, rows, j0, columns, ld, mask);
      for (Index i = 0; i < rows; ++i) {
        Real* s = scores + i * ld;
        const Index count = std::clamp<Index>(t.visible(shape, i0 + i) - j0, 0, columns);
        const Real top = std::max(tops[i], top_of(s, count));
        if (count == 0) {
          std::fill_n(s, wide, Real{0});
          continue;
        }
        const Real shrink = std::exp(tops[i] - top);  // 0 on the first tile
        sums[i] = sums[i] * shrink + sum(exponentials(s, count, wide, top));
        if (j0 > 0 && shrink != 1)
          for (Index j = 0; j < d; j += Vec::width) (Vec(shrink) * Vec::load(out + i * d + j)).store(out + i * d + j);
        tops[i] = top;
        if (shape.dropout.active()) multiply(wide, mask + i * ld, s);
      }
      tile_product(rows, d, columns, scores, ld, 1, values + j0 * d, d, out, d, Mode::accumulate);
    }
    unpack(rows, t.width, out, [&](Index i) { return sums[i] > 0 ? 1 / sums[i] : Real{0}; }, t.at(y, t.query_begin + i0), y.stride, y.mode);
    for (Index i = 0; i < rows; ++i)  // a row that sees nothing: exp(s - infinity) is zero in backward too
      log_sums[(t.query_begin + i0 + i) * shape.heads + t.head] =
          sums[i] > 0 ? tops[i] + std::log(sums[i]) : std::numeric_limits<Real>::infinity();
    if (!weights) continue;
    for (Index j0 = 0; j0 < t.keys; j0 += key_tile) {
      const Index columns = std::min(key_tile, t.keys - j0);
      tile_product(rows, padded(columns), t.width, queries, d, 1, keys + j0, t.padded_keys, scores, ld, Mode::assign);
      for (Index i = 0; i < rows; ++i) {
        const Index count = std::clamp<Index>(t.visible(shape, i0 + i) - j0, 0, columns);
        exponentials(scores + i * ld, count, padded(columns), log_sums[(t.query_begin + i0 + i) * shape.heads + t.head]);
        std::copy_n(scores + i * ld, columns, weights + (t.head * t.queries + i0 + i) * t.keys + j0);
      }
    }
  }
}

void backward(const AttentionShape& shape, const Task& t, Rows q, Rows k, Rows v, Rows y, const Real* log_sums, Rows dy, MutableRows dq,
              MutableRows dk, MutableRows dv, Real* work) {
  const Index d = t.padded_width;
  Real* const queries = work;                            // (query tile, d)
  Real* const douts = queries + query_tile * d;          // (query tile, d)
  Real* const dqueries = douts + query_tile * d;         // (query tile, d)
  Real* const keys_t = dqueries + query_tile * d;        // (width, padded keys)
  Real* const values_t = keys_t + t.width * t.padded_keys;
  Real* const keys = values_t + t.width * t.padded_keys; // (keys, d)
  Real* const dkeys = keys + t.padded_keys * d;          // (keys, d)
  Real* const dvalues = dkeys + t.padded_keys * d;       // (keys, d)
  Real* const p = dvalues + t.padded_keys * d;           // tiles
  Real* const dp = p + tile_numbers;
  Real* const mask = dp + tile_numbers;
  pack_transposed(t.keys, t.width, t.at(k, t.key_begin), k.stride, keys_t);
  pack_transposed(t.keys, t.width, t.at(v, t.key_begin), v.stride, values_t);
  pack(t.keys, t.width, t.at(k, t.key_begin), k.stride, 1, keys);
  std::fill_n(dkeys, t.keys * d, Real{0}), std::fill_n(dvalues, t.keys * d, Real{0});
  const Index ld = tile_stride(t);
  for (Index i0 = 0; i0 < t.queries; i0 += query_tile) {
    const Index rows = std::min(query_tile, t.queries - i0);
    pack(rows, t.width, t.at(q, t.query_begin + i0), q.stride, shape.scale, queries);
    pack(rows, t.width, t.at(dy, t.query_begin + i0), dy.stride, 1, douts);
    std::fill_n(dqueries, rows * d, Real{0});
    Real dots[query_tile];  // sum_j p_ij dp_ij = y_i . dy_i
    for (Index i = 0; i < rows; ++i) {
      const Real *a = t.at(y, t.query_begin + i0 + i), *b = t.at(dy, t.query_begin + i0 + i);
      Vec dot = Real{0};
      Index j = 0;
      for (; j + Vec::width <= t.width; j += Vec::width) dot = multiply_add(Vec::load(a + j), Vec::load(b + j), dot);
      if (j < t.width) dot = multiply_add(Vec::load(a + j, t.width - j), Vec::load(b + j, t.width - j), dot);
      dots[i] = sum(dot);
    }
    const Index seen = t.visible(shape, i0 + rows - 1);
    for (Index j0 = 0; j0 < seen; j0 += key_tile) {
      const Index columns = std::min(key_tile, seen - j0), wide = padded(columns);
      tile_product(rows, wide, t.width, queries, d, 1, keys_t + j0, t.padded_keys, p, ld, Mode::assign);
      tile_product(rows, wide, t.width, douts, d, 1, values_t + j0, t.padded_keys, dp, ld, Mode::assign);
      if (shape.dropout.active()) mask_tile(shape.dropout, t, i0, rows, j0, columns, ld, mask);
      for (Index i = 0; i < rows; ++i) {
        const Index count = std::clamp<Index>(t.visible(shape, i0 + i) - j0, 0, columns);
        exponentials(p + i * ld, count, wide, log_sums[(t.query_begin + i0 + i) * shape.heads + t.head]);
        const Vec dot = dots[i];
        Real *weights = p + i * ld, *gradients = dp + i * ld;
        if (shape.dropout.active()) {
          const Real* keep = mask + i * ld;
          for (Index j = 0; j < wide; j += Vec::width) {
            const Vec w = Vec::load(weights + j), m = Vec::load(keep + j);
            (w * (m * Vec::load(gradients + j) - dot)).store(gradients + j);
            (w * m).store(weights + j);
          }
        } else {
          for (Index j = 0; j < wide; j += Vec::width) (Vec::load(weights + j) * (Vec::load(gradients + j) - dot)).store(gradients + j);
        }
      }
      tile_product(columns, d, rows, p, 1, ld, douts, d, dvalues + j0 * d, d, Mode::accumulate);   // dV += P^T dY
      tile_product(columns, d, rows, dp, 1, ld, queries, d, dkeys + j0 * d, d, Mode::accumulate);  // dK += dS^T Q
      tile_product(rows, d, columns, dp, ld, 1, keys + j0 * d, d, dqueries, d, Mode::accumulate);  // dQ += dS K
    }
    if (dq.data) unpack(rows, t.width, dqueries, [&](Index) { return shape.scale; }, t.at(dq, t.query_begin + i0), dq.stride, dq.mode);
  }
  const auto one = [](Index) { return Real{1}; };
  if (dk.data) unpack(t.keys, t.width, dkeys, one, t.at(dk, t.key_begin), dk.stride, dk.mode);
  if (dv.data) unpack(t.keys, t.width, dvalues, one, t.at(dv, t.key_begin), dv.stride, dv.mode);
}

/// Sequences and heads a piece: enough work for a thread.
Index tasks_grain(const AttentionShape& s) {
  return grain_of((s.longest_query + 1) * (s.longest_key + 1) * (s.width + 8));
}

}  // namespace

Index attention_workspace(const AttentionShape& s) {
  const Index d = padded(s.width), keys = padded(s.longest_key);
  return 2 * query_tile * d + s.width * keys + keys * d + 2 * tile_numbers;
}

Index attention_backward_workspace(const AttentionShape& s) {
  const Index d = padded(s.width), keys = padded(s.longest_key);
  return 3 * query_tile * d + 2 * s.width * keys + 3 * keys * d + 3 * tile_numbers;
}

void attention(const AttentionShape& shape, Rows q, Rows k, Rows v, MutableRows y, Real* log_sums, Real* const* weights, Real* workspace) {
  const Index numbers = padded(attention_workspace(shape));
  parallel_for_workers(shape.sequences * shape.heads, tasks_grain(shape), [&](Index begin, Index end, int worker) {
    for (Index i = begin; i < end; ++i)
      forward(shape, Task(shape, i), q, k, v, y, log_sums, weights ? weights[i / shape.heads] : nullptr, workspace + worker * numbers);
  });
}

void attention_backward(const AttentionShape& shape, Rows q, Rows k, Rows v, Rows y, const Real* log_sums, Rows dy, MutableRows dq,
                        MutableRows dk, MutableRows dv, Real* workspace) {
  const Index numbers = padded(attention_backward_workspace(shape));
  parallel_for_workers(shape.sequences * shape.heads, tasks_grain(shape), [&](Index begin, Index end, int worker) {
    for (Index i = begin; i < end; ++i)
      backward(shape, Task(shape, i), q, k, v, y, log_sums, dy, dq, dk, dv, workspace + worker * numbers);
  });
}

}  // namespace heed::kernels
