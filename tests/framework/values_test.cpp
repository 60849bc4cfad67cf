// The values that ops compute, against values worked out by hand and naive loops in double.

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "framework/kernels/parallel.h"
#include "framework/ops.h"
#include "tests/message_of.h"

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

/// The row-major coordinates of element i.
std::vector<Index> at(const Shape& shape, Index i) {
  std::vector<Index> result(shape.rank());
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    result[axis] = i % shape[axis];
    i /= shape[axis];
  }
  return result;
}
/// The element at these coordinates. Leading axes that the shape lacks are skipped, and an axis of
/// extent 1 repeats its element.
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

#define CALL(...) []() -> Variable { return __VA_ARGS__; }

Tensor numbers(const Ids& ids) {
  Tensor x(ids.shape());
  for (Index i = 0; i < x.size(); ++i)
    x[i] = static_cast<Real>(ids[i]);
  return x;
}
/// (correct, counted)
Tensor numbers(const Accuracy& a) {
  return vector({static_cast<double>(a.correct), static_cast<double>(a.counted)});
}

/// The cross entropies of rows whose gold is class 0, of two equal classes, and their nats.
using Nats = double*;
Variable nats_of(const std::function<Variable(Nats)>& loss) {
  double nats = 0;
  const Variable y = loss(&nats);
  return vector({static_cast<double>(y.item()), nats});
}
const Tensor two_equal({2, 2}, {0, 0, 0, 0});

const Tensor matrix = tensor({2, 3}, {1, 2, 3, 4, 5, 6});
const Tensor triple = vector({-2, 0, 3});

// clang-format off
const std::vector<ValueRow> by_hand{
    // Arithmetic.
    {"matrix + v", CALL(matrix + triple), {2, 3}, {-1, 2, 6, 2, 5, 9}},
    {"1 - v", CALL(1 - triple), {3}, {3, 1, -2}},
    {"column * row", CALL(tensor({2, 1}, {2, 3}) * triple), {2, 3}, {-4, 0, 6, -6, 0, 9}},
    {"v / 0", CALL(triple / 0), {3}, {-inf, nan, inf}},
    {"-v", CALL(-Variable(triple)), {3}, {2, 0, -3}},
    {"maximum", CALL(maximum(triple, vector({-3, 1, nan}))), {3}, {-2, 1, nan}},
    {"maximum, NaN first", CALL(maximum(vector({nan, -inf}), 7)), {2}, {nan, 7}},
    {"minimum", CALL(minimum(triple, vector({-3, nan, inf}))), {3}, {-3, nan, 3}},
    {"where", CALL(where(triple, 10, matrix)), {2, 3}, {10, 2, 10, 10, 5, 10}},
    {"masked_fill", CALL(masked_fill(matrix, tensor({2, 1}, {0, 1}), Real(-inf))), {2, 3},
     {1, 2, 3, -inf, -inf, -inf}},
    // Functions of one number.
    {"exp", CALL(exp(vector({0, 1, -inf, inf, nan, -big, 2 * big}))), {7},
     {1, e, 0, inf, nan, std::exp(-big), inf}},
    {"log", CALL(log(vector({1, e, 0, inf, -1, nan}))), {6}, {0, 1, -inf, inf, nan, nan}},
    {"sqrt", CALL(sqrt(vector({0, 4, inf, -1, 2}))), {5}, {0, 2, inf, nan, std::sqrt(2.0)}},
    {"square", CALL(square(triple)), {3}, {4, 0, 9}},
    {"abs", CALL(abs(vector({-2, 0, 3, -inf, nan}))), {5}, {2, 0, 3, inf, nan}},
    {"power 3", CALL(power(triple, 3)), {3}, {-8, 0, 27}},
    {"power -1", CALL(power(vector({4, 0}), -1)), {2}, {0.25, inf}},
    {"clamp", CALL(clamp(vector({-5, 0.5, 5, nan, inf}), -1, 1)), {5}, {-1, 0.5, 1, nan, 1}},
    {"sin", CALL(sin(vector({0, 1, -2, 100}))), {4},
     {0, std::sin(1.0), std::sin(-2.0), std::sin(100.0)}},
    {"cos", CALL(cos(vector({0, 1, -2, 100}))), {4},
     {1, std::cos(1.0), std::cos(2.0), std::cos(100.0)}},
    {"tanh", CALL(tanh(vector({0, 0.5, -1000, inf, nan, 1e-5}))), {6},
     {0, std::tanh(0.5), -1, 1, nan, 1e-5}},
    {"sigmoid", CALL(sigmoid(vector({0, 1000, -1000, -inf, nan, 2}))), {6},
     {0.5, 1, 0, 0, nan, 1 / (1 + std::exp(-2.0))}},
    {"relu", CALL(relu(vector({-1, 0, 2, nan, inf}))), {5}, {0, 0, 2, nan, inf}},
    {"gelu", CALL(gelu(vector({0, 1, -1, 100, -100, nan}))), {6},
     {0, 0.8411919906, -0.1588080094, 100, 0, nan}},
    {"silu", CALL(silu(vector({0, 1, 1000, -1000, nan}))), {5}, {0, e / (1 + e), 1000, 0, nan}},
    {"softplus", CALL(softplus(vector({0, 1000, -1000, 1, nan, -10}))), {6},
     {std::log(2.0), 1000, 0, std::log1p(e), nan, std::log1p(std::exp(-10.0))}},
    // Reductions.
    {"sum", CALL(sum(matrix)), {}, {21}},
    {"sum of nothing", CALL(sum(Tensor({3, 0}), {1})), {3}, {0, 0, 0}},
    {"mean", CALL(mean(matrix, {0})), {3}, {2.5, 3.5, 4.5}},
    {"mean, kept", CALL(mean(matrix, {-1}, true)), {2, 1}, {2, 5}},
    {"mean of nothing", CALL(mean(Tensor({0}))), {}, {nan}},
    {"variance of nothing", CALL(variance(Tensor({0}))), {}, {nan}},
    {"max", CALL(max(matrix, {1})), {2}, {3, 6}},
    {"max with NaN", CALL(max(tensor({2, 3}, {1, nan, 3, -inf, -inf, -inf}), {1})), {2},
     {nan, -inf}},
    {"max of columns with NaN", CALL(max(tensor({2, 3}, {1, nan, 3, nan, -inf, -inf}), {0})), {3},
     {nan, nan, 3}},
    {"argmax", CALL(numbers(argmax(matrix))), {2}, {2, 2}},
    {"argmax of equals", CALL(numbers(argmax(vector({1, 3, 3})))), {}, {1}},
    {"argmax of -infinity", CALL(numbers(argmax(vector({-inf, -inf})))), {}, {0}},
    {"argmax with NaN", CALL(numbers(argmax(tensor({2, 3}, {inf, nan, nan, nan, 1, inf})))), {2},
     {1, 0}},
    {"argmax of no rows", CALL(numbers(argmax(Tensor({0, 3})))), {0}, {}},
    {"variance", CALL(variance(matrix)), {}, {35.0 / 12}},
    {"variance of one", CALL(variance(vector({7}))), {}, {0}},
    {"variance far from 0", CALL(variance(vector({10001, 10002, 10003}))), {}, {2.0 / 3}},
    {"cumsum", CALL(cumsum(matrix, 1)), {2, 3}, {1, 3, 6, 4, 9, 15}},
    {"cumsum down", CALL(cumsum(matrix, 0)), {2, 3}, {1, 2, 3, 5, 7, 9}},
    // Products.
    {"matmul", CALL(matmul(matrix, matrix, {.b = true})), {2, 2}, {14, 32, 32, 77}},
    {"matmul, inner extent 0", CALL(matmul(Tensor({2, 0}), Tensor({0, 2}))), {2, 2}, {0, 0, 0, 0}},
    {"matmul of NaN", CALL(matmul(tensor({1, 2}, {nan, 1}), tensor({2, 1}, {0, 1}))), {1, 1},
     {nan}},
    {"linear", CALL(linear(vector({1, 1, 1}), matrix, vector({10, 20}))), {2}, {16, 35}},
    // Shapes.
    {"reshape", CALL(reshape(matrix, {3, -1})), {3, 2}, {1, 2, 3, 4, 5, 6}},
    {"slice", CALL(slice(matrix, 1, 1, 3)), {2, 2}, {2, 3, 5, 6}},
    {"slice, shared", CALL(slice(matrix, 0, 1, 2)), {1, 3}, {4, 5, 6}},
    {"concat", CALL(concat({matrix, tensor({2, 1}, {7, 8})}, 1)), {2, 4}, {1, 2, 3, 7, 4, 5, 6, 8}},
    {"stack", CALL(stack({triple, triple}, 1)), {3, 2}, {-2, -2, 0, 0, 3, 3}},
    {"transpose", CALL(transpose(matrix)), {3, 2}, {1, 4, 2, 5, 3, 6}},
    {"broadcast_to", CALL(broadcast_to(triple, {2, 3})), {2, 3}, {-2, 0, 3, -2, 0, 3}},
    // Rows by id.
    {"gather", CALL(gather(matrix, ids({2, 0, 2}), 1)), {2, 3}, {3, 1, 3, 6, 4, 6}},
    {"scatter_add", CALL(scatter_add(matrix, ids({2, 2}), 3)), {3, 3}, {0, 0, 0, 0, 0, 0, 5, 7, 9}},
    {"embedding", CALL(embedding(Ids({1, 2}, {1, 1}), matrix, 2)), {1, 2, 3},
     {8, 10, 12, 8, 10, 12}},
    {"pick", CALL(pick(matrix, ids({2, 0}))), {2}, {3, 4}},
    // Rows of sequences: of 3 rows the last one is padding, then a sequence without rows.
    {"mean_rows", CALL(mean_rows(tensor({6, 2}, {1, 2, 3, 5, 9, 9, 9, 9, 9, 9, 9, 9}),
                                 Spans::padded({2, 0}, 3))),
     {2, 2}, {2, 3.5, 0, 0}},
    {"max_rows", CALL(max_rows(tensor({6, 2}, {-1, -2, -3, -1, 9, 9, 9, 9, 9, 9, 9, 9}),
                               Spans::padded({2, 0}, 3))),
     {2, 2}, {-1, -1, 0, 0}},
    {"max_rows with NaN", CALL(max_rows(tensor({3, 2}, {1, nan, nan, 2, 3, 4}),
                                        Spans::packed({2, 1}))),
     {2, 2}, {nan, nan, 3, 4}},
    {"first_rows", CALL(first_rows(tensor({4, 1}, {1, 2, 9, 4}), Spans::padded({2, 1}, 2))),
     {2, 1}, {1, 9}},
    {"first_rows of none", CALL(first_rows(tensor({1, 1}, {7}), Spans::packed({0, 1, 0}))),
     {3, 1}, {0, 7, 0}},
    {"last_rows", CALL(last_rows(tensor({4, 1}, {1, 2, 9, 4}), Spans::padded({2, 1}, 2))),
     {2, 1}, {2, 9}},
    {"last_rows of none", CALL(last_rows(tensor({1, 1}, {7}), Spans::packed({0, 1, 0}))),
     {3, 1}, {0, 7, 0}},
    // An image of 2 x 4 pixels of one number, in squares of 2 x 2.
    {"patches", CALL(patches(tensor({1, 2, 4, 1}, {1, 2, 3, 4, 5, 6, 7, 8}), 2)), {2, 4},
     {1, 2, 5, 6, 3, 4, 7, 8}},
    {"patches of one pixel", CALL(patches(tensor({1, 1, 2, 2}, {1, 2, 3, 4}), 1)), {2, 2},
     {1, 2, 3, 4}},
    // Normalisation and dropout.
    {"softmax", CALL(softmax(vector({0, std::log(3.0)}))), {2}, {0.25, 0.75}},
    {"softmax, masked", CALL(softmax(vector({0, -inf, 0}))), {3}, {0.5, 0, 0.5}},
    {"softmax of large", CALL(softmax(vector({1e4, 1e4}))), {2}, {0.5, 0.5}},
    {"softmax of NaN", CALL(softmax(vector({0, nan}))), {2}, {nan, nan}},
    {"log_softmax of 1e4", CALL(log_softmax(vector({1e4, 0}))), {2}, {0, -1e4}},
    {"log_softmax of equals", CALL(log_softmax(vector({-1e4, -1e4}))), {2},
     {-std::log(2.0), -std::log(2.0)}},
    {"layer_norm", CALL(layer_norm(matrix, vector({1, 1, 2}), vector({0, 1, 0}), 0)), {2, 3},
     {-std::sqrt(1.5), 1, 2 * std::sqrt(1.5), -std::sqrt(1.5), 1, 2 * std::sqrt(1.5)}},
    {"rms_norm", CALL(rms_norm(vector({3, 4}), vector({1, 2}), 0)), {2},
     {3 / std::sqrt(12.5), 8 / std::sqrt(12.5)}},
    {"dropout 0", CALL(dropout(matrix, 0, {})), {2, 3}, {1, 2, 3, 4, 5, 6}},
    {"dropout 1", CALL(dropout(triple, 1, {})), {3}, {0, 0, 0}},
    // Losses.
    {"cross_entropy", CALL(cross_entropy(tensor({2, 2}, {0, std::log(3.0), 0, 0}), ids({1, 0}))),
     {}, {(std::log(4.0 / 3) + std::log(2.0)) / 2}},
    {"cross_entropy, ignoring",
     CALL(cross_entropy(tensor({2, 2}, {0, std::log(3.0), 0, 0}), ids({1, 0}), {.ignore = 0})), {},
     {std::log(4.0 / 3)}},
    {"cross_entropy, smoothed",
     CALL(cross_entropy(tensor({1, 2}, {0, std::log(3.0)}), ids({1}),
                        {.label_smoothing = Real(0.2)})),
     {}, {0.9 * std::log(4.0 / 3) + 0.1 * std::log(4.0)}},
    // Id 0 is a class like every other one.
    {"cross_entropy of class 0",
     CALL(nats_of([](Nats n) { return cross_entropy(two_equal, ids({0, 0}), {.nats = n}); })), {2},
     {std::log(2.0), 2 * std::log(2.0)}},
    {"linear_cross_entropy of class 0",
     CALL(nats_of([](Nats n) {
       return linear_cross_entropy(two_equal, two_equal, ids({0, 0}), {.nats = n});
     })), {2}, {std::log(2.0), 2 * std::log(2.0)}},
    {"copy_cross_entropy of class 0",  // -log(0.5 0.5 + 0.5 0.25)
     CALL(nats_of([](Nats n) {
       return copy_cross_entropy(two_equal, two_equal, Variable(), vector({0, 0}),
                                 vector({0.25, 0.25}), ids({0, 0}), {.nats = n});
     })), {2}, {-std::log(0.375), -2 * std::log(0.375)}},
    {"accuracy", CALL(numbers(accuracy(matrix, ids({2, 1})))), {2}, {1, 2}},
    {"accuracy of class 0", CALL(numbers(accuracy(two_equal, ids({0, 1})))), {2}, {1, 2}},
    {"accuracy, ignoring", CALL(numbers(accuracy(matrix, ids({2, 0}), 0))), {2}, {1, 1}},
    {"accuracy, all ignored", CALL(numbers(accuracy(Tensor({1, 0}), ids({7}), 7))), {2}, {0, 0}},
    {"accuracy with NaN", CALL(numbers(accuracy(tensor({2, 2}, {nan, 1, 1, nan}), ids({0, 0})))),
     {2}, {0, 2}},
    {"cross_entropy of large", CALL(cross_entropy(tensor({1, 2}, {1e4, 0}), ids({1}))), {}, {1e4}},
};
// clang-format on

TEST(Values, ByHand) {
  const double tolerance = sizeof(Real) == 8 ? 1e-9 : 2e-6;
  for (const ValueRow& row : by_hand)
    expect_values(row.compute(), row.shape, row.want, tolerance, row.what);
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

/// Reductions of x over the axes whose bits `set` holds, by plain loops in double.
struct NaiveReductions {
  Axes axes;
  Shape kept;  // the shape of the result, with extent 1 on the reduced axes
  std::vector<double> sum;
  std::vector<double> mean;
  std::vector<double> max;
  std::vector<double> variance;
};
NaiveReductions naive_reductions(const Tensor& x, int set) {
  const Shape& shape = x.shape();
  NaiveReductions r;
  r.kept = shape;
  for (int i = 0; i < shape.rank(); ++i)
    if (set >> i & 1) {
      r.axes.push_back(i % 2 ? i : i - shape.rank());
      r.kept[i] = 1;
    }
  r.sum.resize(r.kept.size());
  r.max.resize(r.kept.size(), -inf);
  std::vector<double> squares(r.kept.size());
  for (Index i = 0; i < x.size(); ++i) {
    const Index k = index(r.kept, at(shape, i));
    const double value = static_cast<double>(x[i]);
    r.sum[k] += value;
    squares[k] += value * value;
    r.max[k] = std::max(r.max[k], value);
  }
  const double count = static_cast<double>(shape.size() / r.kept.size());
  for (Index k = 0; k < r.kept.size(); ++k) {
    r.mean.push_back(r.sum[k] / count);
    r.variance.push_back(squares[k] / count - r.mean[k] * r.mean[k]);
  }
  return r;
}

TEST(Values, ReductionsOverAllAxesMatchLoops) {
  const double tolerance = sizeof(Real) == 8 ? 1e-12 : 1e-6;
  for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{70, 3, 66}, Shape{3, 2100}, Shape{2100, 3},
                             Shape{1, 5, 1}, Shape{7}}) {
    const Tensor x = random(shape);
    for (int set = 1; set < 1 << shape.rank(); ++set) {
      const NaiveReductions want = naive_reductions(x, set);
      const std::string what = fmt::format("{}, axes {:b}", shape, set);
      expect_values(sum(x, want.axes, true), want.kept, want.sum, 4 * tolerance, what);
      expect_values(mean(x, want.axes, true), want.kept, want.mean, tolerance, what);
      expect_values(max(x, want.axes, true), want.kept, want.max, 0, what);
      expect_values(variance(x, want.axes, true), want.kept, want.variance, tolerance, what);
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
  // The gradient of a broadcast scalar is a sum of ten million numbers.
  tape.backward(sum(one * x));
  EXPECT_NEAR(static_cast<double>(one.gradient().item()), total, 1e-6 * total);
}

/// The leading extents of a and b, then the product (m, k) by (k, n).
struct ProductCase {
  std::vector<Index> a;
  std::vector<Index> b;
  Index m;
  Index n;
  Index k;
};

/// An operand of `rows` by `columns`, stored transposed where asked.
Tensor random_operand(std::vector<Index> leading, Index rows, Index columns, bool transposed,
                      std::uint64_t seed) {
  if (transposed) std::swap(rows, columns);
  leading.insert(leading.end(), {rows, columns});
  return random(Shape(leading), seed);
}

/// The product of one pair of matrices, in double.
double product_element(const Real* a, const Real* b, const ProductCase& c, const Transpose& tr,
                       Index i, Index j) {
  double total = 0;
  for (Index k = 0; k < c.k; ++k) {
    const Real left = tr.a ? a[k * c.m + i] : a[i * c.k + k];
    const Real right = tr.b ? b[j * c.k + k] : b[k * c.n + j];
    total += static_cast<double>(left) * static_cast<double>(right);
  }
  return total;
}

void expect_product(const ProductCase& c, const Transpose& tr) {
  const Tensor a = random_operand(c.a, c.m, c.k, tr.a, 1);
  const Tensor b = random_operand(c.b, c.k, c.n, tr.b, 2);
  const Variable y = matmul(a, b, tr);
  const Shape la{std::span<const Index>(c.a)};
  const Shape lb{std::span<const Index>(c.b)};
  const Shape leading = broadcast(la, lb, "test");
  ASSERT_EQ(y.size(), leading.size() * c.m * c.n);
  for (Index batch = 0; batch < leading.size(); ++batch) {
    const Real* pa = a.data() + index(la, at(leading, batch)) * c.m * c.k;
    const Real* pb = b.data() + index(lb, at(leading, batch)) * c.k * c.n;
    for (Index i = 0; i < c.m; ++i)
      for (Index j = 0; j < c.n; ++j)
        ASSERT_NEAR(static_cast<double>(y.data()[(batch * c.m + i) * c.n + j]),
                    product_element(pa, pb, c, tr, i, j), sizeof(Real) == 8 ? 1e-12 : 2e-5)
            << to_string(a.shape()) << " by " << to_string(b.shape()) << ", " << tr.a << tr.b;
  }
}

TEST(Values, MatmulMatchesLoops) {
  for (const ProductCase& c : std::vector<ProductCase>{{{}, {}, 1, 1, 1},
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
      expect_product(c, {(flags & 1) != 0, (flags & 2) != 0});
      if (testing::Test::HasFatalFailure()) return;
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
  // Large enough to be divided among threads.
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

// Named after their shapes.
const Tensor a23({2, 3});
const Tensor b45({4, 5});
const Tensor v3({3});

// clang-format off
const std::vector<BadRow> bad_calls{
    {CALL(a23 + b45), "[+] shapes (2, 3) and (4, 5) do not broadcast: 2 against 4"},
    {CALL(a23 * Tensor({2})), "[*] shapes (2, 3) and (2,) do not broadcast: 3 against 2"},
    {CALL(where(b45, a23, a23)), "[where] shapes (4, 5) and (2, 3) do not broadcast: 4 against 2"},
    {CALL(masked_fill(v3, a23, 0)),
     "[masked_fill] expected a mask that broadcasts to (3,); got (2, 3)"},
    {CALL(clamp(a23, 2, 1)), "[clamp] expected low <= high; got 2 and 1"},
    {CALL(sum(a23, {2})), "[sum] expected an axis of (2, 3); got 2"},
    {CALL(sum(a23, {1, -1})), "[sum] expected different axes; got axis -1 twice"},
    {CALL(max(Tensor({2, 0}), {1})), "[max] expected something along the reduced axes; got (2, 0)"},
    {CALL(cumsum(a23, -3)), "[cumsum] expected an axis of (2, 3); got -3"},
    {CALL(matmul(a23, v3)),
     "[matmul] expected matrices (..., m, k) and (..., k, n); got (2, 3) and (3,)"},
    {CALL(matmul(a23, b45)), "[matmul] expected inner extents that agree; got (2, 3) and (4, 5)"},
    {CALL(matmul(a23, a23, {.a = true, .b = true})),
     "[matmul] expected inner extents that agree; got (2, 3) transposed and (2, 3) transposed"},
    {CALL(matmul(Tensor({2, 1, 1}), Tensor({3, 1, 1}))),
     "[matmul] shapes (2,) and (3,) do not broadcast: 2 against 3"},
    {CALL(reshape(a23, Shape{4})), "[reshape] expected 6 elements, as in (2, 3); got (4,)"},
    {CALL(reshape(a23, {4, -1})),
     "[reshape] expected extents that divide the 6 elements of (2, 3); got 4"},
    {CALL(reshape(a23, {-1, -1})), "[shape] expected extents of 0 or more; got -1 on axis 1"},
    {CALL(slice(a23, 1, 2, 4)),
     "[slice] expected a range within [0, 3) on axis 1 of (2, 3); got [2, 4)"},
    {CALL(concat({a23, b45}, 0)),
     "[concat] expected shapes that agree but on axis 0; got (2, 3) and (4, 5)"},
    {CALL(concat(std::span<const Operand>{}, 0)),
     "[concat] expected at least one tensor; got none"},
    {CALL(stack({a23, b45}, 0)), "[stack] expected tensors of one shape; got (2, 3) and (4, 5)"},
    {CALL(stack({a23}, 3)), "[stack] expected a new axis within [-3, 2] of (2, 3); got 3"},
    {CALL(permute(a23, {0, 0})),
     "[permute] expected each of the 2 axes of (2, 3) once; got (0, 0)"},
    {CALL(permute(a23, {0})), "[permute] expected each of the 2 axes of (2, 3) once; got (0)"},
    {CALL(transpose(v3)), "[transpose] expected an axis of (3,); got -2"},
    {CALL(broadcast_to(a23, {3})),
     "[broadcast_to] expected a shape that broadcasts to (3,); got (2, 3)"},
    {CALL(gather(a23, ids({0, 2}))), "[gather] expected ids within [0, 2); got 2 at position 1"},
    {CALL(gather(a23, Ids({1, 1}, {0}))), "[gather] expected ids of one axis; got (1, 1)"},
    {CALL(scatter_add(a23, ids({0, -1}), 2)),
     "[scatter_add] expected ids within [0, 2); got -1 at position 1"},
    {CALL(scatter_add(a23, ids({0}), 2)),
     "[scatter_add] expected an id for each row of (2, 3); got (1,)"},
    {CALL(embedding(ids({7}), a23)), "[embedding] expected ids within [0, 2); got 7 at position 0"},
    {CALL(embedding(ids({0}), v3)), "[embedding] expected a table (n, d); got (3,)"},
    {CALL(pick(a23, ids({0, 3}))), "[pick] expected ids within [0, 3); got 3 at position 1"},
    {CALL(pick(a23, ids({0}))), "[pick] expected x (n, m) and ids (n); got (2, 3) and (1,)"},
    {CALL(attention(a23, {.heads = 2, .queries = {}, .keys = {}})),
     "[attention] expected a width that 2 heads share evenly; got 1"},
    {CALL(linear(a23, b45, Tensor({4}))),
     "[linear] expected x (..., in) and weight (out, in); got (2, 3) and (4, 5)"},
    {CALL(layer_norm(a23, v3, b45)),
     "[layer_norm] expected a bias of shape (3,) for x (2, 3); got (4, 5)"},
    {CALL(rms_norm(a23, b45)), "[rms_norm] expected a gain of shape (3,) for x (2, 3); got (4, 5)"},
    {CALL(cross_entropy(a23, ids({0, 3}))),
     "[cross_entropy] expected gold ids within [0, 3); got 3"},
    {CALL(cross_entropy(a23, ids({0}))),
     "[cross_entropy] expected a gold id for each of 2 rows; got (1,)"},
    {CALL(linear_cross_entropy(a23, b45, ids({0, 1}))),
     "[linear_cross_entropy] expected x (n, d) and weight (classes, d); got (2, 3) and (4, 5)"},
    {CALL(dropout(a23, 2, {})), "[dropout] expected a probability within [0, 1]; got 2"},
    {CALL(add_dropout(a23, b45, Real(0.5), {})),
     "[add_dropout] expected equal shapes; got (2, 3) and (4, 5)"},
    {CALL(feed_forward(a23, b45, Variable(), b45, Variable(), Activation::relu)),
     "[feed_forward] expected x (..., d) and W1 (hidden, d); got (2, 3) and (4, 5)"},
    {CALL(feed_forward(a23, a23, Variable(), a23, Variable(), Activation::relu)),
     "[feed_forward] expected W2 (out, 2); got (2, 3)"},
    {CALL(feed_forward(v3, a23, v3, Tensor({4, 2}), Variable(), Activation::gelu)),
     "[feed_forward] expected b1 of shape (2,); got (3,)"},
    {CALL(feed_forward(v3, a23, Variable(), Tensor({4, 2}), v3, Activation::gelu)),
     "[feed_forward] expected b2 of shape (4,); got (3,)"},
    {CALL(feed_forward(v3, a23, Variable(), Tensor({4, 2}), Variable(), Activation::gelu, 2)),
     "[feed_forward] expected a probability within [0, 1]; got 2"},
    {CALL(numbers(argmax(Tensor::full({}, 1)))),
     "[argmax] expected at least one axis; got a scalar"},
    {CALL(numbers(argmax(Tensor({2, 0})))),
     "[argmax] expected something along the last axis; got (2, 0)"},
    {CALL(numbers(accuracy(v3, ids({0})))), "[accuracy] expected logits (n, classes); got (3,)"},
    {CALL(numbers(accuracy(a23, ids({0, 3})))), "[accuracy] expected gold ids within [0, 3); got 3"},
    {CALL(numbers(accuracy(a23, ids({0})))),
     "[accuracy] expected a gold id for each of 2 rows; got (1,)"},
    {CALL(mean_rows(a23, Spans::packed({1}))),
     "[mean_rows] expected x (rows, d) with spans over its rows; got (2, 3) and spans over 1 rows"},
    {CALL(max_rows(v3, Spans::packed({3}))),
     "[max_rows] expected x (rows, d) with spans over its rows; got (3,) and spans over 3 rows"},
    {CALL(first_rows(a23, {})),
     "[first_rows] expected x (rows, d) with spans over its rows; got (2, 3) and spans over 0 "
     "rows"},
    {CALL(last_rows(a23, {})),
     "[last_rows] expected x (rows, d) with spans over its rows; got (2, 3) and spans over 0 rows"},
    {CALL(patches(a23, 2)), "[patches] expected x (n, height, width, d); got (2, 3)"},
    {CALL(patches(Tensor({1, 4, 6, 3}), 4)),
     "[patches] expected images that patches of 4 x 4 pixels divide; got (1, 4, 6, 3)"},
    {CALL(patches(Tensor({1, 4, 6, 3}), 0)), "[patches] expected patches of at least 1 pixel; got 0"},
    {CALL(softmax(Tensor::full({}, 1))), "[softmax] expected at least one axis; got a scalar"},
};
// clang-format on

TEST(Errors, SayWhatWasExpected) {
  for (const BadRow& row : bad_calls)
    EXPECT_EQ(message_of(row.compute), row.message);
}

}  // namespace
}  // namespace heed
