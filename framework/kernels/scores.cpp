#include <algorithm>

#include "framework/kernels/gemm.h"
#include "framework/kernels/multiply_adds.h"
#include "framework/kernels/score_blocks.h"
#include "framework/kernels/tile.h"
#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

namespace {

/// Whether a BLAS call would cost more than its arithmetic, and rows are whole vectors.
bool is_small(Index m, Index n, Index k, Index width) {
  return width % Vec::width == 0 && m * n * k <= Index{1} << 18;
}

/// c = or += a b
void product(const ConstMatrix& a, const ConstMatrix& b, const Matrix& c, Mode mode) {
  if (is_small(c.rows, c.columns, a.columns, c.columns))
    tile_product(a, b, c, mode);
  else
    gemm_serial(a, b, c, mode);
}

/// Where a head's rows of a sequence lie.
struct HeadRows {
  const ScoresShape& shape;
  Index width;

  ConstMatrix queries(const ConstMatrix& q, const ScoreBlock& t, Index head) const {
    return q.block(t.query_begin, head * width, t.queries, width);
  }
  ConstMatrix keys(const ConstMatrix& k, const ScoreBlock& t, Index head) const {
    return k.block(t.key_begin, head * shape.kv_heads / shape.heads * width, t.keys, width);
  }
};

/// A product of `width` numbers for each score.
void count_products(const ScoresShape& shape, Index width) {
  multiply_adds() += shape.begins[shape.sequences] * width;
}

}  // namespace

void dot_scores(const ScoresShape& shape, const ConstMatrix& q, const ConstMatrix& k, Output s) {
  const Index width = q.columns / shape.heads;
  count_products(shape, width);
  const HeadRows rows{shape, width};
  for_blocks(shape, shape.heads, width, [&](const ScoreBlock& t, Index head) {
    const ConstMatrix a = rows.queries(q, t, head);
    const ConstMatrix b = rows.keys(k, t, head);
    const Matrix out = dense(s.data + t.begin + head * t.size(), t.queries, t.keys);
    if (t.queries > 4 || !is_small(t.queries, t.keys, width, width)) {
      gemm_serial(a, transposed(b), out, s.mode);
      return;
    }
    for (Index i = 0; i < t.queries; ++i)
      for (Index j = 0; j < t.keys; ++j) {
        const Real value = dot(width, a.row(i), b.row(j));
        Real& score = *out.at(i, j);
        score = s.mode == Mode::assign ? value : score + value;
      }
  });
}

void sum_keys(const ScoresShape& shape, const Real* s, const ConstMatrix& k, const OutputRows& q) {
  const Index width = k.columns / shape.kv_heads;
  count_products(shape, width);
  const HeadRows rows{shape, width};
  for_blocks(shape, shape.heads, width, [&](const ScoreBlock& t, Index head) {
    const ConstMatrix a = dense(s + t.begin + head * t.size(), t.queries, t.keys);
    const Matrix out{q.row(t.query_begin) + head * width, t.queries, width, q.row_stride};
    product(a, rows.keys(k, t, head), out, q.mode);
  });
}

void sum_queries(const ScoresShape& shape, const Real* s, const ConstMatrix& q,
                 const OutputRows& k) {
  const Index width = q.columns / shape.heads;
  count_products(shape, width);
  const HeadRows rows{shape, width};
  const Index group = shape.heads / shape.kv_heads;
  for_blocks(shape, shape.kv_heads, group * width, [&](const ScoreBlock& t, Index kv_head) {
    const Matrix out{k.row(t.key_begin) + kv_head * width, t.keys, width, k.row_stride};
    for (Index head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const ConstMatrix a = dense(s + t.begin + head * t.size(), t.queries, t.keys);
      const Mode mode = head > kv_head * group ? Mode::accumulate : k.mode;
      product(transposed(a), rows.queries(q, t, head), out, mode);
    }
  });
}

void sum_matches(const ScoresShape& shape, const Id* ids, const Id* wanted, const Real* s,
                 Real* y) {
  for_blocks(shape, 1, 1, [=](const ScoreBlock& t, Index) {
    for (Index i = 0; i < t.queries; ++i) {
      const Id* key = ids + t.key_begin;
      const Id want = wanted[t.query_begin + i];
      const Real* row = s + t.begin + i * t.keys;
      // Separate sums, which the compiler may put into one vector.
      Real sums[Vec::width] = {};
      Index j = 0;
      for (; j + Vec::width <= t.keys; j += Vec::width)
        for (Index c = 0; c < Vec::width; ++c)
          sums[c] += key[j + c] == want ? row[j + c] : 0;
      for (; j < t.keys; ++j)
        sums[0] += key[j] == want ? row[j] : 0;
      y[t.query_begin + i] = sum(Vec::load(sums));
    }
  });
}

void sum_matches_backward(const ScoresShape& shape, const Id* ids, const Id* wanted, const Real* dy,
                          Output ds) {
  for_blocks(shape, 1, 1, [=](const ScoreBlock& t, Index) {
    for (Index i = 0; i < t.queries; ++i) {
      const Id* key = ids + t.key_begin;
      const Id want = wanted[t.query_begin + i];
      const Real share = dy[t.query_begin + i];
      Real* row = ds.data + t.begin + i * t.keys;
      if (ds.mode == Mode::assign)
        for (Index j = 0; j < t.keys; ++j)
          row[j] = key[j] == want ? share : 0;
      else
        for (Index j = 0; j < t.keys; ++j)
          row[j] += key[j] == want ? share : 0;
    }
  });
}

}  // namespace heed::kernels
