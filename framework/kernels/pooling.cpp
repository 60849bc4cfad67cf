#include "framework/kernels/pooling.h"

#include <algorithm>
#include <array>

#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

namespace {

constexpr Index strip = 64;  // columns of a task

/// Some neighbouring columns of one sequence: a task.
struct Strip {
  Index sequence;
  Index length;
  Index width;
  Index in;   // where its first element stands in the rows
  Index out;  // and in the pooled rows
};

/// f(strip) for all strips.
template <class F>
void for_strips(const PooledRows& rows, F f) {
  const Index strips = (rows.columns + strip - 1) / strip;
  const Index cost = 2 * rows.longest * std::min(rows.columns, strip);
  parallel_for_each(rows.sequences * strips, cost, [&](Index task) {
    const Index i = task / strips;
    const Index first = task % strips * strip;
    f(Strip{.sequence = i,
            .length = rows.lengths[i],
            .width = std::min(strip, rows.columns - first),
            .in = rows.begins[i] * rows.columns + first,
            .out = i * rows.columns + first});
  });
}

}  // namespace

void mean_rows(const PooledRows& rows, const Real* x, Real* y) {
  for_strips(rows, [&](const Strip& s) {
    std::array<double, strip> totals{};
    for (Index row = 0; row < s.length; ++row) {
      const Real* from = x + s.in + row * rows.columns;
      for (Index k = 0; k < s.width; ++k)
        totals[k] += static_cast<double>(from[k]);
    }
    const auto count = static_cast<double>(std::max<Index>(s.length, 1));
    for (Index k = 0; k < s.width; ++k)
      y[s.out + k] = static_cast<Real>(totals[k] / count);
  });
}

void mean_rows_backward(const PooledRows& rows, const Real* dy, Output dx) {
  for_strips(rows, [&](const Strip& s) {
    const Vec share = 1 / static_cast<Real>(std::max<Index>(s.length, 1));
    for (Index row = 0; row < s.length; ++row)
      transform_serial(
          s.width, dx.data + s.in + row * rows.columns, dx.mode,
          [share](Vec v) { return share * v; }, dy + s.out);
  });
}

void max_rows(const PooledRows& rows, const Real* x, Real* y, Id* which) {
  for_strips(rows, [&](const Strip& s) {
    Real* best = y + s.out;
    Id* place = which + s.out;
    std::fill_n(place, s.width, Id{0});
    if (s.length == 0) {
      std::fill_n(best, s.width, Real{0});
      return;
    }
    std::copy_n(x + s.in, s.width, best);
    for (Index row = 1; row < s.length; ++row) {
      const Real* from = x + s.in + row * rows.columns;
      for (Index k = 0; k < s.width; ++k) {
        const bool more = replaces(from[k], best[k]);
        best[k] = more ? from[k] : best[k];
        place[k] = more ? static_cast<Id>(row) : place[k];
      }
    }
  });
}

void max_rows_backward(const PooledRows& rows, const Id* which, const Real* dy, Output dx) {
  for_strips(rows, [&](const Strip& s) {
    if (s.length == 0) return;
    Real* to = dx.data + s.in;
    if (dx.mode == Mode::assign)
      for (Index row = 0; row < s.length; ++row)
        std::fill_n(to + row * rows.columns, s.width, Real{0});
    for (Index k = 0; k < s.width; ++k)
      to[which[s.out + k] * rows.columns + k] += dy[s.out + k];
  });
}

}  // namespace heed::kernels
