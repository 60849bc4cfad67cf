#include <algorithm>

#include "framework/kernels/gemm.h"
#include "framework/kernels/pair_blocks.h"
#include "framework/kernels/tile.h"

namespace heed::kernels {

namespace {

/// Where a BLAS call costs more than its arithmetic, and rows are whole vectors.
bool small(Index m, Index n, Index k, Index width) {
  return width % Vec::width == 0 && m * n * k <= Index{1} << 18;
}

Real dot(Index n, const Real* a, const Real* b) {
  Vec total = Real{0};
  for (Index j = 0; j < n; j += Vec::width)
    total = multiply_add(Vec::load(a + j), Vec::load(b + j), total);
  return sum(total);
}

}  // namespace

void pair_dots(const PairShape& shape, Index width, Rows a, Rows b, Real* s, Mode mode) {
  for_blocks(shape, shape.heads, width, [&](const Block& t, Index head) {
    const Real* x = a.data + t.query_begin * a.stride + head * width;
    const Real* y = b.data + t.key_begin * b.stride + head * shape.kv_heads / shape.heads * width;
    Real* out = s + t.begin + head * t.size();
    if (t.queries > 4 || !small(t.queries, t.keys, width, width)) {
      gemm_serial(false, true, t.queries, t.keys, width, x, a.stride, y, b.stride, out, t.keys,
                  mode);
      return;
    }
    for (Index i = 0; i < t.queries; ++i)
      for (Index j = 0; j < t.keys; ++j) {
        const Real value = dot(width, x + i * a.stride, y + j * b.stride);
        out[i * t.keys + j] = mode == Mode::assign ? value : out[i * t.keys + j] + value;
      }
  });
}

void pair_sums(const PairShape& shape, Index width, const Real* s, Rows b, MutableRows a) {
  for_blocks(shape, shape.heads, width, [&](const Block& t, Index head) {
    const Real* x = s + t.begin + head * t.size();
    const Real* y = b.data + t.key_begin * b.stride + head * shape.kv_heads / shape.heads * width;
    Real* out = a.data + t.query_begin * a.stride + head * width;
    if (small(t.queries, t.keys, width, width))
      tile_product(t.queries, width, t.keys, x, t.keys, 1, y, b.stride, out, a.stride, a.mode);
    else
      gemm_serial(false, false, t.queries, width, t.keys, x, t.keys, y, b.stride, out, a.stride,
                  a.mode);
  });
}

void pair_sums_transposed(const PairShape& shape, Index width, const Real* s, Rows a,
                          MutableRows b) {
  const Index group = shape.heads / shape.kv_heads;
  for_blocks(shape, shape.kv_heads, group * width, [&](const Block& t, Index kv_head) {
    Real* out = b.data + t.key_begin * b.stride + kv_head * width;
    for (Index head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const Real* x = s + t.begin + head * t.size();
      const Real* y = a.data + t.query_begin * a.stride + head * width;
      const Mode mode = head > kv_head * group ? Mode::accumulate : b.mode;
      if (small(t.queries, t.keys, width, width))
        tile_product(t.keys, width, t.queries, x, 1, t.keys, y, a.stride, out, b.stride, mode);
      else
        gemm_serial(true, false, t.keys, width, t.queries, x, t.keys, y, a.stride, out, b.stride,
                    mode);
    }
  });
}

void pair_matches(const PairShape& shape, const Id* tokens, const Id* wanted, const Real* s,
                  Real* y) {
  for_blocks(shape, 1, 1, [=](const Block& t, Index) {
    for (Index i = 0; i < t.queries; ++i) {
      const Id* token = tokens + t.key_begin;
      const Id want = wanted[t.query_begin + i];
      const Real* row = s + t.begin + i * t.keys;
      Real sums[Vec::width] = {};  // that the compiler may make a vector of
      Index j = 0;
      for (; j + Vec::width <= t.keys; j += Vec::width)
        for (Index c = 0; c < Vec::width; ++c)
          sums[c] += token[j + c] == want ? row[j + c] : 0;
      for (; j < t.keys; ++j)
        sums[0] += token[j] == want ? row[j] : 0;
      y[t.query_begin + i] = sum(Vec::load(sums));
    }
  });
}

void pair_matches_backward(const PairShape& shape, const Id* tokens, const Id* wanted,
                           const Real* dy, Real* ds, Mode mode) {
  for_blocks(shape, 1, 1, [=](const Block& t, Index) {
    for (Index i = 0; i < t.queries; ++i) {
      const Id* token = tokens + t.key_begin;
      const Id want = wanted[t.query_begin + i];
      const Real share = dy[t.query_begin + i];
      Real* row = ds + t.begin + i * t.keys;
      if (mode == Mode::assign)
        for (Index j = 0; j < t.keys; ++j)
          row[j] = token[j] == want ? share : 0;
      else
        for (Index j = 0; j < t.keys; ++j)
          row[j] += token[j] == want ? share : 0;
    }
  });
}

}  // namespace heed::kernels
