#include "framework/kernels/linear_attention.h"

#include <numeric>
#include <utility>

#include "framework/kernels/multiply_adds.h"
#include "framework/kernels/parallel.h"
#include "framework/kernels/tile_copy.h"

// A task is one sequence and head. A column of ones stands behind the values, so that the sums of
// f(k_j) v_j and of f(k_j) are one matrix, the state (width, wide). Positions are taken in tiles.
// What lies before a tile is in the state; what lies within it is multiplied out and masked. The
// gradients of keys and values need the state of what comes after them: backward therefore goes
// through the sequence in both directions.

namespace heed::kernels {

namespace {

constexpr Index tile = 64;

/// elu(x) + 1
Vec feature(Vec x) { return select(less(Vec(Real{0}), x), x + Vec(1), exp(x)); }

/// One sequence and head.
struct Task {
  Index queries;
  Index keys;
  Index head;
  Index heads;
  Index query_begin;
  Index key_begin;
  Index width;
  Index ld;    // padded(width)
  Index wide;  // padded(width + 1)
  bool causal;

  Task(const AttentionShape& s, Index number)
      : queries(s.query_lengths[number / s.heads]),
        keys(s.key_lengths[number / s.heads]),
        head(number % s.heads),
        heads(s.heads),
        query_begin(s.query_begins[number / s.heads]),
        key_begin(s.key_begins[number / s.heads]),
        width(s.width),
        ld(padded(s.width)),
        wide(padded(s.width + 1)),
        causal(s.causal) {}
  auto* query(const auto& rows, Index i) const { return rows.row(query_begin + i) + head * width; }
  auto* key(const auto& rows, Index j) const { return rows.row(key_begin + j) + head * width; }
  /// Where shares (query rows, heads) holds that of query i.
  Index share_index(Index i) const { return (query_begin + i) * heads + head; }
  /// Keys that every query of the tile at i0 sees through the state, before the tile's own place.
  Index before(Index i0) const {
    return causal ? std::clamp<Index>(i0 + keys - queries, 0, keys) : keys;
  }
  /// The end of the keys that its `rows` queries see.
  Index until(Index i0, Index rows) const {
    return causal ? std::clamp<Index>(i0 + rows + keys - queries, 0, keys) : keys;
  }
};

/// A tile of queries, and the keys at its own place, [begin, begin + local).
struct QueryTile {
  Index i0;
  Index rows;
  Index begin;
  Index local;

  QueryTile(const Task& t, Index first)
      : i0(first),
        rows(std::min(tile, t.queries - first)),
        begin(t.before(first)),
        local(t.until(first, rows) - begin) {}
};

/// Scratch memory, and what goes in and out of it.
struct Space {
  const Task& t;
  Real* fq;            // (tile, ld): features of queries
  Real* fk;            // (tile, ld): features of keys
  Real* transposed_k;  // (max(width, wide), tile): fk or values transposed
  Real* values;        // (tile, wide)
  Real* numerators;    // (tile, wide)
  Real* scores;        // (tile, tile)
  Real* dscores;       // (tile, tile)
  Real* state;         // (width, wide)
  Real* state_t;       // (wide, ld): the state transposed
  Real* out;           // (tile, max(ld, wide))

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
    transposed_k = take(t.wide * tile);
    values = take(tile * t.wide);
    numerators = take(tile * t.wide);
    scores = take(tile * tile);
    dscores = take(tile * tile);
    state = take(t.width * t.wide);
    state_t = take(t.wide * t.ld);
    out = take(tile * t.wide);
    clear_state();
  }

  // Views of the tiles, of the rows and columns that count.
  ConstMatrix query_features(Index rows) const { return {fq, rows, t.width, t.ld}; }
  ConstMatrix key_features(Index rows) const { return {fk, rows, t.width, t.ld}; }
  ConstMatrix value_rows(Index rows) const { return {values, rows, t.wide, t.wide}; }
  Matrix numerator_rows(Index rows) const { return {numerators, rows, t.wide, t.wide}; }
  Matrix whole_state() const { return {state, t.width, t.wide, t.wide}; }

  void features(const Real* from, Index stride, Index rows, Real* to) const {
    for (Index i = 0; i < rows; ++i) {
      transform_serial(t.width, to + i * t.ld, Mode::assign, feature, from + i * stride);
      std::fill(to + i * t.ld + t.width, to + (i + 1) * t.ld, Real{0});
    }
  }
  void load_queries(const ConstMatrix& q, Index i0, Index rows) const {
    features(t.query(q, i0), q.row_stride, rows, fq);
  }
  void load_keys(const AttentionInputs& in, Index j0, Index rows) const {
    features(t.key(in.k, j0), in.k.row_stride, rows, fk);
    for (Index j = 0; j < rows; ++j) {
      Real* to = values + j * t.wide;
      std::copy_n(t.key(in.v, j0 + j), t.width, to);
      std::fill(to + t.width, to + t.wide, Real{0});
      to[t.width] = 1;
    }
  }
  /// The gradients of numerators n and denominators s, y = n / s: dn = dy / s and
  /// ds = -(dy . y) / s.
  void load_gradients(const AttentionResults& results, const ConstMatrix& dy, Index i0,
                      Index rows) const {
    for (Index i = 0; i < rows; ++i) {
      const Real share = results.sums[t.share_index(i0 + i)];
      const Real* a = t.query(results.y, i0 + i);
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
  void transpose_state() const { copy_transposed_to_tile(whole_state(), state_t); }
  /// state += features^T rows
  void remember(const ConstMatrix& f, const ConstMatrix& rows) const {
    tile_product(transposed(f), rows, whole_state(), Mode::accumulate);
  }
  /// state += what keys [begin, end) add to it
  void remember_keys(const AttentionInputs& in, Index begin, Index end) const {
    for (Index j0 = begin; j0 < end; j0 += tile) {
      const Index rows = std::min(tile, end - j0);
      load_keys(in, j0, rows);
      remember(key_features(rows), value_rows(rows));
    }
  }
  /// to (queries of the tile, keys at its place) = a b^T, 0 where the key comes after the query
  void multiply(const ConstMatrix& a, const ConstMatrix& b, const QueryTile& q, Real* to) const {
    const Index columns = padded(q.local);
    copy_transposed_to_tile(b, transposed_k);
    tile_product(a, {transposed_k, b.columns, columns, columns}, {to, q.rows, columns, tile},
                 Mode::assign);
    for (Index i = 0; i < q.rows; ++i) {
      const Index seen = std::clamp<Index>(q.i0 + i + t.keys - t.queries + 1 - q.begin, 0, q.local);
      std::fill(to + i * tile + seen, to + i * tile + columns, Real{0});
    }
  }
};

/// dx = or += df f'(x), where f' = min(f, 1)
void feature_gradient(Index width, const Real* df, const Real* f, Real* dx, Mode mode) {
  transform_serial(
      width, dx, mode, [](Vec g, Vec y) { return g * min(y, Vec(1)); }, df, f);
}

/// The weights of a tile of queries, at quadratic cost: weights (heads, queries, keys).
void store_weights(const Space& s, const QueryTile& q, const AttentionInputs& in,
                   const Real* shares, Real* weights) {
  const Task& t = s.t;
  for (Index j0 = 0; j0 < t.keys; j0 += tile) {
    const Index columns = std::min(tile, t.keys - j0);
    s.load_keys(in, j0, columns);
    for (Index i = 0; i < q.rows; ++i)
      for (Index j = 0; j < columns; ++j) {
        Real total = 0;
        for (Index c = 0; c < t.width; ++c)
          total += s.fq[i * t.ld + c] * s.fk[j * t.ld + c];
        const Index query = q.i0 + i;
        const bool seen = !t.causal || j0 + j <= query + t.keys - t.queries;
        weights[(t.head * t.queries + query) * t.keys + j0 + j] =
            seen ? total * shares[t.share_index(query)] : Real{0};
      }
  }
}

void forward(const Task& t, const AttentionInputs& in, const OutputRows& y, Real* shares,
             Real* weights, Real* work) {
  const Space s(t, work);
  Index known = 0;  // keys in the state
  for (Index i0 = 0; i0 < t.queries; i0 += tile) {
    const QueryTile q(t, i0);
    s.remember_keys(in, known, q.begin);
    known = q.begin;
    s.load_queries(in.q, i0, q.rows);
    const Matrix numerators = s.numerator_rows(q.rows);
    tile_product(s.query_features(q.rows), s.whole_state(), numerators, Mode::assign);
    if (q.local > 0) {
      s.load_keys(in, q.begin, q.local);
      s.multiply(s.query_features(q.rows), s.key_features(q.local), q, s.scores);
      tile_product({s.scores, q.rows, q.local, tile}, s.value_rows(q.local), numerators,
                   Mode::accumulate);
    }
    for (Index i = 0; i < q.rows; ++i) {
      const Real* n = numerators.row(i);
      const Real total = n[t.width];
      const Real share = total > 0 ? 1 / total : Real{0};
      shares[t.share_index(i0 + i)] = share;
      transform_serial(
          t.width, t.query(y, i0 + i), y.mode, [share](Vec a) { return a * Vec(share); }, n);
    }
    if (weights) store_weights(s, q, in, shares, weights);
  }
}

/// The gradients of keys [begin, begin + rows), which are loaded: from the state of the queries
/// after them, and from this tile's `local_queries`.
void give_keys(const Space& s, Index begin, Index rows, Index local_queries,
               const AttentionGradients& to) {
  const Task& t = s.t;
  const Matrix dfeatures{s.out, rows, t.ld, t.ld};
  const Matrix dvalues{s.out, rows, t.wide, t.wide};
  const auto of_queries = [&](const Real* scores) {
    return transposed(ConstMatrix{scores, local_queries, rows, tile});
  };
  if (to.k.data) {  // df_j = G v_j + sum_i dscores_ij f(q_i)
    tile_product(s.value_rows(rows), {s.state_t, t.wide, t.ld, t.ld}, dfeatures, Mode::assign);
    tile_product(of_queries(s.dscores), {s.fq, local_queries, t.ld, t.ld}, dfeatures,
                 Mode::accumulate);
    for (Index j = 0; j < rows; ++j)
      feature_gradient(t.width, dfeatures.row(j), s.fk + j * t.ld, t.key(to.k, begin + j),
                       to.k.mode);
  }
  if (to.v.data) {  // dv_j = G^T f(k_j) + sum_i scores_ij dn_i
    tile_product(s.key_features(rows), s.whole_state(), dvalues, Mode::assign);
    tile_product(of_queries(s.scores), s.numerator_rows(local_queries), dvalues, Mode::accumulate);
    for (Index j = 0; j < rows; ++j)
      transform_serial(
          t.width, t.key(to.v, begin + j), to.v.mode, [](Vec a) { return a; }, dvalues.row(j));
  }
}

/// df_i = S dn_i + sum_j dscores_ij f(k_j), with the state S of the keys before the tile.
void backward_queries(const Space& s, const AttentionInputs& in, const AttentionResults& results,
                      const ConstMatrix& dy, const OutputRows& dq) {
  const Task& t = s.t;
  Index known = 0;
  for (Index i0 = 0; i0 < t.queries; i0 += tile) {
    const QueryTile q(t, i0);
    s.remember_keys(in, known, q.begin);
    known = q.begin;
    s.load_queries(in.q, i0, q.rows);
    s.load_gradients(results, dy, i0, q.rows);
    s.transpose_state();
    const Matrix numerators = s.numerator_rows(q.rows);
    const Matrix out{s.out, q.rows, t.ld, t.ld};
    tile_product(numerators, {s.state_t, t.wide, t.ld, t.ld}, out, Mode::assign);
    if (q.local > 0) {
      s.load_keys(in, q.begin, q.local);
      s.multiply(numerators, s.value_rows(q.local), q, s.dscores);
      tile_product({s.dscores, q.rows, q.local, tile}, {s.fk, q.local, t.ld, t.ld}, out,
                   Mode::accumulate);
    }
    for (Index i = 0; i < q.rows; ++i)
      feature_gradient(t.width, out.row(i), s.fq + i * t.ld, t.query(dq, i0 + i), dq.mode);
  }
}

/// Goes backwards; the state G is the sum of f(q_i) dn_i over the queries after a tile.
void backward_keys(const Space& s, const AttentionInputs& in, const AttentionResults& results,
                   const ConstMatrix& dy, const AttentionGradients& to) {
  const Task& t = s.t;
  for (Index i0 = (t.queries - 1) / tile * tile; i0 >= 0 && t.queries > 0; i0 -= tile) {
    const QueryTile q(t, i0);
    s.load_queries(in.q, i0, q.rows);
    s.load_gradients(results, dy, i0, q.rows);
    if (q.local > 0) {
      s.load_keys(in, q.begin, q.local);
      s.multiply(s.query_features(q.rows), s.key_features(q.local), q, s.scores);
      s.multiply(s.numerator_rows(q.rows), s.value_rows(q.local), q, s.dscores);
      s.transpose_state();
      give_keys(s, q.begin, q.local, q.rows, to);
    }
    s.remember(s.query_features(q.rows), s.numerator_rows(q.rows));
  }
  s.transpose_state();
  const Index rest = t.queries > 0 ? t.before(0) : t.keys;  // keys that all queries see
  for (Index j0 = 0; j0 < rest; j0 += tile) {
    const Index rows = std::min(tile, rest - j0);
    s.load_keys(in, j0, rows);
    give_keys(s, j0, rows, 0, to);
  }
}

void backward(const Task& t, const AttentionInputs& in, const AttentionResults& results,
              const ConstMatrix& dy, const AttentionGradients& to, Real* work) {
  const Space s(t, work);
  if (to.q.data) backward_queries(s, in, results, dy, to.q);
  if (!to.k.data && !to.v.data) return;
  s.clear_state();
  backward_keys(s, in, results, dy, to);
}

Index tasks_grain(const AttentionShape& s) {
  return grain_of((s.longest_query + s.longest_key + 1) * s.width * (s.width + tile));
}

}  // namespace

Index linear_attention_workspace(const AttentionShape& shape) {
  return Space::numbers(shape.width);
}

namespace {

/// Of `products` with the state (width, width) of a head at each query.
void count_state_products(const AttentionShape& shape, Index products) {
  const Index rows =
      std::accumulate(shape.query_lengths, shape.query_lengths + shape.sequences, Index{0});
  multiply_adds() += products * rows * shape.heads * shape.width * shape.width;
}

}  // namespace

void linear_attention(const AttentionShape& shape, const AttentionInputs& in, const OutputRows& y,
                      Real* shares, Real* const* weights, Real* workspace) {
  count_state_products(shape, 2);  // a key and value come in, a query reads
  const Index numbers = padded(linear_attention_workspace(shape));
  parallel_for_workers(
      shape.sequences * shape.heads, tasks_grain(shape), [&](Index begin, Index end, int worker) {
        for (Index i = begin; i < end; ++i)
          forward(Task(shape, i), in, y, shares, weights ? weights[i / shape.heads] : nullptr,
                  workspace + worker * numbers);
      });
}

void linear_attention_backward(const AttentionShape& shape, const AttentionInputs& in,
                               const AttentionResults& results, const ConstMatrix& dy,
                               const AttentionGradients& to, Real* workspace) {
  count_state_products(shape, 5);  // both states once more, and three gradients
  const Index numbers = padded(linear_attention_workspace(shape));
  parallel_for_workers(
      shape.sequences * shape.heads, tasks_grain(shape), [&](Index begin, Index end, int worker) {
        for (Index i = begin; i < end; ++i)
          backward(Task(shape, i), in, results, dy, to, workspace + worker * numbers);
      });
}

}  // namespace heed::kernels
