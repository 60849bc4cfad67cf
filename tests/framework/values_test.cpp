// What ops compute: against values by hand, and against naive loops in double.

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "framework/kernels/parallel.h"
#include "framework/ops.h"

namespace heed {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

Tensor tensor(const Shape& shape, std::vector<double> values) {
  Tensor x(shape);
  for (Index i = 0; i < x.size(); ++i)
    x[i] = static_cast<Real>(values[i]);
  return x;
}
Tensor vector(std::vector<double> values) {
  return tensor({static_cast<Index>(values.size())}, values);
}
Tensor random(const Shape& shape, std::uint64_t seed = 1) {
  Tensor x(shape);
  Random r(seed);
  for (Real& value : x.span())
    value = static_cast<Real>(r.uniform(-1, 1));
  return x;
}
Tensor counting(const Shape& shape) {
  Tensor x(shape);
  for (Index i = 0; i < x.size(); ++i)
    x[i] = static_cast<Real>(i);
  return x;
}
Ids ids(std::initializer_list<Id> values) { return {{static_cast<Index>(values.size())}, values}; }

/// Row-major coordinates of element i, and back; an axis of extent 1 repeats.
std::vector<Index> at(const Shape& shape, Index i) {
  std::vector<Index> result(shape.rank());
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    result[axis] = i % shape[axis];
    i /= shape[axis];
  }
  return result;
}
Index index(const Shape& shape, const std::vector<Index>& coordinates) {
  Index result = 0;
  const int skip = static_cast<int>(coordinates.size()) - shape.rank();
  for (int axis = 0; axis < shape.rank(); ++axis)
    result = result * shape[axis] + (shape[axis] == 1 ? 0 : coordinates[axis + skip]);
  return result;
}

void expect_values(const Variable& y, const Shape& shape, const std::vector<double>& want,
                   double tolerance, const std::string& what) {
  ASSERT_EQ(to_string(y.shape()), to_string(shape)) << what;
  for (Index i = 0; i < y.size(); ++i) {
    const double got = static_cast<double>(y.data()[i]);
    if (std::isnan(want[i]))
      EXPECT_TRUE(std::isnan(got)) << what << ", element " << i << ": " << got;
    else if (std::isinf(want[i]))
      EXPECT_EQ(got, want[i]) << what << ", element " << i;
    else
      EXPECT_NEAR(got, want[i], tolerance * std::max(1.0, std::abs(want[i])))
          << what << ", element " << i;
  }
}

struct ValueRow {
  const char* what;
  std::function<Variable()> compute;
  Shape shape;
  std::vector<double> want;
};

const double e = std::exp(1.0);
const double big = sizeof(Real) == 8 ? 1000 : 100;

TEST(Values, ByHand) {
  const Tensor a = tensor({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor v = vector({-2, 0, 3});
  const std::vector<ValueRow> rows{
      {"a + v", [=] { return a + v; }, {2, 3}, {-1, 2, 6, 2, 5, 9}},
      {"1 - v", [=] { return 1 - v; }, {3}, {3, 1, -2}},
      {"column * row",
       [=] {
         return tensor({2, 1}, {2, 3}) * v;
       },
       {2, 3},
       {-4, 0, 6, -6, 0, 9}},
      {"v / 0", [=] { return v / 0; }, {3}, {-inf, nan, inf}},
      {"-v", [=] { return -Variable(v); }, {3}, {2, 0, -3}},
      {"maximum",
       [=] {
         return maximum(v, vector({-3, 1, nan}));
       },
       {3},
       {-2, 1, nan}},
      {"maximum, NaN first",
       [=] {
         return maximum(vector({nan, -inf}), 7);
       },
       {2},
       {nan, 7}},
      {"minimum",
       [=] {
         return minimum(v, vector({-3, nan, inf}));
       },
       {3},
       {-3, nan, 3}},
      {"where", [=] { return where(v, 10, a); }, {2, 3}, {10, 2, 10, 10, 5, 10}},
      {"masked_fill",
       [=] {
         return masked_fill(a, tensor({2, 1}, {0, 1}), Real(-inf));
       },
       {2, 3},
       {1, 2, 3, -inf, -inf, -inf}},
      {"exp",
       [=] {
         return exp(vector({0, 1, -inf, inf, nan, -big, 2 * big}));
       },
       {7},
       {1, e, 0, inf, nan, std::exp(-big), sizeof(Real) == 8 ? inf : inf}},
      {"log",
       [=] {
         return log(vector({1, e, 0, inf, -1, nan}));
       },
       {6},
       {0, 1, -inf, inf, nan, nan}},
      {"sqrt",
       [=] {
         return sqrt(vector({0, 4, inf, -1, 2}));
       },
       {5},
       {0, 2, inf, nan, std::sqrt(2.0)}},
      {"square", [=] { return square(v); }, {3}, {4, 0, 9}},
      {"abs",
       [=] {
         return abs(vector({-2, 0, 3, -inf, nan}));
       },
       {5},
       {2, 0, 3, inf, nan}},
      {"power 3", [=] { return power(v, 3); }, {3}, {-8, 0, 27}},
      {"power -1",
       [=] {
         return power(vector({4, 0}), -1);
       },
       {2},
       {0.25, inf}},
      {"clamp",
       [=] {
         return clamp(vector({-5, 0.5, 5, nan, inf}), -1, 1);
       },
       {5},
       {-1, 0.5, 1, nan, 1}},
      {"sin",
       [=] {
         return sin(vector({0, 1, -2, 100}));
       },
       {4},
       {0, std::sin(1.0), std::sin(-2.0), std::sin(100.0)}},
      {"cos",
       [=] {
         return cos(vector({0, 1, -2, 100}));
       },
       {4},
       {1, std::cos(1.0), std::cos(2.0), std::cos(100.0)}},
      {"tanh",
       [=] {
         return tanh(vector({0, 0.5, -1000, inf, nan, 1e-5}));
       },
       {6},
       {0, std::tanh(0.5), -1, 1, nan, 1e-5}},
      {"sigmoid",
       [=] {
         return sigmoid(vector({0, 1000, -1000, -inf, nan, 2}));
       },
       {6},
       {0.5, 1, 0, 0, nan, 1 / (1 + std::exp(-2.0))}},
      {"relu",
       [=] {
         return relu(vector({-1, 0, 2, nan, inf}));
       },
       {5},
       {0, 0, 2, nan, inf}},
      {"gelu",
       [=] {
         return gelu(vector({0, 1, -1, 100, -100, nan}));
       },
       {6},
       {0, 0.8411919906, -0.1588080094, 100, 0, nan}},
      {"silu",
       [=] {
         return silu(vector({0, 1, 1000, -1000, nan}));
       },
       {5},
       {0, e / (1 + e), 1000, 0, nan}},
      {"softplus",
       [=] {
         return softplus(vector({0, 1000, -1000, 1, nan, -10}));
       },
       {6},
       {std::log(2.0), 1000, 0, std::log1p(e), nan, std::log1p(std::exp(-10.0))}},
      {"sum", [=] { return sum(a); }, {}, {21}},
      {"sum of nothing",
       [=] {
         return sum(Tensor({3, 0}), {1});
       },
       {3},
       {0, 0, 0}},
      {"mean", [=] { return mean(a, {0}); }, {3}, {2.5, 3.5, 4.5}},
      {"mean, kept", [=] { return mean(a, {-1}, true); }, {2, 1}, {2, 5}},
      {"mean of nothing", [=] { return mean(Tensor({0})); }, {}, {nan}},
      {"variance of nothing", [=] { return variance(Tensor({0})); }, {}, {nan}},
      {"max", [=] { return max(a, {1}); }, {2}, {3, 6}},
      {"max with NaN",
       [=] {
         return max(tensor({2, 3}, {1, nan, 3, -inf, -inf, -inf}), {1});
       },
       {2},
       {nan, -inf}},
      {"max of columns with NaN",
       [=] {
         return max(tensor({2, 3}, {1, nan, 3, nan, -inf, -inf}), {0});
       },
       {3},
       {nan, nan, 3}},
      {"variance", [=] { return variance(a); }, {}, {35.0 / 12}},
      {"variance of one", [=] { return variance(vector({7})); }, {}, {0}},
      {"variance far from 0",
       [=] {
         return variance(vector({10001, 10002, 10003}));
       },
       {},
       {2.0 / 3}},
      {"cumsum", [=] { return cumsum(a, 1); }, {2, 3}, {1, 3, 6, 4, 9, 15}},
      {"cumsum down", [=] { return cumsum(a, 0); }, {2, 3}, {1, 2, 3, 5, 7, 9}},
      {"matmul", [=] { return matmul(a, a, {.b = true}); }, {2, 2}, {14, 32, 32, 77}},
      {"matmul, inner extent 0",
       [=] {
         return matmul(Tensor({2, 0}), Tensor({0, 2}));
       },
       {2, 2},
       {0, 0, 0, 0}},
      {"matmul of NaN",
       [=] {
         return matmul(tensor({1, 2}, {nan, 1}), tensor({2, 1}, {0, 1}));
       },
       {1, 1},
       {nan}},
      {"linear",
       [=] {
         return linear(vector({1, 1, 1}), a, vector({10, 20}));
       },
       {2},
       {16, 35}},
      {"reshape",
       [=] {
         return reshape(a, {3, -1});
       },
       {3, 2},
       {1, 2, 3, 4, 5, 6}},
      {"slice", [=] { return slice(a, 1, 1, 3); }, {2, 2}, {2, 3, 5, 6}},
      {"slice, shared", [=] { return slice(a, 0, 1, 2); }, {1, 3}, {4, 5, 6}},
      {"concat",
       [=] {
         return concat({a, tensor({2, 1}, {7, 8})}, 1);
       },
       {2, 4},
       {1, 2, 3, 7, 4, 5, 6, 8}},
      {"stack",
       [=] {
         return stack({v, v}, 1);
       },
       {3, 2},
       {-2, -2, 0, 0, 3, 3}},
      {"transpose", [=] { return transpose(a); }, {3, 2}, {1, 4, 2, 5, 3, 6}},
      {"broadcast_to",
       [=] {
         return broadcast_to(v, {2, 3});
       },
       {2, 3},
       {-2, 0, 3, -2, 0, 3}},
      {"gather",
       [=] {
         return gather(a, ids({2, 0, 2}), 1);
       },
       {2, 3},
       {3, 1, 3, 6, 4, 6}},
      {"scatter_add",
       [=] {
         return scatter_add(a, ids({2, 2}), 3);
       },
       {3, 3},
       {0, 0, 0, 0, 0, 0, 5, 7, 9}},
      {"embedding",
       [=] {
         return embedding(Ids({1, 2}, {1, 1}), a, 2);
       },
       {1, 2, 3},
       {8, 10, 12, 8, 10, 12}},
      {"pick",
       [=] {
         return pick(a, ids({2, 0}));
       },
       {2},
       {3, 4}},
      {"softmax",
       [=] {
         return softmax(vector({0, std::log(3.0)}));
       },
       {2},
       {0.25, 0.75}},
      {"softmax, masked",
       [=] {
         return softmax(vector({0, -inf, 0}));
       },
       {3},
       {0.5, 0, 0.5}},
      {"softmax of large",
       [=] {
         return softmax(vector({1e4, 1e4}));
       },
       {2},
       {0.5, 0.5}},
      {"softmax of NaN",
       [=] {
         return softmax(vector({0, nan}));
       },
       {2},
       {nan, nan}},
      {"log_softmax of 1e4",
       [=] {
         return log_softmax(vector({1e4, 0}));
       },
       {2},
       {0, -1e4}},
      {"log_softmax of equals",
       [=] {
         return log_softmax(vector({-1e4, -1e4}));
       },
       {2},
       {-std::log(2.0), -std::log(2.0)}},
      {"layer_norm",
       [=] {
         return layer_norm(a, vector({1, 1, 2}), vector({0, 1, 0}), 0);
       },
       {2, 3},
       {-std::sqrt(1.5), 1, 2 * std::sqrt(1.5), -std::sqrt(1.5), 1, 2 * std::sqrt(1.5)}},
      {"rms_norm",
       [=] {
         return rms_norm(vector({3, 4}), vector({1, 2}), 0);
       },
       {2},
       {3 / std::sqrt(12.5), 8 / std::sqrt(12.5)}},
      {"dropout 0", [=] { return dropout(a, 0, {}); }, {2, 3}, {1, 2, 3, 4, 5, 6}},
      {"dropout 1", [=] { return dropout(v, 1, {}); }, {3}, {0, 0, 0}},
      {"cross_entropy",
       [=] {
         return cross_entropy(tensor({2, 2}, {0, std::log(3.0), 0, 0}), ids({1, 0}));
       },
       {},
       {(std::log(4.0 / 3) + std::log(2.0)) / 2}},
      {"cross_entropy, ignoring",
       [=] {
         return cross_entropy(tensor({2, 2}, {0, std::log(3.0), 0, 0}), ids({1, 0}), {.ignore = 0});
       },
       {},
       {std::log(4.0 / 3)}},
      {"cross_entropy, smoothed",
       [=] {
         return cross_entropy(tensor({1, 2}, {0, std::log(3.0)}), ids({1}),
                              {.label_smoothing = Real(0.2)});
       },
       {},
       {0.9 * std::log(4.0 / 3) + 0.1 * std::log(4.0)}},
      {"cross_entropy of large",
       [=] {
         return cross_entropy(tensor({1, 2}, {1e4, 0}), ids({1}));
       },
       {},
       {1e4}},
  };
  for (const ValueRow& row : rows)
    expect_values(row.compute(), row.shape, row.want, sizeof(Real) == 8 ? 1e-9 : 2e-6, row.what);
}

TEST(Values, BroadcastingMatchesLoops) {
  const std::vector<std::pair<Shape, Shape>> pairs{{{3, 40}, {3, 40}},
                                                   {{3, 40}, {}},
                                                   {{}, {3, 40}},
                                                   {{3, 40}, {40}},
                                                   {{40}, {3, 40}},
                                                   {{3, 40}, {3, 1}},
                                                   {{3, 1}, {1, 40}},
                                                   {{2, 3, 4, 5}, {3, 1, 5}},
                                                   {{2, 1, 4}, {3, 1}},
                                                   {{1, 1}, {2, 3, 4}},
                                                   {{2, 3, 4, 17}, {2, 1, 4, 1}},
                                                   {{300, 300}, {300, 1}},
                                                   {{2, 40000}, {40000}},
                                                   {{2, 1, 2, 1, 2, 1}, {1, 2, 1, 2, 1, 2}},
                                                   {{0, 3}, {1}},
                                                   {{2, 0}, {2, 1}}};
  for (const auto& [sa, sb] : pairs) {
    const Tensor a = random(sa, 2);
    const Tensor b = random(sb, 3);
    const Variable sum_ = a + b;
    const Variable product = a * b;
    const Variable chosen = where(b, a, b);
    const Shape shape = broadcast(sa, sb, "test");
    ASSERT_EQ(sum_.shape(), shape);
    for (Index i = 0; i < shape.size(); ++i) {
      const Real x = a[index(sa, at(shape, i))];
      const Real y = b[index(sb, at(shape, i))];
      ASSERT_EQ(sum_.data()[i], x + y) << to_string(sa) << " + " << to_string(sb) << " at " << i;
      ASSERT_EQ(product.data()[i], x * y) << to_string(sa) << " * " << to_string(sb) << " at " << i;
      ASSERT_EQ(chosen.data()[i], y != 0 ? x : y);
    }
  }
}

TEST(Values, ReductionsOverAllAxesMatchLoops) {
  for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{70, 3, 66}, Shape{3, 2100}, Shape{2100, 3},
                             Shape{1, 5, 1}, Shape{7}}) {
    const Tensor x = random(shape);
    for (int set = 1; set < 1 << shape.rank(); ++set) {
      Axes axes;
      Shape kept = shape;
      for (int i = 0; i < shape.rank(); ++i)
        if (set >> i & 1) {
          axes.push_back(i % 2 ? i : i - shape.rank());
          kept[i] = 1;
        }
      const Index count = shape.size() / kept.size();
      std::vector<double> total(kept.size());
      std::vector<double> squares(kept.size());
      std::vector<double> largest(kept.size(), -inf);
      for (Index i = 0; i < x.size(); ++i) {
        const Index k = index(kept, at(shape, i));
        total[k] += static_cast<double>(x[i]);
        squares[k] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
        largest[k] = std::max(largest[k], static_cast<double>(x[i]));
      }
      std::vector<double> average(kept.size());
      std::vector<double> spread(kept.size());
      for (Index k = 0; k < kept.size(); ++k) {
        average[k] = total[k] / static_cast<double>(count);
        spread[k] = squares[k] / static_cast<double>(count) - average[k] * average[k];
      }
      const std::string what = fmt::format("{}, axes {:b}", shape, set);
      const double tolerance = sizeof(Real) == 8 ? 1e-12 : 1e-6;
      expect_values(sum(x, axes, true), kept, total, 4 * tolerance, what);
      expect_values(mean(x, axes, true), kept, average, tolerance, what);
      expect_values(max(x, axes, true), kept, largest, 0, what);
      expect_values(variance(x, axes, true), kept, spread, tolerance, what);
    }
  }
}

TEST(Values, SumsOfMillionsAreAccurate) {
  const Index n = 10'000'000;
  Tensor x({n});
  Random r(5);
  double total = 0;
  for (Index i = 0; i < n; ++i) {
    x[i] = static_cast<Real>(0.1 + static_cast<double>(i % 1000) * 1e-6);
    total += static_cast<double>(x[i]);
  }
  const double want = total / static_cast<double>(n);
  EXPECT_NEAR(static_cast<double>(mean(x).item()), want, 1e-7 * want);
  EXPECT_NEAR(static_cast<double>(mean(reshape(x, {n / 4, 4}), {0}).data()[2]), want, 1e-5 * want);
  EXPECT_NEAR(static_cast<double>(cumsum(x, 0).data()[n - 1]), total, 1e-7 * total);
  Parameter one(Tensor::full({}, 1));
  Tape tape;
  tape.backward(sum(one * x));  // the gradient of a broadcast scalar is a sum of ten million
  EXPECT_NEAR(static_cast<double>(one.gradient().item()), total, 1e-6 * total);
}

TEST(Values, MatmulMatchesLoops) {
  struct Case {
    std::vector<Index> a;
    std::vector<Index> b;
    Index m;
    Index n;
    Index k;
  };
  for (const Case& c : std::vector<Case>{{{}, {}, 1, 1, 1},
                                         {{}, {}, 33, 47, 65},
                                         {{2}, {2}, 5, 6, 7},
                                         {{2, 3}, {3}, 4, 5, 6},
                                         {{3}, {2, 1}, 4, 5, 6},
                                         {{4}, {}, 9, 3, 5},
                                         {{}, {4}, 9, 3, 5},
                                         {{40}, {40}, 16, 16, 8},
                                         {{2}, {2}, 170, 170, 170},
                                         {{3}, {1}, 7, 1, 1}})
    for (int flags = 0; flags < 4; ++flags) {
      const Transpose tr{(flags & 1) != 0, (flags & 2) != 0};
      auto ea = c.a;
      auto eb = c.b;
      ea.insert(ea.end(), {tr.a ? c.k : c.m, tr.a ? c.m : c.k});
      eb.insert(eb.end(), {tr.b ? c.n : c.k, tr.b ? c.k : c.n});
      const Tensor a = random(Shape(ea), 1);
      const Tensor b = random(Shape(eb), 2);
      const Variable y = matmul(a, b, tr);
      const Shape la{std::span<const Index>(c.a)};
      const Shape lb{std::span<const Index>(c.b)};

      const Shape leading = broadcast(la, lb, "test");
      ASSERT_EQ(y.size(), leading.size() * c.m * c.n);
      for (Index batch = 0; batch < leading.size(); ++batch) {
        const Real* pa = a.data() + index(la, at(leading, batch)) * c.m * c.k;
        const Real* pb = b.data() + index(lb, at(leading, batch)) * c.k * c.n;
        for (Index i = 0; i < c.m; ++i)
          for (Index j = 0; j < c.n; ++j) {
            double total = 0;
            for (Index k = 0; k < c.k; ++k)
              total += static_cast<double>(tr.a ? pa[k * c.m + i] : pa[i * c.k + k]) *
                       static_cast<double>(tr.b ? pb[j * c.k + k] : pb[k * c.n + j]);
            ASSERT_NEAR(static_cast<double>(y.data()[(batch * c.m + i) * c.n + j]), total,
                        sizeof(Real) == 8 ? 1e-12 : 2e-5)
                << to_string(a.shape()) << " by " << to_string(b.shape()) << ", " << tr.a << tr.b;
          }
      }
    }
}

TEST(Values, EveryPermutationMatchesLoops) {
  for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{19, 1, 33, 17}, Shape{5, 64, 2, 70}}) {
    const Tensor x = counting(shape);
    Axes order{0, 1, 2, 3};
    do {
      const Variable y = permute(x, order);
      for (Index i = 0; i < y.size(); ++i) {
        const auto to = at(y.shape(), i);
        std::vector<Index> from(4);
        for (int axis = 0; axis < 4; ++axis)
          from[order[axis]] = to[axis];
        ASSERT_EQ(y.data()[i], x[index(shape, from)])
            << to_string(shape) << " by " << order[0] << order[1] << order[2] << order[3];
      }
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

TEST(Values, SliceUndoesConcatAlongEveryAxis) {
  for (int axis = -3; axis < 3; ++axis) {
    std::vector<Tensor> parts;
    Index begin = 0;
    for (Index extent : {2, 0, 5, 1})
      parts.push_back(
          random(Shape{4, 3, 6}.with(axis < 0 ? axis + 3 : axis, extent), parts.size()));
    const Variable whole = concat({parts[0], parts[1], parts[2], parts[3]}, axis);
    for (const Tensor& part : parts) {
      const Index end = begin + part.shape()[axis < 0 ? axis + 3 : axis];
      EXPECT_EQ(slice(whole, axis, begin, end).value().to_vector(), part.to_vector())
          << "axis " << axis;
      begin = end;
    }
  }
}

TEST(Values, ScatterIsTheTransposeOfGather) {
  // large enough to be cut among threads
  const Index n = 900;
  const Index count = 4000;
  const Index d = 70;
  Random r(3);
  Ids which({count});
  for (Id& id : which.span())
    id = static_cast<Id>(r.below(n));
  const Tensor x = random({count, d});
  const Variable y = scatter_add(x, which, n);
  std::vector<double> want(n * d);
  for (Index j = 0; j < count; ++j)
    for (Index k = 0; k < d; ++k)
      want[which[j] * d + k] += static_cast<double>(x[j * d + k]);
  expect_values(y, {n, d}, want, 1e-5, "scatter_add");
  const Variable back = gather(y, which);
  for (Index j = 0; j < count; ++j)
    ASSERT_EQ(back.data()[j * d + 5], y.data()[which[j] * d + 5]);
}

TEST(Values, ATieGoesToTheFirst) {
  const auto gradients = [](auto compute) {
    Parameter a(vector({1, 2, 2}));
    Parameter b(vector({1, 2, 1}));
    Tape tape;
    tape.backward(compute(Variable(a), Variable(b)));
    return std::pair(a.gradient().defined() ? a.gradient().to_vector() : std::vector<Real>{},
                     b.gradient().defined() ? b.gradient().to_vector() : std::vector<Real>{});
  };
  using Pair = std::pair<std::vector<Real>, std::vector<Real>>;
  EXPECT_EQ(gradients([](auto a, auto b) { return sum(maximum(a, b)); }),
            (Pair{{1, 1, 1}, {0, 0, 0}}));
  EXPECT_EQ(gradients([](auto a, auto b) { return sum(minimum(a, b)); }),
            (Pair{{1, 1, 0}, {0, 0, 1}}));
  EXPECT_EQ(gradients([](auto a, auto) { return max(a); }), (Pair{{0, 1, 0}, {}}));
}

/// Every bit is the same on one thread and on several.
TEST(Values, ThreadsChangeNoBit) {
  const auto compute = [] {
    Parameter a(random({700, 130}, 1));
    Parameter b(random({130}, 2));
    Parameter w(random({90, 130}, 3));
    Tape tape;
    const Variable h = gelu(a * b + exp(b));
    const Variable y = matmul(h, w, {.b = true});
    tape.backward(mean(square(y)) + variance(h) + sum(cumsum(softplus(y), 0), {0, 1}));
    std::vector<Real> all = y.value().to_vector();
    for (const ParameterRef& p : std::initializer_list<ParameterRef>{a, b, w})
      all.insert(all.end(), p.gradient().span().begin(), p.gradient().span().end());
    return all;
  };
  const int before = threads();
  set_threads(1);
  const auto one = compute();
  set_threads(5);
  const auto five = compute();
  set_threads(before);
  EXPECT_EQ(one, five);
}

struct BadRow {
  std::function<Variable()> compute;
  const char* message;
};

TEST(Errors, SayWhatWasExpected) {
  const Tensor a({2, 3});
  const Tensor b({4, 5});
  const Tensor v({3});
  const std::vector<BadRow> rows{
      {[=] { return a + b; }, "[+] shapes (2, 3) and (4, 5) do not broadcast: 2 against 4"},
      {[=] { return a * Tensor({2}); }, "[*] shapes (2, 3) and (2,) do not broadcast: 3 against 2"},
      {[=] { return where(b, a, a); },
       "[where] shapes (4, 5) and (2, 3) do not broadcast: 4 against 2"},
      {[=] { return masked_fill(v, a, 0); },
       "[masked_fill] expected a mask that broadcasts to (3,); got (2, 3)"},
      {[=] { return clamp(a, 2, 1); }, "[clamp] expected low <= high; got 2 and 1"},
      {[=] { return sum(a, {2}); }, "[sum] expected an axis of (2, 3); got 2"},
      {[=] {
         return sum(a, {1, -1});
       },
       "[sum] expected different axes; got axis -1 twice"},
      {[=] {
         return max(Tensor({2, 0}), {1});
       },
       "[max] expected something along the reduced axes; got (2, 0)"},
      {[=] { return cumsum(a, -3); }, "[cumsum] expected an axis of (2, 3); got -3"},
      {[=] { return matmul(a, v); },
       "[matmul] expected matrices (..., m, k) and (..., k, n); got (2, 3) and (3,)"},
      {[=] { return matmul(a, b); },
       "[matmul] expected inner extents that agree; got (2, 3) and (4, 5)"},
      {[=] { return matmul(a, a, {.a = true, .b = true}); },
       "[matmul] expected inner extents that agree; got (2, 3) transposed and (2, 3) transposed"},
      {[=] {
         return matmul(Tensor({2, 1, 1}), Tensor({3, 1, 1}));
       },
       "[matmul] shapes (2,) and (3,) do not broadcast: 2 against 3"},
      {[=] { return reshape(a, Shape{4}); },
       "[reshape] expected 6 elements, as in (2, 3); got (4,)"},
      {[=] {
         return reshape(a, {4, -1});
       },
       "[reshape] expected extents that divide the 6 elements of (2, 3); got 4"},
      {[=] {
         return reshape(a, {-1, -1});
       },
       "[shape] expected extents of 0 or more; got -1 on axis 1"},
      {[=] { return slice(a, 1, 2, 4); },
       "[slice] expected a range within [0, 3) on axis 1 of (2, 3); got [2, 4)"},
      {[=] {
         return concat({a, b}, 0);
       },
       "[concat] expected shapes that agree but on axis 0; got (2, 3) and (4, 5)"},
      {[=] { return concat(std::span<const Operand>{}, 0); },
       "[concat] expected at least one tensor; got none"},
      {[=] {
         return stack({a, b}, 0);
       },
       "[stack] expected tensors of one shape; got (2, 3) and (4, 5)"},
      {[=] { return stack({a}, 3); },
       "[stack] expected a new axis within [-3, 2] of (2, 3); got 3"},
      {[=] {
         return permute(a, {0, 0});
       },
       "[permute] expected each of the 2 axes of (2, 3) once; got (0, 0)"},
      {[=] { return permute(a, {0}); },
       "[permute] expected each of the 2 axes of (2, 3) once; got (0)"},
      {[=] { return transpose(v); }, "[transpose] expected an axis of (3,); got -2"},
      {[=] { return broadcast_to(a, {3}); },
       "[broadcast_to] expected a shape that broadcasts to (3,); got (2, 3)"},
      {[=] {
         return gather(a, ids({0, 2}));
       },
       "[gather] expected ids within [0, 2); got 2 at position 1"},
      {[=] {
         return gather(a, Ids({1, 1}, {0}));
       },
       "[gather] expected ids of one axis; got (1, 1)"},
      {[=] {
         return scatter_add(a, ids({0, -1}), 2);
       },
       "[scatter_add] expected ids within [0, 2); got -1 at position 1"},
      {[=] { return scatter_add(a, ids({0}), 2); },
       "[scatter_add] expected an id for each row of (2, 3); got (1,)"},
      {[=] { return embedding(ids({7}), a); },
       "[embedding] expected ids within [0, 2); got 7 at position 0"},
      {[=] { return embedding(ids({0}), v); }, "[embedding] expected a table (n, d); got (3,)"},
      {[=] {
         return pick(a, ids({0, 3}));
       },
       "[pick] expected ids within [0, 3); got 3 at position 1"},
      {[=] { return pick(a, ids({0})); },
       "[pick] expected x (n, m) and ids (n); got (2, 3) and (1,)"},
      {[=] { return attention(a, {.heads = 2, .queries = {}, .keys = {}}); },
       "[attention] expected a width that 2 heads share evenly; got 1"},
      {[=] { return linear(a, b, Tensor({4})); },
       "[linear] expected x (..., in) and weight (out, in); got (2, 3) and (4, 5)"},
      {[=] { return layer_norm(a, v, b); },
       "[layer_norm] expected a bias of shape (3,) for x (2, 3); got (4, 5)"},
      {[=] { return rms_norm(a, b); },
       "[rms_norm] expected a gain of shape (3,) for x (2, 3); got (4, 5)"},
      {[=] {
         return cross_entropy(a, ids({0, 3}));
       },
       "[cross_entropy] expected gold ids within [0, 3); got 3"},
      {[=] { return cross_entropy(a, ids({0})); },
       "[cross_entropy] expected a gold id for each of 2 rows; got (1,)"},
      {[=] {
         return linear_cross_entropy(a, b, ids({0, 1}));
       },
       "[linear_cross_entropy] expected x (n, d) and weight (classes, d); got (2, 3) and (4, 5)"},
      {[=] { return dropout(a, 2, {}); }, "[dropout] expected a probability within [0, 1]; got 2"},
      {[=] { return add_dropout(a, b, Real(0.5), {}); },
       "[add_dropout] expected equal shapes; got (2, 3) and (4, 5)"},
      {[=] { return feed_forward(a, b, Variable(), b, Variable(), Activation::relu); },
       "[feed_forward] expected x (..., d) and W1 (hidden, d); got (2, 3) and (4, 5)"},
      {[=] { return feed_forward(a, a, Variable(), a, Variable(), Activation::relu); },
       "[feed_forward] expected W2 (out, 2); got (2, 3)"},
      {[=] {
         return feed_forward(v, a, v, Tensor({4, 2}), Variable(), Activation::gelu);
       },
       "[feed_forward] expected b1 of shape (2,); got (3,)"},
      {[=] {
         return feed_forward(v, a, Variable(), Tensor({4, 2}), v, Activation::gelu);
       },
       "[feed_forward] expected b2 of shape (4,); got (3,)"},
      {[=] {
         return feed_forward(v, a, Variable(), Tensor({4, 2}), Variable(), Activation::gelu, 2);
       },
       "[feed_forward] expected a probability within [0, 1]; got 2"},
      {[=] { return softmax(Tensor::full({}, 1)); },
       "[softmax] expected at least one axis; got a scalar"},
  };
  for (const BadRow& row : rows)
    try {
      row.compute();
      ADD_FAILURE() << "no error: " << row.message;
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), row.message);
    }
}

}  // namespace
}  // namespace heed
