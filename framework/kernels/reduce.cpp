#include "framework/kernels/reduce.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "framework/kernels/simd.h"

namespace heed::kernels {

namespace {

// elements of a row that are added as Real, before they go to a double
constexpr Index block = 1024;
constexpr Index strip = 64;  // columns that one task adds
constexpr Index block_rows = 32;

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

/// A sum of vectors that also adds up what rounding takes off it.
class CompensatedSum {
 public:
  void add(Vec term) {
    const Vec sum = total_ + term;
    const Vec part = sum - total_;
    // What sum lacks of total and of term, exactly (Knuth's two-sum).
    lost_ = lost_ + ((total_ - (sum - part)) + (term - part));
    total_ = sum;
  }
  void add(const CompensatedSum& other) {
    add(other.total_);
    lost_ = lost_ + other.lost_;
  }
  /// Of infinite sums nothing can be lost, and lost_ is no number.
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

/// The sum of f over [0, n). The lanes are added in a fixed order; the remainder is padded with
/// zeros after f.
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

void put(double value, Real* y, Mode mode) {
  *y = static_cast<Real>(mode == Mode::assign ? value : static_cast<double>(*y) + value);
}

/// Sums of rows: inner = 1. f(row) gives the function of an element.
template <class Sum, class F>
void sum_along_rows(Index outer, Index n, double scale, const Real* x, Real* y, Mode mode, F f) {
  constexpr Index pieces = 64;
  if (outer < pieces && n >= pieces * 4 * block) {  // few rows, so long that each is cut
    const Index piece = (n / pieces + block) / block * block;
    for (Index row = 0; row < outer; ++row) {
      std::array<double, pieces> parts{};
      parallel_for(n, piece, [&](Index begin, Index end) {
        parts[begin / piece] = long_sum<Sum>(end - begin, x + row * n + begin, f(row));
      });
      double total = 0;
      for (double part : parts)
        total += part;
      put(total * scale, y + row, mode);
    }
    return;
  }
  parallel_for(outer, grain_of(n), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      put(long_sum<Sum>(n, x + row * n, f(row)) * scale, y + row, mode);
    }
  });
}

/// Sums of columns: inner > 1. f(vector, first output, lanes) is the function of a vector of
/// elements.
template <class Sum, class F>
void sum_along_columns(Index outer, Index n, Index inner, double scale, const Real* x, Real* y,
                       Mode mode, F f) {
  const Index strips = (inner + strip - 1) / strip;
  parallel_for(outer * strips, grain_of(n * std::min(inner, strip)), [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index o = task / strips;
      const Index first = task % strips * strip;
      const Index width = std::min(strip, inner - first);
      const Real* from = x + o * n * inner + first;
      const Index out = o * inner + first;
      std::array<double, strip> totals{};
      for (Index row = 0; row < n; row += block_rows) {
        const Index end_row = std::min(n, row + block_rows);
        for (Index column = 0; column < width; column += Vec::width) {
          const Index lanes = std::min(Vec::width, width - column);
          Sum sum;
          for (Index i = row; i < end_row; ++i) {
            sum.add(f(lanes_at(from + i * inner + column, lanes), out + column, lanes));
          }
          const auto parts = sum.lanes();
          for (Index k = 0; k < lanes; ++k)
            totals[column + k] += parts[k];
        }
      }
      for (Index k = 0; k < width; ++k)
        put(totals[k] * scale, y + out + k, mode);
    }
  });
}

/// y = or += scale times the sum of f(x, at), at(values) giving the vector of values that belongs
/// to the output.
template <class Sum, class F>
void sum_with(Index outer, Index n, Index inner, double scale, const Real* x, Real* y, Mode mode,
              F f) {
  if (inner == 1) {
    sum_along_rows<Sum>(outer, n, scale, x, y, mode, [f](Index row) {
      return
          [f, row](Vec v) { return f(v, [row](const Real* values) { return Vec(values[row]); }); };
    });
    return;
  }
  sum_along_columns<Sum>(outer, n, inner, scale, x, y, mode, [f](Vec v, Index out, Index lanes) {
    return f(v, [out, lanes](const Real* values) { return lanes_at(values + out, lanes); });
  });
}

}  // namespace

void sum(Index outer, Index n, Index inner, double scale, const Real* x, Real* y, Mode mode) {
  sum_with<CompensatedSum>(outer, n, inner, scale, x, y, mode, [](Vec v, auto) { return v; });
}

void deviations(Index outer, Index n, Index inner, double scale, const Real* x, const Real* mean,
                Real* y) {
  sum_with<PlainSum>(outer, n, inner, scale, x, y, Mode::assign,
                     [mean](Vec v, auto at) { return v - at(mean); });
}

void squared_deviations(Index outer, Index n, Index inner, double scale, const Real* x,
                        const Real* mean, const Real* rest, Real* y) {
  sum_with<PlainSum>(outer, n, inner, scale, x, y, Mode::assign, [mean, rest](Vec v, auto at) {
    const Vec d = v - at(mean) - at(rest);
    return d * d;
  });
}

void max(Index outer, Index n, Index inner, const Real* x, Real* y, Id* position) {
  const Index strips = (inner + strip - 1) / strip;
  parallel_for(outer * strips, grain_of(2 * n * std::min(inner, strip)),
               [&](Index begin, Index end) {
                 for (Index task = begin; task < end; ++task) {
                   const Index o = task / strips;
                   const Index first = task % strips * strip;

                   const Index width = std::min(strip, inner - first);
                   const Real* from = x + o * n * inner + first;
                   Real* best = y + o * inner + first;
                   Id* where = position + o * inner + first;
                   for (Index k = 0; k < width; ++k) {
                     best[k] = from[k];
                     where[k] = 0;
                   }
                   for (Index i = 1; i < n; ++i)
                     for (Index k = 0; k < width; ++k) {
                       const Real value = from[i * inner + k];
                       const bool larger = replaces(value, best[k]);
                       best[k] = larger ? value : best[k];
                       where[k] = larger ? static_cast<Id>(i) : where[k];
                     }
                 }
               });
}

void max_backward(Index outer, Index n, Index inner, const Id* position, const Real* dy, Real* dx,
                  Mode mode) {
  parallel_for(outer, grain_of(n * inner), [&](Index begin, Index end) {
    if (mode == Mode::assign) std::fill(dx + begin * n * inner, dx + end * n * inner, Real{0});
    for (Index o = begin; o < end; ++o)
      for (Index k = 0; k < inner; ++k)
        dx[(o * n + position[o * inner + k]) * inner + k] += dy[o * inner + k];
  });
}

void cumsum(Index outer, Index n, Index inner, bool from_end, const Real* x, Real* y, Mode mode) {
  const Index strips = (inner + strip - 1) / strip;
  parallel_for(outer * strips, grain_of(2 * n * std::min(inner, strip)),
               [&](Index begin, Index end) {
                 for (Index task = begin; task < end; ++task) {
                   const Index first = task % strips * strip;
                   const Index width = std::min(strip, inner - first);

                   const Index at = task / strips * n * inner + first;
                   std::array<double, strip> totals{};
                   for (Index i = 0; i < n; ++i) {
                     const Index row = at + (from_end ? n - 1 - i : i) * inner;
                     for (Index k = 0; k < width; ++k)
                       put(totals[k] += static_cast<double>(x[row + k]), y + row + k, mode);
                   }
                 }
               });
}

}  // namespace heed::kernels
