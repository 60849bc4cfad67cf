#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/models/tiny.h"

// Rows of doubles, in which tests write the definition of a layer as plain loops.

namespace heed {

using Row = std::vector<double>;
using Rows = std::vector<Row>;

inline Row operator+(Row a, const Row& b) {
  for (std::size_t c = 0; c < a.size(); ++c)
    a[c] += b[c];
  return a;
}

inline double dot(const Row& a, const Row& b) {
  double total = 0;
  for (std::size_t c = 0; c < a.size(); ++c)
    total += a[c] * b[c];
  return total;
}

inline Row tanh_of(Row x) {
  for (double& v : x)
    v = std::tanh(v);
  return x;
}

inline Rows rows_of(const Tensor& x, Index begin, Index count) {
  Rows rows;
  for (Index i = begin; i < begin + count; ++i) {
    Row& row = rows.emplace_back();
    for (Index c = 0; c < x.columns(); ++c)
      row.push_back(static_cast<double>(x[i * x.columns() + c]));
  }
  return rows;
}
inline Rows rows_of(const Tensor& x) { return rows_of(x, 0, x.rows()); }

/// Spans of sequences of these lengths; packed where width is 0.
inline Spans spans_of(const std::vector<Index>& lengths, Index width) {
  return width == 0 ? Spans::packed(lengths) : Spans::padded(lengths, width);
}

/// The gradients of the tape against central differences of the loss.
inline void expect_gradients(AnyModule module, const std::function<Variable()>& f,
                             const std::string& what) {
  const Gradients got = gradients(module, f);
  const double step = sizeof(Real) == 8 ? 1e-5 : 1e-2;
  const double tolerance = sizeof(Real) == 8 ? 1e-6 : 2e-2;
  const auto loss_at = [&](Real& x, double value) {
    x = static_cast<Real>(value);
    return static_cast<double>(f().item());
  };
  std::size_t number = 0;
  for (const auto& [name, p] : parameters(module)) {
    std::vector<Real> expected;
    for (Real& x : p.value().span()) {
      const Real kept = x;
      const double above = loss_at(x, static_cast<double>(kept + static_cast<Real>(step)));
      const double below = loss_at(x, static_cast<double>(kept - static_cast<Real>(step)));
      x = kept;
      expected.push_back(static_cast<Real>((above - below) / (2 * step)));
    }
    ASSERT_EQ(got.values[number].size(), expected.size()) << what << ": " << name;
    EXPECT_LE(difference(got.values[number], expected), tolerance) << what << ": " << name;
    ++number;
  }
}

}  // namespace heed
