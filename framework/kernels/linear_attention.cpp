#include "framework/kernels/linear_attention.h"

#include <utility>

#include "framework/kernels/pack.h"
#include "framework/kernels/parallel.h"

// One task is one sequence and head. Values carry a column of ones behind them, so that the sums of
// f(k_j) v_j and of f(k_j) are one matrix, the state (width, wide). Positions are taken in tiles:
// what lies before a tile is in the state, what lies within it is multiplied out and masked.
// Gradients towards keys and values need the state of what comes after, so backward runs both ways.

namespace heed::kernels {

namespace {

constexpr Index tile = 64;

/// x becomes elu(x) + 1.
Vec feature(Vec x) { return select(less(Vec(Real{0}), x), x + Vec(1), exp(x)); }

struct Task {
  // ld = padded(width)
  Index queries;
  Index keys;
  Index head;
  Index query_begin;
  Index key_begin;
  Index width;
  Index ld;
  Index wide;
  bool causal;

  Task(const AttentionShape& s, Index number)
      : queries(s.query_lengths[number / s.heads]),
        keys(s.key_lengths[number / s.heads]),
        head(number % s.heads),
        query_begin(s.query_begins[number / s.heads]),
        key_begin(s.key_begins[number / s.heads]),
        width(s.width),
        ld(padded(s.width)),
        wide(padded(s.width + 1)),
        causal(s.causal) {}
  auto* query(auto rows, Index i) const {
    return rows.data + (query_begin + i) * rows.stride + head * width;
  }
  auto* key(auto rows, Index j) const {
    return rows.data + (key_begin + j) * rows.stride + head * width;
  }
  /// Keys that every query of the tile at i0 sees, and those that only its later ones do.
  Index before(Index i0) const {
    return causal ? std::clamp<Index>(i0 + keys - queries, 0, keys) : keys;
  }
  Index until(Index i0, Index rows) const {
    return causal ? std::clamp<Index>(i0 + rows + keys - queries, 0, keys) : keys;
  }
};

/// Scratch memory, and what goes in and out of it.
struct Space {
  const Task& t;
  // features, (tile, ld)
  Real* fq;
  Real* fk;
  Real* turned;  // fk or values transposed, (max(width, wide), tile)
                 // (tile, wide)
  Real* values;
  Real* numerators;
  // (tile, tile)
  Real* scores;
  Real* dscores;
  // (width, wide), (wide, ld)
  Real* state;
  Real* state_turned;
  Real* out;  // (tile, max(ld, wide))

  static Index numbers(Index width) {
    const Index ld = padded(width);
    const Index wide = padded(width + 1);
    return 2 * tile * ld + wide * tile + 2 * tile * wide + 2 * tile * tile + width * wide +
           wide * ld + tile * wide;
  }
  Space(const Task& task, Real* work) : t(task) {
    const auto take = [&](Index n) { return std::exchange(work, work + n); };
    fq = take(tile * t.ld);
    fk = take(tile * t.ld);
    turned = take(t.wide * tile);
    values = take(tile * t.wide);
    numerators = take(tile * t.wide);
    scores = take(tile * tile);
    dscores = take(tile * tile);
    state = take(t.width * t.wide);
    state_turned = take(t.wide * t.ld);
    out = take(tile * t.wide);
  }

  void features(const Real* from, Index stride, Index rows, Real* to) const {
    for (Index i = 0; i < rows; ++i) {
      transform_serial(t.width, to + i * t.ld, Mode::assign, feature, from + i * stride);
      std::fill(to + i * t.ld + t.width, to + (i + 1) * t.ld, Real{0});
    }
  }
  void load_queries(Rows q, Index i0, Index rows) const {
    features(t.query(q, i0), q.stride, rows, fq);
  }
  void load_keys(Rows k, Rows v, Index j0, Index rows) const {
    features(t.key(k, j0), k.stride, rows, fk);
    for (Index j = 0; j < rows; ++j) {
      Real* to = values + j * t.wide;
      std::copy_n(t.key(v, j0 + j), t.width, to);
      std::fill(to + t.width, to + t.wide, Real{0});
      to[t.width] = 1;
    }
  }
  /// The gradients of numerators and denominators: y = n / s, so dn = dy / s and ds = -(dy . y) /
  /// s.
  void load_gradients(Rows y, Rows dy, const Real* shares, Index heads, Index i0,
                      Index rows) const {
    for (Index i = 0; i < rows; ++i) {
      const Real share = shares[(t.query_begin + i0 + i) * heads + t.head];
      const Real* a = t.query(y, i0 + i);
      const Real* b = t.query(dy, i0 + i);
      Real* to = numerators + i * t.wide;
      Real dot = 0;
      for (Index c = 0; c < t.width; ++c) {
        to[c] = share * b[c];
        dot += a[c] * b[c];
      }
      to[t.width] = -share * dot;
      std::fill(to + t.width + 1, to + t.wide, Real{0});
    }
  }
  void clear_state() const { std::fill_n(state, t.width * t.wide, Real{0}); }
  /// state += features^T rows
  void remember(const Real* f, const Real* rows_of, Index rows) const {
    tile_product(t.width, t.wide, rows, f, 1, t.ld, rows_of, t.wide, state, t.wide,
                 Mode::accumulate);
  }
  void remember_keys(Rows k, Rows v, Index begin, Index end) const {
    for (Index j0 = begin; j0 < end; j0 += tile) {
      const Index rows = std::min(tile, end - j0);
      load_keys(k, v, j0, rows);
      remember(fk, values, rows);
    }
  }
  /// scores (rows of queries, columns of keys) = a b^T with c columns, 0 where key j0 + j comes
  /// after query i0 + i
  void multiply(const Real* a, Index a_ld, const Real* b, Index b_ld, Index c, Index i0, Index rows,
                Index j0, Index columns, Real* to) const {
    pack_transposed(columns, c, b, b_ld, turned);
    tile_product(rows, padded(columns), c, a, a_ld, 1, turned, padded(columns), to, tile,
                 Mode::assign);
    for (Index i = 0; i < rows; ++i) {
      const Index seen = std::clamp<Index>(i0 + i + t.keys - t.queries + 1 - j0, 0, columns);
      std::fill(to + i * tile + seen, to + i * tile + padded(columns), Real{0});
    }
  }
};

/// dx = or += df f'(x), where f' = min(f, 1)
void feature_gradient(Index width, const Real* df, const Real* f, Real* dx, Mode mode) {
  transform_serial(
      width, dx, mode, [](Vec g, Vec y) { return g * min(y, Vec(1)); }, df, f);
}

void forward(const Task& t, Index heads, Rows q, Rows k, Rows v, MutableRows y, Real* shares,
             Real* weights, Real* work) {
  const Space s(t, work);
  s.clear_state();
  Index known = 0;
  for (Index i0 = 0; i0 < t.queries; i0 += tile) {
    const Index rows = std::min(tile, t.queries - i0);
    const Index begin = t.before(i0);

    const Index local = t.until(i0, rows) - begin;
    s.remember_keys(k, v, known, begin);
    known = begin;
    s.load_queries(q, i0, rows);
    tile_product(rows, t.wide, t.width, s.fq, t.ld, 1, s.state, t.wide, s.numerators, t.wide,
                 Mode::assign);
    if (local > 0) {
      s.load_keys(k, v, begin, local);
      s.multiply(s.fq, t.ld, s.fk, t.ld, t.width, i0, rows, begin, local, s.scores);
      tile_product(rows, t.wide, local, s.scores, tile, 1, s.values, t.wide, s.numerators, t.wide,
                   Mode::accumulate);
    }
    for (Index i = 0; i < rows; ++i) {
      const Real* n = s.numerators + i * t.wide;
      const Real total = n[t.width];
      const Real share = total > 0 ? 1 / total : Real{0};
      shares[(t.query_begin + i0 + i) * heads + t.head] = share;
      transform_serial(
          t.width, t.query(y, i0 + i), y.mode, [share](Vec a) { return a * Vec(share); }, n);
    }
    if (!weights) continue;
    for (Index j0 = 0; j0 < t.keys; j0 += tile) {
      const Index columns = std::min(tile, t.keys - j0);
      s.load_keys(k, v, j0, columns);
      for (Index i = 0; i < rows; ++i)
        for (Index j = 0; j < columns; ++j) {
          Real total = 0;
          for (Index c = 0; c < t.width; ++c)
            total += s.fq[i * t.ld + c] * s.fk[j * t.ld + c];
          const bool seen = !t.causal || j0 + j <= i0 + i + t.keys - t.queries;
          weights[(t.head * t.queries + i0 + i) * t.keys + j0 + j] =
              seen ? total * shares[(t.query_begin + i0 + i) * heads + t.head] : Real{0};
        }
    }
  }
}

/// Gradients of keys [begin, begin + rows), loaded, from the state of the queries after them, and
/// where there is one, from this tile's.
void give_keys(const Space& s, Index begin, Index rows, Index local_queries, MutableRows dk,
               MutableRows dv) {
  const Task& t = s.t;
  const auto product = [&](const Real* a, Index a_row, Index a_step, Index inner, const Real* b,
                           Index columns, Mode mode) {
    tile_product(rows, columns, inner, a, a_row, a_step, b, columns, s.out, columns, mode);
  };
  if (dk.data) {  // df_j = G v_j + sum_i dscores_ij f(q_i)
    product(s.values, t.wide, 1, t.wide, s.state_turned, t.ld, Mode::assign);
    product(s.dscores, 1, tile, local_queries, s.fq, t.ld, Mode::accumulate);
    for (Index j = 0; j < rows; ++j)
      feature_gradient(t.width, s.out + j * t.ld, s.fk + j * t.ld, t.key(dk, begin + j), dk.mode);
  }
  if (dv.data) {  // dv_j = G^T f(k_j) + sum_i scores_ij dn_i
    product(s.fk, t.ld, 1, t.width, s.state, t.wide, Mode::assign);
    product(s.scores, 1, tile, local_queries, s.numerators, t.wide, Mode::accumulate);
    for (Index j = 0; j < rows; ++j)
      transform_serial(
          t.width, t.key(dv, begin + j), dv.mode, [](Vec a) { return a; }, s.out + j * t.wide);
  }
}

void backward(const Task& t, Index heads, Rows q, Rows k, Rows v, Rows y, const Real* shares,
              Rows dy, MutableRows dq, MutableRows dk, MutableRows dv, Real* work) {
  const Space s(t, work);
  s.clear_state();
  Index known = 0;
  // df_i = S dn_i + sum_j dscores_ij f(k_j)
  for (Index i0 = 0; dq.data && i0 < t.queries; i0 += tile) {
    const Index rows = std::min(tile, t.queries - i0);
    const Index begin = t.before(i0);

    const Index local = t.until(i0, rows) - begin;
    s.remember_keys(k, v, known, begin);
    known = begin;
    s.load_queries(q, i0, rows);
    s.load_gradients(y, dy, shares, heads, i0, rows);
    pack_transposed(t.width, t.wide, s.state, t.wide, s.state_turned);
    tile_product(rows, t.ld, t.wide, s.numerators, t.wide, 1, s.state_turned, t.ld, s.out, t.ld,
                 Mode::assign);
    if (local > 0) {
      s.load_keys(k, v, begin, local);
      s.multiply(s.numerators, t.wide, s.values, t.wide, t.wide, i0, rows, begin, local, s.dscores);
      tile_product(rows, t.ld, local, s.dscores, tile, 1, s.fk, t.ld, s.out, t.ld,
                   Mode::accumulate);
    }
    for (Index i = 0; i < rows; ++i)
      feature_gradient(t.width, s.out + i * t.ld, s.fq + i * t.ld, t.query(dq, i0 + i), dq.mode);
  }
  if (!dk.data && !dv.data) return;
  s.clear_state();  // now the sum of f(q_i) dn_i over later queries
  for (Index i0 = (t.queries - 1) / tile * tile; i0 >= 0 && t.queries > 0; i0 -= tile) {
    const Index rows = std::min(tile, t.queries - i0);
    const Index begin = t.before(i0);

    const Index local = t.until(i0, rows) - begin;
    s.load_queries(q, i0, rows);
    s.load_gradients(y, dy, shares, heads, i0, rows);
    if (local > 0) {
      s.load_keys(k, v, begin, local);
      s.multiply(s.fq, t.ld, s.fk, t.ld, t.width, i0, rows, begin, local, s.scores);
      s.multiply(s.numerators, t.wide, s.values, t.wide, t.wide, i0, rows, begin, local, s.dscores);
      pack_transposed(t.width, t.wide, s.state, t.wide, s.state_turned);
      give_keys(s, begin, local, rows, dk, dv);
    }
    s.remember(s.fq, s.numerators, rows);
  }
  pack_transposed(t.width, t.wide, s.state, t.wide, s.state_turned);
  const Index rest = t.queries > 0 ? t.before(0) : t.keys;  // keys that all queries see
  for (Index j0 = 0; j0 < rest; j0 += tile) {
    const Index rows = std::min(tile, rest - j0);
    s.load_keys(k, v, j0, rows);
    give_keys(s, j0, rows, 0, dk, dv);
  }
}

Index tasks_grain(const AttentionShape& s) {
  return grain_of((s.longest_query + s.longest_key + 1) * s.width * (s.width + tile));
}

}  // namespace

Index linear_attention_workspace(const AttentionShape& shape) {
  return Space::numbers(shape.width);
}

void linear_attention(const AttentionShape& shape, Rows q, Rows k, Rows v, MutableRows y,
                      Real* shares, Real* const* weights, Real* workspace) {
  const Index numbers = padded(linear_attention_workspace(shape));
  parallel_for_workers(
      shape.sequences * shape.heads, tasks_grain(shape), [&](Index begin, Index end, int worker) {
        for (Index i = begin; i < end; ++i)
          forward(Task(shape, i), shape.heads, q, k, v, y, shares,
                  weights ? weights[i / shape.heads] : nullptr, workspace + worker * numbers);
      });
}

void linear_attention_backward(const AttentionShape& shape, Rows q, Rows k, Rows v, Rows y,
                               const Real* shares, Rows dy, MutableRows dq, MutableRows dk,
                               MutableRows dv, Real* workspace) {
  const Index numbers = padded(linear_attention_workspace(shape));
  parallel_for_workers(shape.sequences * shape.heads, tasks_grain(shape),
                       [&](Index begin, Index end, int worker) {
                         for (Index i = begin; i < end; ++i)
                           backward(Task(shape, i), shape.heads, q, k, v, y, shares, dy, dq, dk, dv,
                                    workspace + worker * numbers);
                       });
}

}  // namespace heed::kernels
