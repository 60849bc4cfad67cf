#include <algorithm>
#include <utility>

#include "framework/kernels/attention.h"
#include "framework/kernels/attention_products.h"
#include "framework/kernels/attention_scores.h"

namespace heed::kernels::tiles {

namespace {

/// Scratch memory of backward, and what the heads that share keys share.
struct BackwardSpace {
  // (query tile, padded width); douts (query tile, padded value width)
  Real* queries;
  Real* dqueries;
  Real* douts;
  // panels (width, 64)
  Real* keys_t;
  Real* values_t;
  // (keys, padded width), dvalues (keys, padded value width); the last two are null where they are
  // not wanted
  Real* keys;
  Real* dkeys;
  Real* dvalues;
  // tiles: the weights, their gradients, the mask, and the derivatives of the cap, null without one
  Real* p;
  Real* dp;
  Real* mask;
  Real* cap_derivatives = nullptr;
  bool finite_keys = true;  // and values; known of windows and biases alone

  BackwardSpace(const Task& t, bool capped, Real* work) {
    const auto take = [&](Index n) { return std::exchange(work, work + n); };
    for (Real** x : {&queries, &dqueries})
      *x = take(query_tile * t.padded_width);
    douts = take(query_tile * t.padded_value_width);
    keys_t = take(t.width * panel * panels(t.keys));
    values_t = take(t.value_width * panel * panels(t.keys));
    for (Real** x : {&keys, &dkeys})
      *x = take(t.padded_keys * t.padded_width);
    dvalues = take(t.padded_keys * t.padded_value_width);
    for (Real** x : {&p, &dp, &mask})
      *x = take(tile_numbers);
    if (capped) cap_derivatives = take(tile_numbers);
  }
};

/// Whether all that a tile of queries reads is finite, by the sums over it. An infinity or NaN in a
/// query or a key makes the log_sum of a row that sees it infinite or NaN; one in a value or in dy
/// does so to the dot. Each key of the tile is seen by one of its queries, unless there is a
/// window or a bias. Where a bias hides all keys from a query, its log_sum is infinite, and says
/// nothing about the query.
bool finite_rows(const QueryTile& q, const Real* log_sums, const Real* dots, const Real* queries) {
  const Index d = q.t.padded_width;
  const bool biased = q.shape.bias.given();
  Real zero = 0;
  for (Index i = 0; i < q.rows; ++i) {
    Real log_sum = log_sums[q.t.sum_index(q.begin + i)];
    if (biased && log_sum == infinity && all_finite(dense(queries + i * d, 1, d))) log_sum = 0;
    zero += (log_sum + dots[i]) * 0;
  }
  return zero == 0;
}

/// gradients = 0 where the weight is: what a bias hides may be no number.
void clear_hidden(Index n, const Real* weights, Real* gradients) {
  for (Index j = 0; j < n; j += Vec::width)
    select(equal(Vec::load(weights + j), Vec(0)), Vec(0), Vec::load(gradients + j))
        .store(gradients + j);
}

/// Turns a tile of products (w.p: of queries and keys, w.dp: of dy and values) into the dropped-out
/// weights P and the gradients dS of the scores:
/// dS_ij = p_ij (m_ij dp_ij - dot_i), with the mask m and dot_i = sum_j p_ij m_ij dp_ij.
void score_gradients(const ScoreTile& tile, const Real* log_sums, const Real* dots,
                     const BackwardSpace& w) {
  const Task& t = tile.task();
  const Index wide = padded(tile.count);
  const bool drops = tile.queries.shape.dropout.active();
  const bool biased = tile.queries.shape.bias.given();
  const Index mask_ld = mask_tile_stride(t);
  if (drops) mask_tile(tile, w.mask);
  for (Index i = 0; i < tile.rows(); ++i) {
    Real* weights = w.p + i * tile.stride;
    Real* gradients = w.dp + i * tile.stride;
    Real* derivatives = w.cap_derivatives ? w.cap_derivatives + i * tile.stride : nullptr;
    const Index count = finish_scores(tile, i, weights, derivatives);
    exponentials(weights, count, wide, log_sums[t.sum_index(tile.queries.begin + i)]);
    const Vec dot = dots[i];
    const Index some = padded(count);  // what lies beyond was not computed
    if (biased) clear_hidden(some, weights, gradients);
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

/// Where the gradients of the biases are added up, of one head of keys and a share of the
/// sequences. Null: not wanted.
struct BiasSums {
  Real* pairs;
  Real* shared;
  Real* keys;

  BiasSums(const AttentionShape& s, const BiasGradients& to, Index share, Index kv_head,
           Index key_rows)
      : pairs(to.pairs.data), shared(to.shared), keys(to.keys) {
    const Index heads = s.bias.shared_heads;
    if (shared)
      shared += (heads > 1 ? share : share * s.kv_heads + kv_head) * heads * s.longest_query *
                s.longest_key;
    if (keys) keys += kv_head * key_rows;
  }
  bool wanted() const { return pairs || shared || keys; }
};

/// Adds the gradients of the scores to those of the biases.
void add_bias_gradients(const ScoreTile& tile, const BiasSums& to, const BackwardSpace& w) {
  const QueryTile& q = tile.queries;
  const auto add = [&](const Real* row, Real* sums) {
    transform_serial(
        tile.count, sums, Mode::accumulate, [](Vec v) { return v; }, row);
  };
  for (Index i = 0; i < q.rows; ++i) {
    const BiasPlaces at(q.shape, q.t, q.begin + i, tile.begin);
    const Real* const row = w.dp + i * tile.stride;
    if (to.pairs) add(row, to.pairs + at.pairs);
    if (to.shared) add(row, to.shared + at.shared);
    if (to.keys) add(row, to.keys + at.keys);
  }
}

/// The gradients of scores become those of the products that were capped. What a bias hides has a
/// gradient of 0, and a product that may be no number.
void uncap_gradients(const ScoreTile& tile, const BackwardSpace& w) {
  for (Index i = 0; i < tile.rows(); ++i) {
    Real* const row = w.dp + i * tile.stride;
    const Real* const derivatives = w.cap_derivatives + i * tile.stride;
    for (Index j = 0; j < padded(tile.count); j += Vec::width) {
      const Vec g = Vec::load(row + j);
      select(equal(g, Vec(0)), Vec(0), g * Vec::load(derivatives + j)).store(row + j);
    }
  }
}

/// dV += P^T dY, dK += dS^T Q, dQ += dS K
void add_gradients(const ScoreTile& tile, bool wants_queries, const BackwardSpace& w) {
  const Index d = tile.task().padded_width;
  if (w.dvalues) key_sums(tile, tile.task().padded_value_width, w.p, w.douts, w.dvalues);
  if (w.dkeys) key_sums(tile, d, w.dp, w.queries, w.dkeys);
  if (wants_queries) query_sums(tile, d, w.dp, w.keys, w.dqueries);
}

/// The same over what is seen alone (see for_seen).
void add_gradients_by_element(const ScoreTile& tile, bool wants_queries, const BackwardSpace& w) {
  const Index d = tile.task().padded_width;
  const Index value_d = tile.task().padded_value_width;
  for_seen(tile, w.p, [&](Index i, Index key, Real weight) {
    if (w.dvalues)
      add_scaled_row(value_d, weight, w.douts + i * value_d, w.dvalues + key * value_d);
  });
  for_seen(tile, w.dp, [&](Index i, Index key, Real gradient) {
    if (w.dkeys) add_scaled_row(d, gradient, w.queries + i * d, w.dkeys + key * d);
    if (wants_queries) add_scaled_row(d, gradient, w.keys + key * d, w.dqueries + i * d);
  });
}

/// What all tasks of backward read and write.
struct BackwardCall {
  const AttentionShape& shape;
  const AttentionInputs& in;
  const AttentionResults& results;
  const ConstMatrix& dy;
  const AttentionGradients& to;
};

/// What a tile of queries gives to the gradients.
void backward_queries(const BackwardCall& call, const QueryTile& q, const BiasSums& bias,
                      const BackwardSpace& w) {
  const Task& t = q.t;
  const Real* const sums = call.results.sums;
  const ConstMatrix y_rows = t.query_rows(call.results.y, q.begin, q.rows, t.value_width);
  const ConstMatrix dy_rows = t.query_rows(call.dy, q.begin, q.rows, t.value_width);
  copy_queries(q, call.in.q, w.queries);
  copy_to_tile(dy_rows, 1, w.douts);
  std::fill_n(w.dqueries, q.rows * t.padded_width, Real{0});
  Real dots[query_tile];  // y_i . dy_i
  for (Index i = 0; i < q.rows; ++i)
    dots[i] = dot(t.value_width, y_rows.row(i), dy_rows.row(i));
  const bool by_element =
      q.shape.hides() && !(w.finite_keys && finite_rows(q, sums, dots, w.queries));
  for_score_tiles(q, [&](const ScoreTile& tile) {
    key_products(tile, t.width, w.queries, w.keys_t, w.p);
    key_products(tile, t.value_width, w.douts, w.values_t, w.dp);
    score_gradients(tile, sums, dots, w);
    if (bias.wanted()) add_bias_gradients(tile, bias, w);
    if (w.cap_derivatives) uncap_gradients(tile, w);
    (by_element ? add_gradients_by_element : add_gradients)(tile, call.to.q.data != nullptr, w);
  });
  if (!call.to.q.data) return;
  if (q.shape.rotation.cosines)
    rotate_tile(t, q.shape.rotation, q.begin + t.keys - t.queries, q.rows, true, w.dqueries);
  copy_from_tile(
      w.dqueries, q.rows, t.width, [&](Index) { return q.shape.scale; },
      t.query_rows(call.to.q, q.begin, t.width));
}

/// What one head of queries gives to the gradients.
void backward_head(const BackwardCall& call, const Task& t, const BiasSums& bias,
                   const BackwardSpace& w) {
  const Output& pairs = call.to.bias.pairs;
  if (pairs.data && pairs.mode == Mode::assign)
    std::fill_n(pairs.data + BiasPlaces(call.shape, t, 0, 0).pairs, t.queries * t.keys, Real{0});
  for (Index i0 = 0; i0 < t.queries; i0 += query_tile)
    backward_queries(call, QueryTile(call.shape, t, i0), bias, w);
}

/// Copies keys and values. The gradients that are wanted begin as zeros.
void start(const BackwardCall& call, const Task& t, BackwardSpace& w) {
  const AttentionShape& shape = call.shape;
  const ConstMatrix k = t.key_rows(call.in.k, t.width);
  const ConstMatrix v = t.key_rows(call.in.v, t.value_width);
  copy_to_panels(v, w.values_t);
  copy_to_tile(k, 1, w.keys);
  if (shape.rotation.cosines) {
    rotate_tile(t, shape.rotation, 0, t.keys, false, w.keys);
    copy_to_panels({w.keys, t.keys, t.width, t.padded_width}, w.keys_t);
  } else {
    copy_to_panels(k, w.keys_t);
  }
  if (shape.window > 0 || shape.bias.given()) w.finite_keys = all_finite(v) && all_finite(k);
  const auto zeros = [&](Real*& sums, const OutputRows& wanted, Index d) {
    if (wanted.data)
      std::fill_n(sums, t.keys * d, Real{0});
    else
      sums = nullptr;
  };
  zeros(w.dkeys, call.to.k, t.padded_width);
  zeros(w.dvalues, call.to.v, t.padded_value_width);
}

/// One head of keys and all heads of queries that share it.
void backward(const BackwardCall& call, Index sequence, Index kv_head, const BiasSums& bias,
              Real* work) {
  const AttentionShape& shape = call.shape;
  const Index group = shape.heads / shape.kv_heads;
  const Task t(shape, sequence, kv_head * group);
  BackwardSpace w(t, shape.softcap > 0, work);
  start(call, t, w);
  for (Index head = t.head; head < t.head + group; ++head)
    backward_head(call, Task(shape, sequence, head), bias, w);
  const auto one = [](Index) { return Real{1}; };
  const AttentionGradients& to = call.to;
  if (to.k.data) {
    if (shape.rotation.cosines) rotate_tile(t, shape.rotation, 0, t.keys, true, w.dkeys);
    copy_from_tile(w.dkeys, t.keys, t.width, one, t.key_rows(to.k, t.width));
  }
  if (to.v.data)
    copy_from_tile(w.dvalues, t.keys, t.value_width, one, t.key_rows(to.v, t.value_width));
}

/// In how many shares the sequences are cut for the gradient of a shared bias. A task takes the
/// sequences of a share one after the other, so that the shares cost little memory.
Index shares_of_sequences(const AttentionShape& s) {
  constexpr Index enough_tasks = 16;
  return std::min(s.sequences, std::max<Index>(1, enough_tasks / s.kv_heads));
}

}  // namespace

}  // namespace heed::kernels::tiles

namespace heed::kernels {

Index attention_backward_workspace(const AttentionShape& s) {
  const Index d = padded(s.width);
  const Index value_d = padded(s.value_width);
  const Index keys = padded(s.longest_key);
  const Index score_tiles = s.softcap > 0 ? 4 : 3;
  return tiles::query_tile * (2 * d + value_d) +
         (s.width + s.value_width) * tiles::panel * tiles::panels(keys) + keys * (2 * d + value_d) +
         score_tiles * tiles::tile_numbers;
}

Index bias_shares(const AttentionShape& s) {
  return tiles::shares_of_sequences(s) * (s.bias.shared_heads > 1 ? 1 : s.kv_heads);
}

void attention_backward(const AttentionShape& shape, const AttentionInputs& in,
                        const AttentionResults& results, const ConstMatrix& dy,
                        const AttentionGradients& to, Real* workspace) {
  // The scores once more, then the gradients of q, k, the weights and v.
  count_products(shape, 3 * shape.width + 2 * shape.value_width);
  const Index numbers = padded(attention_backward_workspace(shape));
  const tiles::BackwardCall call{shape, in, results, dy, to};
  const Index shares = to.bias.shared ? tiles::shares_of_sequences(shape) : shape.sequences;
  const Index largest_share = shares > 0 ? (shape.sequences + shares - 1) / shares : 0;
  const auto task = [&](Index share, Index kv_head, int worker) {
    const tiles::BiasSums bias(shape, to.bias, share, kv_head, in.k.rows);
    const Index end = (share + 1) * shape.sequences / shares;
    for (Index i = share * shape.sequences / shares; i < end; ++i)
      tiles::backward(call, i, kv_head, bias, workspace + worker * numbers);
  };
  parallel_for_workers(shares * shape.kv_heads,
                       tiles::tasks_grain(shape, largest_share * shape.heads / shape.kv_heads),
                       [&](Index begin, Index end, int worker) {
                         for (Index i = begin; i < end; ++i)
                           task(i / shape.kv_heads, i % shape.kv_heads, worker);
                       });
}

}  // namespace heed::kernels
