#include <algorithm>
#include <limits>

#include "framework/kernels/pair_blocks.h"
#include "framework/kernels/rows.h"
#include "framework/kernels/simd.h"

namespace heed::kernels {

namespace {

/// f(first of the row among the pairs, sequence, head, i, block)
template <class F>
void for_rows(const PairShape& shape, Index cost, F f) {
  for_blocks(shape, shape.heads, cost, [&](const Block& t, Index head) {
    for (Index i = 0; i < t.queries; ++i) f(t, head, i, t.begin + head * t.size() + i * t.keys);
  });
}

/// y = m e^s / (sum m e^s + e^rest), y holding m at first
void row_softmax(Index n, const Real* s, Real rest, Real* y) {
  Real top = rest;
  for (Index j = 0; j < n; ++j)
    if (y[j] > 0) top = std::max(top, s[j]);
  if (top == -std::numeric_limits<Real>::infinity()) return;  // y is 0 throughout
  transform_serial(n, y, Mode::assign, [top](Vec a, Vec m) { return m * exp(min(a - Vec(top), Vec(Real{0}))); }, s, y);
  Real total = std::exp(rest - top);
  for (Index j = 0; j < n; ++j) total += y[j];
  scale(n, 1 / total, y);
}

Real dot(Index n, const Real* a, const Real* b) {
  Real total = 0;
  for (Index j = 0; j < n; ++j) total += a[j] * b[j];
  return total;
}

/// m for the keys at distances from |place - begin| on
void soft_mask(Index begin, Index end, Index place, Real z, Real ramp, Real* m) {
  for (Index j = begin; j < end; ++j) m[j] = std::clamp<Real>((ramp + z - static_cast<Real>(std::abs(place - j))) / ramp, 0, 1);
}

}  // namespace

void pair_softmax(const PairShape& shape, const Real* s, Real* y) {
  for_rows(shape, 8, [&](const Block& t, Index, Index i, Index row) {
    const Visible seen(shape.causal, shape.window, t.queries, t.keys, i);
    std::fill_n(y + row, seen.begin, Real{0});
    softmax(1, seen.end - seen.begin, s + row + seen.begin, y + row + seen.begin);
    std::fill(y + row + seen.end, y + row + t.keys, Real{0});
  });
}

void pair_softmax_backward(const PairShape& shape, const Real* y, const Real* dy, Real* ds, Mode mode) {
  for_rows(shape, 4, [&](const Block& t, Index, Index, Index row) { softmax_backward(1, t.keys, y + row, dy + row, ds + row, mode); });
}

void pair_softmax_rest(const PairShape& shape, const Real* s, const Real* rest, Real* y) {
  for_rows(shape, 8, [&](const Block& t, Index head, Index i, Index row) {
    const Visible seen(shape.causal, shape.window, t.queries, t.keys, i);
    for (Index j = 0; j < t.keys; ++j) y[row + j] = static_cast<Real>(seen.begin <= j && j < seen.end);
    row_softmax(t.keys, s + row, rest[(t.query_begin + i) * shape.heads + head], y + row);
  });
}

void pair_softmax_rest_backward(const PairShape& shape, const Real* y, const Real* dy, Real* drest, Mode mode) {
  for_rows(shape, 4, [&](const Block& t, Index head, Index i, Index row) {
    Real total = 0;
    for (Index j = 0; j < t.keys; ++j) total += y[row + j];
    Real& out = drest[(t.query_begin + i) * shape.heads + head];
    const Real value = (total - 1) * dot(t.keys, y + row, dy + row);
    out = mode == Mode::assign ? value : out + value;
  });
}

void pair_span_softmax(const PairShape& shape, const Real* s, const Real* z, Real ramp, Real* y) {
  for_rows(shape, 12, [&](const Block& t, Index head, Index i, Index row) {
    const Visible seen(shape.causal, shape.window, t.queries, t.keys, i);
    std::fill_n(y + row, t.keys, Real{0});
    soft_mask(seen.begin, seen.end, i + t.keys - t.queries, z[head], ramp, y + row);
    row_softmax(t.keys, s + row, -std::numeric_limits<Real>::infinity(), y + row);
  });
}

void pair_span_softmax_backward(const PairShape& shape, const Real* z, Real ramp, const Real* y, const Real* dy, Real* dz) {
  std::fill_n(dz, shape.sequences * shape.heads, Real{0});
  parallel_for(shape.sequences, grain_of(6 * shape.heads * (shape.longest_query + 1) * (shape.longest_key + 1)), [&](Index begin, Index end) {
    for (Index sequence = begin; sequence < end; ++sequence) {
      const Block t(shape, sequence);
      for (Index head = 0; head < shape.heads; ++head)
        for (Index i = 0; i < t.queries; ++i) {
          const Index row = t.begin + head * t.size() + i * t.keys, place = i + t.keys - t.queries;
          const Real mean = dot(t.keys, y + row, dy + row);
          for (Index j = 0; j < t.keys; ++j) {
            const Real m = (ramp + z[head] - static_cast<Real>(std::abs(place - j))) / ramp;
            if (m > 0 && m < 1) dz[sequence * shape.heads + head] += y[row + j] / m * (dy[row + j] - mean) / ramp;
          }
        }
    }
  });
}

void pair_by_distance(const PairShape& shape, Index reach, const Real* table, Real* s, Mode mode) {
  for_rows(shape, 1, [&](const Block& t, Index head, Index i, Index row) {
    const Index place = i + t.keys - t.queries;
    const Real* entries = table + ((t.query_begin + i) * shape.heads + head) * (2 * reach + 1) + reach;
    for (Index j = 0; j < t.keys; ++j) {
      const Real value = entries[std::clamp(j - place, -reach, reach)];
      s[row + j] = mode == Mode::assign ? value : s[row + j] + value;
    }
  });
}

void pair_sum_by_distance(const PairShape& shape, Index reach, const Real* s, Real* table, Mode mode) {
  for_rows(shape, 1, [&](const Block& t, Index head, Index i, Index row) {
    const Index place = i + t.keys - t.queries;
    Real* entries = table + ((t.query_begin + i) * shape.heads + head) * (2 * reach + 1) + reach;
    if (mode == Mode::assign) std::fill_n(entries - reach, 2 * reach + 1, Real{0});
    for (Index j = 0; j < t.keys; ++j) entries[std::clamp(j - place, -reach, reach)] += s[row + j];
  });
}

}  // namespace heed::kernels
