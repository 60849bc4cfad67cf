#include <algorithm>
#include <limits>

#include "framework/kernels/rows.h"
#include "framework/kernels/score_blocks.h"
#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

namespace {

/// f(block, head, i, where the scores of query i begin)
template <class F>
void for_rows(const ScoresShape& shape, Index cost, F f) {
  for_blocks(shape, shape.heads, cost, [&](const ScoreBlock& t, Index head) {
    for (Index i = 0; i < t.queries; ++i)
      f(t, head, i, t.begin + head * t.size() + i * t.keys);
  });
}

/// y = m e^s / (sum m e^s + e^rest). y holds m at first.
void softmax_with_rest(Index n, const Real* s, Real rest, Real* y) {
  const Vec none = -std::numeric_limits<Real>::infinity();
  const Real largest_seen = max_of(
      n, [=](auto lanes) { return select(equal(lanes.load(y), Vec(0)), none, lanes.load(s)); });
  const Real top = std::max(rest, largest_seen);
  if (top == -std::numeric_limits<Real>::infinity()) {  // nothing is seen
    std::fill_n(y, n, Real{0});
    return;
  }
  const auto weight = [top](Vec a, Vec m) {  // a hidden score may be no number
    return select(equal(m, Vec(0)), Vec(0), m * exp(min(a - Vec(top), Vec(0))));
  };
  transform_serial(n, y, Mode::assign, weight, s, y);
  const Vec factor = 1 / (std::exp(rest - top) + total_of(n, y));
  transform_serial(
      n, y, Mode::assign, [factor](Vec a) { return factor * a; }, y);
}

/// sum_j a_j b_j, for rows of any length.
Real sum_of_products(Index n, const Real* a, const Real* b) {
  return sum_of(n, [=](auto lanes) { return lanes.load(a) * lanes.load(b); });
}

/// (ramp + z - distance) / ramp of the keys from j on, which is m where it lies within [0, 1].
Vec ramp_at(Index place, Index j, Real z, Real ramp) {
  // A division: ramp (1 / ramp) may not be 1.
  return (Vec(ramp + z) - abs(count_from(static_cast<Real>(j - place)))) / Vec(ramp);
}

}  // namespace

void scores_softmax(const ScoresShape& shape, const Real* s, Real* y) {
  for_rows(shape, 8, [&](const ScoreBlock& t, Index, Index i, Index row) {
    const Visible seen(shape.causal, shape.window, t.queries, t.keys, i);
    std::fill_n(y + row, seen.begin, Real{0});
    scores_softmax_row(seen.end - seen.begin, s + row + seen.begin, y + row + seen.begin);
    std::fill(y + row + seen.end, y + row + t.keys, Real{0});
  });
}

void scores_softmax_backward(const ScoresShape& shape, const Real* y, const Real* dy, Output ds) {
  for_rows(shape, 4, [&](const ScoreBlock& t, Index, Index, Index row) {
    softmax_row_backward(t.keys, y + row, dy + row, ds.data + row, ds.mode);
  });
}

void scores_softmax_with_rest(const ScoresShape& shape, const Real* s, const Real* rest, Real* y) {
  for_rows(shape, 8, [&](const ScoreBlock& t, Index head, Index i, Index row) {
    const Visible seen(shape.causal, shape.window, t.queries, t.keys, i);
    std::fill_n(y + row, t.keys, Real{0});
    std::fill(y + row + seen.begin, y + row + seen.end, Real{1});
    softmax_with_rest(t.keys, s + row, rest[(t.query_begin + i) * shape.heads + head], y + row);
  });
}

void scores_softmax_rest_backward(const ScoresShape& shape, const Real* y, const Real* dy,
                                  Output drest) {
  for_rows(shape, 4, [&](const ScoreBlock& t, Index head, Index i, Index row) {
    Real& out = drest.data[(t.query_begin + i) * shape.heads + head];
    const Real value = (total_of(t.keys, y + row) - 1) * sum_of_products(t.keys, y + row, dy + row);
    out = drest.mode == Mode::assign ? value : out + value;
  });
}

void span_softmax(const ScoresShape& shape, const Real* s, const Real* z, Real ramp, Real* y) {
  for_rows(shape, 12, [&](const ScoreBlock& t, Index head, Index i, Index row) {
    const Visible seen(shape.causal, shape.window, t.queries, t.keys, i);
    std::fill_n(y + row, t.keys, Real{0});
    const Index place = t.place(i);
    for (Index j = seen.begin; j < seen.end; j += Vec::width)
      min(max(ramp_at(place, j, z[head], ramp), Vec(0)), Vec(1))
          .store(y + row + j, std::min(Vec::width, seen.end - j));
    softmax_with_rest(t.keys, s + row, -std::numeric_limits<Real>::infinity(), y + row);
  });
}

void span_softmax_backward(const ScoresShape& shape, const Real* z, Real ramp, const Real* y,
                           const Real* dy, Real* dz) {
  std::fill_n(dz, shape.sequences * shape.heads, Real{0});
  // sum_j of y_ij / m_ij (dy_ij - sum_j dy_ij y_ij) / ramp, where 0 < m_ij < 1
  const auto row_gradient = [&](const ScoreBlock& t, Index head, Index i) {
    const Index row = t.begin + head * t.size() + i * t.keys;
    const Index place = t.place(i);
    const Vec mean = sum_of_products(t.keys, y + row, dy + row);
    return sum_of(t.keys, [&](auto lanes) {
      const Vec m = ramp_at(place, lanes.begin, z[head], ramp);
      const Vec d = lanes.load(y + row) / m * (lanes.load(dy + row) - mean) * Vec(1 / ramp);
      return select(less(Vec(0), m), select(less(m, Vec(1)), d, Vec(0)), Vec(0));
    });
  };
  parallel_for(shape.sequences,
               grain_of(6 * shape.heads * (shape.longest_query + 1) * (shape.longest_key + 1)),
               [&](Index begin, Index end) {
                 for (Index sequence = begin; sequence < end; ++sequence) {
                   const ScoreBlock t(shape, sequence);
                   for (Index head = 0; head < shape.heads; ++head)
                     for (Index i = 0; i < t.queries; ++i)
                       dz[sequence * shape.heads + head] += row_gradient(t, head, i);
                 }
               });
}

void scores_by_distance(const ScoresShape& shape, Index reach, const Real* table, Output s) {
  for_rows(shape, 1, [&](const ScoreBlock& t, Index head, Index i, Index row) {
    const Index place = t.place(i);
    const Real* entries =
        table + ((t.query_begin + i) * shape.heads + head) * (2 * reach + 1) + reach;
    for (Index j = 0; j < t.keys; ++j) {
      const Real value = entries[std::clamp(j - place, -reach, reach)];
      Real& score = s.data[row + j];
      score = s.mode == Mode::assign ? value : score + value;
    }
  });
}

void sum_by_distance(const ScoresShape& shape, Index reach, const Real* s, Output table) {
  for_rows(shape, 1, [&](const ScoreBlock& t, Index head, Index i, Index row) {
    const Index place = t.place(i);
    Real* entries =
        table.data + ((t.query_begin + i) * shape.heads + head) * (2 * reach + 1) + reach;
    if (table.mode == Mode::assign) std::fill_n(entries - reach, 2 * reach + 1, Real{0});
    for (Index j = 0; j < t.keys; ++j)
      entries[std::clamp(j - place, -reach, reach)] += s[row + j];
  });
}

}  // namespace heed::kernels
