#include <algorithm>

#include "framework/kernels/pairs.h"
#include "framework/kernels/simd.h"

// A tanh for each pair and column: n m d of them, computed again in backward rather than kept.

namespace heed::kernels {

namespace {

constexpr Index query_block = 8, column_block = 64;

Vec at(const Real* x, Index c, Index count) { return count == Vec::width ? Vec::load(x + c) : Vec::load(x + c, count); }

/// f(c, count) for the whole vectors of columns [begin, end), then the rest
template <class F>
void for_vectors(Index begin, Index end, F f) {
  Index c = begin;
  for (; c + Vec::width <= end; c += Vec::width) f(c, Vec::width);
  if (c < end) f(c, end - c);
}

void add(Real* to, Index c, Index count, Vec value) {
  if (count == Vec::width)
    value.store(to + c, Mode::accumulate);
  else
    value.store(to + c, count, Mode::accumulate);
}

}  // namespace

void additive_scores(const PairShape& shape, Index d, const Real* q, const Real* k, const Real* v, Real* s) {
  const Index blocks = (shape.longest_query + query_block - 1) / query_block;
  const Index cost = std::min(query_block, shape.longest_query) * (shape.longest_key + 1) * d * 3;
  parallel_for(shape.sequences * blocks, grain_of(cost), [=](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index sequence = task / blocks, first = task % blocks * query_block;
      const Index queries = shape.query_lengths[sequence], keys = shape.key_lengths[sequence];
      for (Index i = first; i < std::min(queries, first + query_block); ++i) {
        const Visible seen(shape.causal, shape.window, queries, keys, i);
        const Real* query = q + (shape.query_begins[sequence] + i) * d;
        Real* out = s + shape.begins[sequence] + i * keys;
        std::fill_n(out, keys, Real{0});
        for (Index j = seen.begin; j < seen.end; ++j) {
          const Real* key = k + (shape.key_begins[sequence] + j) * d;
          Vec total = Real{0};
          for_vectors(0, d, [&](Index c, Index count) {
            total = multiply_add(at(v, c, count), tanh(at(query, c, count) + at(key, c, count)), total);
          });
          out[j] = sum(total);
        }
      }
    }
  });
}

void additive_scores_backward(const PairShape& shape, Index d, const Real* q, const Real* k, const Real* v, const Real* ds, Real* dq,
                              Mode dq_mode, Real* dk, Mode dk_mode, Real* dv) {
  // Columns do not meet: a task is some columns of one sequence.
  const Index blocks = (d + column_block - 1) / column_block;
  const Index cost = (shape.longest_query + 1) * (shape.longest_key + 1) * std::min(column_block, d) * 3;
  parallel_for(shape.sequences * blocks, grain_of(cost), [=](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index sequence = task / blocks, first = task % blocks * column_block, last = std::min(d, first + column_block);
      const Index queries = shape.query_lengths[sequence], keys = shape.key_lengths[sequence];
      const auto query_row = [&](auto* x, Index i) { return x + (shape.query_begins[sequence] + i) * d; };
      const auto key_row = [&](auto* x, Index j) { return x + (shape.key_begins[sequence] + j) * d; };
      alignas(64) Real dquery[column_block], denergy[column_block] = {};
      if (dk && dk_mode == Mode::assign)
        for (Index j = 0; j < keys; ++j) std::fill(key_row(dk, j) + first, key_row(dk, j) + last, Real{0});
      for (Index i = 0; i < queries; ++i) {
        const Visible seen(shape.causal, shape.window, queries, keys, i);
        const Real* g = ds + shape.begins[sequence] + i * keys;
        const Real* query = query_row(q, i);
        std::fill_n(dquery, column_block, Real{0});
        for (Index j = seen.begin; j < seen.end; ++j) {
          const Vec factor = g[j];
          const Real* key = key_row(k, j);
          Real* dkey = dk ? key_row(dk, j) : nullptr;
          for_vectors(first, last, [&](Index c, Index count) {
            const Vec t = tanh(at(query, c, count) + at(key, c, count)), slope = factor * at(v, c, count) * (Vec(1) - t * t);
            slope.store(dquery + c - first, Mode::accumulate);
            (factor * t).store(denergy + c - first, Mode::accumulate);
            if (dkey) add(dkey, c, count, slope);
          });
        }
        if (dq) transform_serial(last - first, query_row(dq, i) + first, dq_mode, [](Vec a) { return a; }, dquery);
      }
      if (dv) std::copy_n(denergy, last - first, dv + sequence * d + first);
    }
  });
}

}  // namespace heed::kernels
