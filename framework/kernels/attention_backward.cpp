#include <algorithm>
#include <utility>

#include "framework/kernels/attention.h"
#include "framework/kernels/attention_products.h"
#include "framework/kernels/attention_scores.h"

namespace heed::kernels::tiles {

namespace {

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

}  // namespace

}  // namespace heed::kernels::tiles

namespace heed::kernels {

Index attention_backward_workspace(const AttentionShape& s) {
  const Index d = padded(s.width);
  const Index keys = padded(s.longest_key);
  return 3 * tiles::query_tile * d + 2 * s.width * tiles::panel * tiles::panels(keys) +
         3 * keys * d + 3 * tiles::tile_numbers;
}

void attention_backward(const AttentionShape& shape, const AttentionInputs& in,
                        const AttentionResults& results, const ConstMatrix& dy,
                        const AttentionGradients& to, Real* workspace) {
  const Index numbers = padded(attention_backward_workspace(shape));
  parallel_for_workers(shape.sequences * shape.kv_heads,
                       tiles::tasks_grain(shape, shape.heads / shape.kv_heads),
                       [&](Index begin, Index end, int worker) {
                         for (Index i = begin; i < end; ++i)
                           tiles::backward(shape, i / shape.kv_heads, i % shape.kv_heads, in,
                                           results, dy, to, workspace + worker * numbers);
                       });
}

}  // namespace heed::kernels
