#include <algorithm>

#include "framework/kernels/pairs.h"
#include "framework/kernels/simd.h"

// A tanh for each pair and column: n m d of them, computed again in backward rather than kept.

namespace heed::kernels {

namespace {

constexpr Index query_block = 8;
constexpr Index column_block = 64;

Vec at(const Real* x, Index c, Index count) {
  return count == Vec::width ? Vec::load(x + c) : Vec::load(x + c, count);
}

/// f(c, count) for the whole vectors of columns [begin, end), then the rest
template <class F>
void for_vectors(Index begin, Index end, F f) {
  Index c = begin;
  for (; c + Vec::width <= end; c += Vec::width)
    f(c, Vec::width);
  if (c < end) f(c, end - c);
}

void add(Real* to, Index c, Index count, Vec value) {
  if (count == Vec::width)
    value.store(to + c, Mode::accumulate);
  else
    value.store(to + c, count, Mode::accumulate);
}

// `covered`: whether there is coverage.
template <bool covered>
void scores(const PairShape& shape, Index d, const Real* q, const Real* k, const Real* v,
            Coverage cover, Real* s) {
  const Index blocks = (shape.longest_query + query_block - 1) / query_block;
  const Index cost = std::min(query_block, shape.longest_query) * (shape.longest_key + 1) * d * 3;
  parallel_for(shape.sequences * blocks, grain_of(cost), [=](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index sequence = task / blocks;
      const Index first = task % blocks * query_block;
      const Index queries = shape.query_lengths[sequence];
      const Index keys = shape.key_lengths[sequence];
      for (Index i = first; i < std::min(queries, first + query_block); ++i) {
        const Visible seen(shape.causal, shape.window, queries, keys, i);
        const Real* query = q + (shape.query_begins[sequence] + i) * d;
        Real* out = s + shape.begins[sequence] + i * keys;
        std::fill_n(out, keys, Real{0});
        for (Index j = seen.begin; j < seen.end; ++j) {
          const Real* key = k + (shape.key_begins[sequence] + j) * d;
          const Vec amount =
              covered ? cover.amounts[shape.begins[sequence] + i * keys + j] : Real{0};
          Vec total = Real{0};
          for_vectors(0, d, [&](Index c, Index count) {
            Vec x = at(query, c, count) + at(key, c, count);
            if constexpr (covered) x = multiply_add(amount, at(cover.weight, c, count), x);
            total = multiply_add(at(v, c, count), tanh(x), total);
          });
          out[j] = sum(total);
        }
      }
    }
  });
}

template <bool covered>
void backward(const PairShape& shape, Index d, const Real* q, const Real* k, const Real* v,
              Coverage cover, const Real* ds, const AdditiveGradients& to) {
  const auto [dq, dq_mode, dk, dk_mode, dv, damounts, dweight] = to;
  // Columns do not meet: a task is some columns of one sequence.
  const Index blocks = additive_blocks(d);
  const Index cost =
      (shape.longest_query + 1) * (shape.longest_key + 1) * std::min(column_block, d) * 3;
  parallel_for(shape.sequences * blocks, grain_of(cost), [=](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index sequence = task / blocks;
      const Index first = task % blocks * column_block;

      const Index last = std::min(d, first + column_block);
      const Index queries = shape.query_lengths[sequence];
      const Index keys = shape.key_lengths[sequence];
      const auto query_row = [&](auto* x, Index i) {
        return x + (shape.query_begins[sequence] + i) * d;
      };
      const auto key_row = [&](auto* x, Index j) {
        return x + (shape.key_begins[sequence] + j) * d;
      };
      alignas(64) Real dquery[column_block];
      Real denergy[column_block] = {};
      Real dcover[column_block] = {};
      if (dk && dk_mode == Mode::assign)
        for (Index j = 0; j < keys; ++j)
          std::fill(key_row(dk, j) + first, key_row(dk, j) + last, Real{0});
      for (Index i = 0; i < queries; ++i) {
        const Visible seen(shape.causal, shape.window, queries, keys, i);
        const Real* g = ds + shape.begins[sequence] + i * keys;
        const Real* query = query_row(q, i);
        std::fill_n(dquery, column_block, Real{0});
        for (Index j = seen.begin; j < seen.end; ++j) {
          const Vec factor = g[j];

          const Vec amount =
              covered ? cover.amounts[shape.begins[sequence] + i * keys + j] : Real{0};
          Vec share = Real{0};
          const Real* key = key_row(k, j);
          Real* dkey = dk ? key_row(dk, j) : nullptr;
          for_vectors(first, last, [&](Index c, Index count) {
            Vec x = at(query, c, count) + at(key, c, count);
            if constexpr (covered) x = multiply_add(amount, at(cover.weight, c, count), x);
            const Vec t = tanh(x);
            const Vec slope = factor * at(v, c, count) * (Vec(1) - t * t);
            slope.store(dquery + c - first, Mode::accumulate);
            (factor * t).store(denergy + c - first, Mode::accumulate);
            if (dkey) add(dkey, c, count, slope);
            if constexpr (covered) {
              (amount * slope).store(dcover + c - first, Mode::accumulate);
              share = multiply_add(slope, at(cover.weight, c, count), share);
            }
          });
          if (covered && damounts)
            damounts[task % blocks * shape.begins[shape.sequences] + shape.begins[sequence] +
                     i * keys + j] = sum(share);
        }
        if (dq)
          transform_serial(
              last - first, query_row(dq, i) + first, dq_mode, [](Vec a) { return a; }, dquery);
      }
      if (dv) std::copy_n(denergy, last - first, dv + sequence * d + first);
      if (dweight) std::copy_n(dcover, last - first, dweight + sequence * d + first);
    }
  });
}

}  // namespace

Index additive_blocks(Index d) { return (d + column_block - 1) / column_block; }

void additive_scores(const PairShape& shape, Index d, const Real* q, const Real* k, const Real* v,
                     Coverage cover, Real* s) {
  (cover.amounts ? scores<true> : scores<false>)(shape, d, q, k, v, cover, s);
}

void additive_scores_backward(const PairShape& shape, Index d, const Real* q, const Real* k,
                              const Real* v, Coverage cover, const Real* ds,
                              const AdditiveGradients& to) {
  (cover.amounts ? backward<true> : backward<false>)(shape, d, q, k, v, cover, ds, to);
}

}  // namespace heed::kernels
