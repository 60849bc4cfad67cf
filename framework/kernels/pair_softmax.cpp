#include <algorithm>
#include <limits>

#include "framework/kernels/fold.h"
#include "framework/kernels/pair_blocks.h"
#include "framework/kernels/rows.h"

namespace heed::kernels {

namespace {

/// f(first of the row among the pairs, sequence, head, i, block)
template <class F>
void for_rows(const PairShape& shape, Index cost, F f) {
  for_blocks(shape, shape.heads, cost, [&](const Block& t, Index head) {
    for (Index i = 0; i < t.queries; ++i)
      f(t, head, i, t.begin + head * t.size() + i * t.keys);
  });
}

Real total_of(Index n, const Real* a) {
  return sum_of(n, [a](Index j, Index c) { return at(a, j, c); });
}
/// y = m e^s / (sum m e^s + e^rest), y holding m at first
void softmax_with_rest(Index n, const Real* s, Real rest, Real* y) {
  const Vec none = -std::numeric_limits<Real>::infinity();
  const Real top = std::max(rest, max_of(n, [=](Index j, Index c) {
                              return select(equal(at(y, j, c), Vec(0)), none, at(s, j, c));
                            }));
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

Real dot(Index n, const Real* a, const Real* b) {
  return sum_of(n, [=](Index j, Index c) { return at(a, j, c) * at(b, j, c); });
}

/// (ramp + z - distance) / ramp of the keys from j on, which is m where it lies within [0, 1]
Vec ramp_at(Index place, Index j, Real z, Real ramp) {
  // ramp (1 / ramp) may not be 1
  return (Vec(ramp + z) - abs(count_from(static_cast<Real>(j - place)))) / Vec(ramp);
}

}  // namespace

void pair_softmax(const PairShape& shape, const Real* s, Real* y) {
  for_rows(shape, 8, [&](const Block& t, Index, Index i, Index row) {
    const Visible seen(shape.causal, shape.window, t.queries, t.keys, i);
    std::fill_n(y + row, seen.begin, Real{0});
    scores_softmax_row(seen.end - seen.begin, s + row + seen.begin, y + row + seen.begin);
    std::fill(y + row + seen.end, y + row + t.keys, Real{0});
  });
}

void pair_softmax_backward(const PairShape& shape, const Real* y, const Real* dy, Real* ds,
                           Mode mode) {
  for_rows(shape, 4, [&](const Block& t, Index, Index, Index row) {
    softmax_row_backward(t.keys, y + row, dy + row, ds + row, mode);
  });
}

void pair_softmax_rest(const PairShape& shape, const Real* s, const Real* rest, Real* y) {
  for_rows(shape, 8, [&](const Block& t, Index head, Index i, Index row) {
    const Visible seen(shape.causal, shape.window, t.queries, t.keys, i);
    std::fill_n(y + row, t.keys, Real{0});
    std::fill(y + row + seen.begin, y + row + seen.end, Real{1});
    softmax_with_rest(t.keys, s + row, rest[(t.query_begin + i) * shape.heads + head], y + row);
  });
}

void pair_softmax_rest_backward(const PairShape& shape, const Real* y, const Real* dy, Real* drest,
                                Mode mode) {
  for_rows(shape, 4, [&](const Block& t, Index head, Index i, Index row) {
    Real& out = drest[(t.query_begin + i) * shape.heads + head];
    const Real value = (total_of(t.keys, y + row) - 1) * dot(t.keys, y + row, dy + row);
    out = mode == Mode::assign ? value : out + value;
  });
}

void pair_span_softmax(const PairShape& shape, const Real* s, const Real* z, Real ramp, Real* y) {
  for_rows(shape, 12, [&](const Block& t, Index head, Index i, Index row) {
    const Visible seen(shape.causal, shape.window, t.queries, t.keys, i);
    std::fill_n(y + row, t.keys, Real{0});
    const Index place = i + t.keys - t.queries;
    for (Index j = seen.begin; j < seen.end; j += Vec::width)
      min(max(ramp_at(place, j, z[head], ramp), Vec(0)), Vec(1))
          .store(y + row + j, std::min(Vec::width, seen.end - j));
    softmax_with_rest(t.keys, s + row, -std::numeric_limits<Real>::infinity(), y + row);
  });
}

void pair_span_softmax_backward(const PairShape& shape, const Real* z, Real ramp, const Real* y,
                                const Real* dy, Real* dz) {
  std::fill_n(dz, shape.sequences * shape.heads, Real{0});
  parallel_for(shape.sequences,
               grain_of(6 * shape.heads * (shape.longest_query + 1) * (shape.longest_key + 1)),
               [&](Index begin, Index end) {
                 for (Index sequence = begin; sequence < end; ++sequence) {
                   const Block t(shape, sequence);
                   for (Index head = 0; head < shape.heads; ++head)
                     for (Index i = 0; i < t.queries; ++i) {
                       const Index row = t.begin + head * t.size() + i * t.keys;

                       const Index place = i + t.keys - t.queries;
                       const Vec mean = dot(t.keys, y + row, dy + row);
                       // where 0 < m < 1
                       dz[sequence * shape.heads + head] += sum_of(t.keys, [&](Index j, Index c) {
                         const Vec m = ramp_at(place, j, z[head], ramp);

                         const Vec d =
                             at(y + row, j, c) / m * (at(dy + row, j, c) - mean) * Vec(1 / ramp);
                         return select(less(Vec(0), m), select(less(m, Vec(1)), d, Vec(0)), Vec(0));
                       });
                     }
                 }
               });
}

void pair_by_distance(const PairShape& shape, Index reach, const Real* table, Real* s, Mode mode) {
  for_rows(shape, 1, [&](const Block& t, Index head, Index i, Index row) {
    const Index place = i + t.keys - t.queries;
    const Real* entries =
        table + ((t.query_begin + i) * shape.heads + head) * (2 * reach + 1) + reach;
    for (Index j = 0; j < t.keys; ++j) {
      const Real value = entries[std::clamp(j - place, -reach, reach)];
      s[row + j] = mode == Mode::assign ? value : s[row + j] + value;
    }
  });
}

void pair_sum_by_distance(const PairShape& shape, Index reach, const Real* s, Real* table,
                          Mode mode) {
  for_rows(shape, 1, [&](const Block& t, Index head, Index i, Index row) {
    const Index place = i + t.keys - t.queries;
    Real* entries = table + ((t.query_begin + i) * shape.heads + head) * (2 * reach + 1) + reach;
    if (mode == Mode::assign) std::fill_n(entries - reach, 2 * reach + 1, Real{0});
    for (Index j = 0; j < t.keys; ++j)
      entries[std::clamp(j - place, -reach, reach)] += s[row + j];
  });
}

}  // namespace heed::kernels
