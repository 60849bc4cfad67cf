#include "framework/kernels/reduce.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "framework/kernels/parallel.h"
#include "framework/kernels/simd.h"

namespace heed::kernels {

namespace {

constexpr Index block = 1024;          // elements of a row that are added as Real, before a double
constexpr Index strip = 64;            // columns that one task adds
constexpr Index long_row_pieces = 64;  // of a row that is cut
constexpr Index block_rows = 32;       // elements of a column that are added as Real

Vec lanes_at(const Real* x, Index lanes) {
  return lanes == Vec::width ? Vec::load(x) : Vec::load(x, lanes);
}

/// The numbers of a vector, in double.
std::array<double, Vec::width> numbers_of(Vec v) {
  alignas(64) Real lanes[Vec::width];
  v.store(lanes);
  std::array<double, Vec::width> numbers;
  std::copy(std::begin(lanes), std::end(lanes), numbers.begin());
  return numbers;
}

/// A sum of vectors, lane by lane.
class PlainSum {
 public:
  void add(Vec term) { total_ = total_ + term; }
  void add(const PlainSum& other) { add(other.total_); }
  std::array<double, Vec::width> lanes() const { return numbers_of(total_); }
  double value() const { return sum(total_); }

 private:
  Vec total_ = Vec(Real{0});
};

/// A sum of vectors that also adds up what rounding loses.
class CompensatedSum {
 public:
  void add(Vec term) {
    const Vec sum = total_ + term;
    const Vec part = sum - total_;
    // Exactly what sum lacks of total_ and of term (Knuth's two-sum).
    lost_ = lost_ + ((total_ - (sum - part)) + (term - part));
    total_ = sum;
  }
  void add(const CompensatedSum& other) {
    add(other.total_);
    lost_ = lost_ + other.lost_;
  }
  /// An infinite sum loses nothing, and its lost_ is NaN.
  std::array<double, Vec::width> lanes() const {
    std::array<double, Vec::width> sums = numbers_of(total_);
    const std::array<double, Vec::width> lost = numbers_of(lost_);
    for (std::size_t k = 0; k < sums.size(); ++k) {
      if (std::isfinite(sums[k])) sums[k] += lost[k];
    }
    return sums;
  }
  double value() const {
    double value = 0;
    for (const double lane : lanes())
      value += lane;
    return value;
  }

 private:
  Vec total_ = Vec(Real{0});
  Vec lost_ = Vec(Real{0});
};

/// The sum of f over [0, n). Four sums run side by side. The lanes are added in a fixed order; of
/// the tail, f's results are added one by one.
template <class Sum, class F>
double block_sum(Index n, const Real* x, F f) {
  Sum sums[4];
  Index i = 0;
  for (; i + 4 * Vec::width <= n; i += 4 * Vec::width) {
    for (int k = 0; k < 4; ++k)
      sums[k].add(f(Vec::load(x + i + k * Vec::width)));
  }
  for (; i + Vec::width <= n; i += Vec::width)
    sums[0].add(f(Vec::load(x + i)));
  double rest = 0;
  if (i < n) {
    alignas(64) Real lanes[Vec::width];
    f(Vec::load(x + i, n - i)).store(lanes);
    for (Index k = 0; k < n - i; ++k)
      rest += lanes[k];
  }
  sums[0].add(sums[1]);
  sums[2].add(sums[3]);
  sums[0].add(sums[2]);
  return sums[0].value() + rest;
}

template <class Sum, class F>
double long_sum(Index n, const Real* x, F f) {
  double total = 0;
  for (Index i = 0; i < n; i += block)
    total += block_sum<Sum>(std::min(block, n - i), x + i, f);
  return total;
}

void put(double value, Real& y, Mode mode) {
  y = static_cast<Real>(mode == Mode::assign ? value : static_cast<double>(y) + value);
}

/// Few rows, so long that each is cut: y[row] = or += scale times the sum of f(row) over the row.
template <class Sum, class F>
void sum_long_rows(const MiddleAxis& axis, double scale, const Real* x, Output y, F f) {
  const Index n = axis.n;
  const Index piece = (n / long_row_pieces + block) / block * block;
  for (Index row = 0; row < axis.outer; ++row) {
    std::array<double, long_row_pieces> parts{};
    parallel_for(n, piece, [&](Index begin, Index end) {
      parts[begin / piece] = long_sum<Sum>(end - begin, x + row * n + begin, f(row));
    });
    double total = 0;
    for (double part : parts)
      total += part;
    put(total * scale, y.data[row], y.mode);
  }
}

/// Sums of rows: inner = 1. f(row) gives the function of a vector of elements.
template <class Sum, class F>
void sum_along_rows(const MiddleAxis& axis, double scale, const Real* x, Output y, F f) {
  const Index n = axis.n;
  if (axis.outer < long_row_pieces && n >= long_row_pieces * 4 * block)
    return sum_long_rows<Sum>(axis, scale, x, y, f);
  parallel_for_each(axis.outer, n, [&](Index row) {
    put(long_sum<Sum>(n, x + row * n, f(row)) * scale, y.data[row], y.mode);
  });
}

/// Some neighbouring columns of one of the outer arrays: a task.
struct Strip {
  Index width;
  Index in;   // where its first element stands
  Index out;  // where its first result stands

  Strip(const MiddleAxis& axis, Index task) {
    const Index strips = count(axis);
    const Index o = task / strips;
    const Index first = task % strips * strip;
    width = std::min(strip, axis.inner - first);
    in = o * axis.n * axis.inner + first;
    out = o * axis.inner + first;
  }
  /// Of one outer array.
  static Index count(const MiddleAxis& axis) { return (axis.inner + strip - 1) / strip; }
};

/// f(strip) for all strips. `cost`: operations for an element.
template <class F>
void for_strips(const MiddleAxis& axis, Index cost, F f) {
  parallel_for_each(axis.outer * Strip::count(axis), cost * axis.n * std::min(axis.inner, strip),
                    [&](Index task) { f(Strip(axis, task)); });
}

/// Sums of columns: inner > 1. f(vector, first output, lanes) is the function of a vector of
/// elements.
template <class Sum, class F>
void sum_along_columns(const MiddleAxis& axis, double scale, const Real* x, Output y, F f) {
  for_strips(axis, 1, [&](const Strip& s) {
    std::array<double, strip> totals{};
    for (Index row = 0; row < axis.n; row += block_rows) {
      const Index end_row = std::min(axis.n, row + block_rows);
      for (Index column = 0; column < s.width; column += Vec::width) {
        const Index lanes = std::min(Vec::width, s.width - column);
        Sum sum;
        for (Index i = row; i < end_row; ++i)
          sum.add(f(lanes_at(x + s.in + i * axis.inner + column, lanes), s.out + column, lanes));
        const auto parts = sum.lanes();
        for (Index k = 0; k < lanes; ++k)
          totals[column + k] += parts[k];
      }
    }
    for (Index k = 0; k < s.width; ++k)
      put(totals[k] * scale, y.data[s.out + k], y.mode);
  });
}

/// y = or += scale times the sum of f(x, at). at(values) gives the vector of `values`, one for each
/// output, that belongs to the vector of x.
template <class Sum, class F>
void sum_with(const MiddleAxis& axis, double scale, const Real* x, Output y, F f) {
  if (axis.inner == 1) {
    sum_along_rows<Sum>(axis, scale, x, y, [f](Index row) {
      return
          [f, row](Vec v) { return f(v, [row](const Real* values) { return Vec(values[row]); }); };
    });
    return;
  }
  sum_along_columns<Sum>(axis, scale, x, y, [f](Vec v, Index out, Index lanes) {
    return f(v, [out, lanes](const Real* values) { return lanes_at(values + out, lanes); });
  });
}

}  // namespace

void sum(const MiddleAxis& axis, double scale, const Real* x, Output y) {
  sum_with<CompensatedSum>(axis, scale, x, y, [](Vec v, auto) { return v; });
}

void deviations(const MiddleAxis& axis, double scale, const Real* x, const Real* mean, Real* y) {
  sum_with<PlainSum>(axis, scale, x, {y}, [mean](Vec v, auto at) { return v - at(mean); });
}

void squared_deviations(const MiddleAxis& axis, double scale, const Real* x, const Real* mean,
                        const Real* rest, Real* y) {
  sum_with<PlainSum>(axis, scale, x, {y}, [mean, rest](Vec v, auto at) {
    const Vec d = v - at(mean) - at(rest);
    return d * d;
  });
}

void max(const MiddleAxis& axis, const Real* x, Real* y, Id* position) {
  for_strips(axis, 2, [&](const Strip& s) {
    const Real* from = x + s.in;
    Real* best = y + s.out;
    Id* where = position + s.out;
    for (Index k = 0; k < s.width; ++k) {
      best[k] = from[k];
      where[k] = 0;
    }
    for (Index i = 1; i < axis.n; ++i)
      for (Index k = 0; k < s.width; ++k) {
        const Real value = from[i * axis.inner + k];
        const bool larger = replaces(value, best[k]);
        best[k] = larger ? value : best[k];
        where[k] = larger ? static_cast<Id>(i) : where[k];
      }
  });
}

void max_backward(const MiddleAxis& axis, const Id* position, const Real* dy, Output dx) {
  const Index n = axis.n;
  const Index inner = axis.inner;
  parallel_for(axis.outer, grain_of(n * inner), [&](Index begin, Index end) {
    if (dx.mode == Mode::assign)
      std::fill(dx.data + begin * n * inner, dx.data + end * n * inner, Real{0});
    for (Index o = begin; o < end; ++o)
      for (Index k = 0; k < inner; ++k)
        dx.data[(o * n + position[o * inner + k]) * inner + k] += dy[o * inner + k];
  });
}

void cumsum(const MiddleAxis& axis, bool from_end, const Real* x, Output y) {
  for_strips(axis, 2, [&](const Strip& s) {
    std::array<double, strip> totals{};
    for (Index i = 0; i < axis.n; ++i) {
      const Index row = s.in + (from_end ? axis.n - 1 - i : i) * axis.inner;
      for (Index k = 0; k < s.width; ++k) {
        totals[k] += static_cast<double>(x[row + k]);
        put(totals[k], y.data[row + k], y.mode);
      }
    }
  });
}

}  // namespace heed::kernels
