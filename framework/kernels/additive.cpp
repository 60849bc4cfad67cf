#include <algorithm>

#include "framework/kernels/multiply_adds.h"
#include "framework/kernels/scores.h"
#include "framework/kernels/vector_loops.h"

// One tanh for each query, key and column. Backward computes them again rather than keep them.

namespace heed::kernels {

namespace {

constexpr Index query_block = 8;
constexpr Index column_block = 64;

/// s_ij of one query, over the keys that it sees. `amounts`: the coverage of its scores.
template <bool covered>
void score_row(const AdditiveInputs& in, const Real* query, const Real* keys, const Real* amounts,
               const Visible& seen, Real* s) {
  for (Index j = seen.begin; j < seen.end; ++j) {
    const Real* key = keys + j * in.d;
    const Vec amount = covered ? amounts[j] : Real{0};
    Vec total = Real{0};
    for_each_vector(in.d, [&](auto lanes) {
      Vec x = lanes.load(query) + lanes.load(key);
      if constexpr (covered) x = multiply_add(amount, lanes.load(in.cover.weight), x);
      total = multiply_add(lanes.load(in.v), tanh(x), total);
    });
    s[j] = sum(total);
  }
}

template <bool covered>
void scores(const ScoresShape& shape, const AdditiveInputs& in, Real* s) {
  const Index blocks = (shape.longest_query + query_block - 1) / query_block;
  const Index cost =
      std::min(query_block, shape.longest_query) * (shape.longest_key + 1) * in.d * 3;
  parallel_for(shape.sequences * blocks, grain_of(cost), [=](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index sequence = task / blocks;
      const Index first = task % blocks * query_block;
      const Index queries = shape.query_lengths[sequence];
      const Index keys = shape.key_lengths[sequence];
      const Real* key_rows = in.k + shape.key_begins[sequence] * in.d;
      for (Index i = first; i < std::min(queries, first + query_block); ++i) {
        const Index row = shape.begins[sequence] + i * keys;
        std::fill_n(s + row, keys, Real{0});
        score_row<covered>(in, in.q + (shape.query_begins[sequence] + i) * in.d, key_rows,
                           covered ? in.cover.amounts + row : nullptr,
                           Visible(shape.causal, shape.window, queries, keys, i), s + row);
      }
    }
  });
}

/// Some columns [first, last) of one sequence: a task of backward. Columns do not meet.
template <bool covered>
struct BackwardTask {
  const ScoresShape& shape;
  const AdditiveInputs& in;
  const Real* ds;
  const AdditiveGradients& to;
  Index sequence;
  Index block;  // of columns

  Index first = block * column_block;
  Index last = std::min(in.d, first + column_block);
  Index queries = shape.query_lengths[sequence];
  Index keys = shape.key_lengths[sequence];
  // sums over the sequence
  alignas(64) Real dv[column_block] = {};
  alignas(64) Real dweight[column_block] = {};

  /// The task's columns of a row of queries or of keys.
  template <class T>
  T* query_row(T* x, Index i) const {
    return x + (shape.query_begins[sequence] + i) * in.d + first;
  }
  template <class T>
  T* key_row(T* x, Index j) const {
    return x + (shape.key_begins[sequence] + j) * in.d + first;
  }

  /// Adds what the score of query i and key j gives. dquery and dkey are the task's columns of
  /// those gradients; dkey may be null. Returns the columns' share of the gradient of the coverage.
  Real add_score(const Real* query, Index j, Index score, Real* dquery, Real* dkey) {
    const Real* key = key_row(in.k, j);
    const Real* v = in.v + first;
    const Real* weight = covered ? in.cover.weight + first : nullptr;
    const Vec factor = ds[score];
    const Vec amount = covered ? in.cover.amounts[score] : Real{0};
    Vec share = Real{0};
    for_each_vector(last - first, [&](auto lanes) {
      Vec x = lanes.load(query) + lanes.load(key);
      if constexpr (covered) x = multiply_add(amount, lanes.load(weight), x);
      const Vec t = tanh(x);
      Vec slope = factor * lanes.load(v) * (Vec(1) - t * t);
      // Rounded here: the compiler may not fuse the product with the sums that take it.
      keep_in_register(slope);
      lanes.store(slope, dquery, Mode::accumulate);
      if (dkey) lanes.store(slope, dkey, Mode::accumulate);
      lanes.store(multiply_add(factor, t, lanes.load(dv)), dv);
      if constexpr (covered) {
        lanes.store(multiply_add(amount, slope, lanes.load(dweight)), dweight);
        share = multiply_add(slope, lanes.load(weight), share);
      }
    });
    return sum(share);
  }

  void run() {
    const Index columns = last - first;
    alignas(64) Real dquery[column_block];
    if (to.k.data && to.k.mode == Mode::assign)
      for (Index j = 0; j < keys; ++j)
        std::fill_n(key_row(to.k.data, j), columns, Real{0});
    for (Index i = 0; i < queries; ++i) {
      const Visible seen(shape.causal, shape.window, queries, keys, i);
      const Index row = shape.begins[sequence] + i * keys;
      std::fill_n(dquery, column_block, Real{0});
      for (Index j = seen.begin; j < seen.end; ++j) {
        Real* dkey = to.k.data ? key_row(to.k.data, j) : nullptr;
        const Real share = add_score(query_row(in.q, i), j, row + j, dquery, dkey);
        if (covered && to.amounts)
          to.amounts[block * shape.begins[shape.sequences] + row + j] = share;
      }
      if (to.q.data)
        transform_serial(
            columns, query_row(to.q.data, i), to.q.mode, [](Vec a) { return a; }, dquery);
    }
    if (to.v) std::copy_n(dv, columns, to.v + sequence * in.d + first);
    if (to.weight) std::copy_n(dweight, columns, to.weight + sequence * in.d + first);
  }
};

template <bool covered>
void backward(const ScoresShape& shape, const AdditiveInputs& in, const Real* ds,
              const AdditiveGradients& to) {
  const Index blocks = additive_blocks(in.d);
  const Index cost =
      (shape.longest_query + 1) * (shape.longest_key + 1) * std::min(column_block, in.d) * 3;
  parallel_for(shape.sequences * blocks, grain_of(cost), [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task)
      BackwardTask<covered>{.shape = shape,
                            .in = in,
                            .ds = ds,
                            .to = to,
                            .sequence = task / blocks,
                            .block = task % blocks}
          .run();
  });
}

}  // namespace

Index additive_blocks(Index d) { return (d + column_block - 1) / column_block; }

void additive_scores(const ScoresShape& shape, const AdditiveInputs& in, Real* s) {
  multiply_adds() += shape.begins[shape.sequences] * in.d;
  (in.cover.amounts ? scores<true> : scores<false>)(shape, in, s);
}

void additive_scores_backward(const ScoresShape& shape, const AdditiveInputs& in, const Real* ds,
                              const AdditiveGradients& to) {
  multiply_adds() += 2 * shape.begins[shape.sequences] * in.d;
  (in.cover.amounts ? backward<true> : backward<false>)(shape, in, ds, to);
}

}  // namespace heed::kernels
