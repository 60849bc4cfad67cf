#include "tests/framework/ops_table/references.h"

#include <cmath>
#include <numbers>

namespace heed::test {

Numbers numbers_of(const Tensor& x) {
  Numbers result;
  for (const Real v : x.span())
    result.push_back(static_cast<double>(v));
  return result;
}

std::vector<Index> coordinates(const Shape& shape, Index i) {
  std::vector<Index> result(static_cast<std::size_t>(shape.rank()));
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    result[static_cast<std::size_t>(axis)] = i % shape[axis];
    i /= shape[axis];
  }
  return result;
}

Index element_at(const Shape& shape, const std::vector<Index>& at) {
  Index result = 0;
  const int skip = static_cast<int>(at.size()) - shape.rank();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const Index place = at[static_cast<std::size_t>(axis + skip)];
    result = result * shape[axis] + (shape[axis] == 1 ? 0 : place);
  }
  return result;
}

Reference each(std::function<double(double)> f) {
  return [f = std::move(f)](Inputs x) -> Expected {
    Numbers y;
    for (const double v : numbers_of(x[0]))
      y.push_back(f(v));
    return {y, x[0].shape()};
  };
}

Reference pairs(std::function<double(double, double)> f) {
  return [f = std::move(f)](Inputs x) -> Expected {
    const Tensor& a = x[0];
    const Tensor& b = x[1];
    const Shape shape = broadcast(a.shape(), b.shape(), "reference");
    Numbers y;
    for (Index i = 0; i < shape.size(); ++i) {
      const std::vector<Index> at = coordinates(shape, i);
      y.push_back(f(static_cast<double>(a[element_at(a.shape(), at)]),
                    static_cast<double>(b[element_at(b.shape(), at)])));
    }
    return {y, shape};
  };
}

Reference reduced(const Axes& axes, bool keep, double (*f)(const Numbers&)) {
  return [=](Inputs x) -> Expected {
    const Shape& shape = x[0].shape();
    Shape kept = shape;
    std::vector<Index> left;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const auto named = [&](int a) { return (a + shape.rank()) % shape.rank() == axis; };
      const bool goes = axes.empty() || std::any_of(axes.begin(), axes.end(), named);
      if (goes) kept[axis] = 1;
      if (!goes || keep) left.push_back(kept[axis]);
    }
    std::vector<Numbers> groups(static_cast<std::size_t>(kept.size()));
    for (Index i = 0; i < x[0].size(); ++i)
      groups[static_cast<std::size_t>(element_at(kept, coordinates(shape, i)))].push_back(
          static_cast<double>(x[0][i]));
    Numbers y;
    for (const Numbers& group : groups)
      y.push_back(f(group));
    return {y, Shape(std::span<const Index>(left))};
  };
}

namespace {

/// `leading` and two more axes.
Shape matrices(Shape leading, Index rows, Index columns) {
  std::vector<Index> extents(leading.begin(), leading.end());
  extents.insert(extents.end(), {rows, columns});
  return Shape(std::span<const Index>(extents));
}

Shape without_matrix(const Shape& shape) {
  return Shape(std::span<const Index>(shape.begin(), shape.end() - 2));
}

}  // namespace

Reference product(Transpose transpose) {
  return [transpose](Inputs x) -> Expected {
    const Tensor& a = x[0];
    const Tensor& b = x[x.size() - 1];
    const int ra = a.shape().rank();
    const int rb = b.shape().rank();
    const Index m = a.shape()[ra - (transpose.a ? 1 : 2)];
    const Index depth = a.shape()[ra - (transpose.a ? 2 : 1)];
    const Index n = b.shape()[rb - (transpose.b ? 2 : 1)];
    const Shape la = without_matrix(a.shape());
    const Shape lb = without_matrix(b.shape());
    const Shape leading = broadcast(la, lb, "reference");
    Numbers y;
    for (Index batch = 0; batch < leading.size(); ++batch) {
      const std::vector<Index> at = coordinates(leading, batch);
      const Real* pa = a.data() + element_at(la, at) * m * depth;
      const Real* pb = b.data() + element_at(lb, at) * depth * n;
      for (Index i = 0; i < m; ++i)
        for (Index j = 0; j < n; ++j) {
          double total = 0;
          for (Index k = 0; k < depth; ++k) {
            const Real left = transpose.a ? pa[k * m + i] : pa[i * depth + k];
            const Real right = transpose.b ? pb[j * depth + k] : pb[k * n + j];
            total += static_cast<double>(left) * static_cast<double>(right);
          }
          y.push_back(total);
        }
    }
    return {y, matrices(leading, m, n)};
  };
}

Reference permuted(const Axes& order) {
  return [order](Inputs x) -> Expected {
    const Shape& from = x[0].shape();
    Shape to = from;
    for (int axis = 0; axis < from.rank(); ++axis)
      to[axis] = from[(order[static_cast<std::size_t>(axis)] + from.rank()) % from.rank()];
    Numbers y;
    for (Index i = 0; i < to.size(); ++i) {
      const std::vector<Index> at = coordinates(to, i);
      std::vector<Index> place(at.size());
      for (std::size_t axis = 0; axis < at.size(); ++axis)
        place[static_cast<std::size_t>((order[axis] + from.rank()) % from.rank())] = at[axis];
      y.push_back(static_cast<double>(x[0][element_at(from, place)]));
    }
    return {y, to};
  };
}

Reference affine() {
  return rows_with_inputs([](const Numbers& row, Inputs x) {
    const Tensor& w = x[1];
    const Index in = w.shape()[1];
    Numbers y;
    for (Index o = 0; o < w.shape()[0]; ++o) {
      double total = x.size() > 2 ? static_cast<double>(x[2][o]) : 0;
      for (Index k = 0; k < in; ++k)
        total += static_cast<double>(w[o * in + k]) * row[static_cast<std::size_t>(k)];
      y.push_back(total);
    }
    return y;
  });
}

Reference rows_with_inputs(std::function<Numbers(const Numbers&, Inputs)> f) {
  return [f = std::move(f)](Inputs x) -> Expected {
    const Numbers all = numbers_of(x[0]);
    const Index columns = x[0].shape().columns();
    Numbers y;
    for (Index row = 0; row < x[0].shape().rows(); ++row) {
      const auto begin = all.begin() + row * columns;
      const Numbers result = f(Numbers(begin, begin + columns), x);
      y.insert(y.end(), result.begin(), result.end());
    }
    return y;
  };
}

Numbers softmax_of(const Numbers& x) {
  Numbers y;
  double total = 0;
  for (const double v : x)
    total += std::exp(v);
  for (const double v : x)
    y.push_back(std::exp(v) / total);
  return y;
}

/// The definition in framework/kernels/dropout.h.
double dropout_factor(Real p, RandomKey key, Index i) {
  const auto threshold = static_cast<std::uint32_t>(std::lround(static_cast<double>(p) * 65536));
  const Index block = i / 128;
  const Index e = i % 128;
  const std::uint32_t word = philox(
      key, static_cast<std::uint64_t>(16 * block + e % 16))[static_cast<std::size_t>(e / 32)];
  const std::uint32_t half = (e / 16) % 2 == 1 ? word >> 16 : word & 0xffff;
  return half < threshold ? 0 : 65536.0 / (65536.0 - threshold);
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

double tanh_gelu(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

}  // namespace heed::test
