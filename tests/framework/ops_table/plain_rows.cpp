#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "tests/framework/ops_table/references.h"

// Reductions, products, moves of elements and control.

namespace heed::test {

namespace {

double sum_of(const Numbers& v) { return std::accumulate(v.begin(), v.end(), 0.0); }
double mean_of(const Numbers& v) { return sum_of(v) / static_cast<double>(v.size()); }
double max_of(const Numbers& v) { return *std::max_element(v.begin(), v.end()); }
double variance_of(const Numbers& v) {
  const double mean = mean_of(v);
  double total = 0;
  for (const double e : v)
    total += (e - mean) * (e - mean);
  return total / static_cast<double>(v.size());
}

/// The row of each reduction over these axes. The largest element needs distinct ones in a
/// gradient.
void add_reduction_rows(std::vector<OpRow>& t, const Shape& shape, const Axes& axes, bool keep,
                        const std::string& what, Size size = Size::small) {
  const auto row = [&](const char* op, const Input& input, Compute f,
                       double (*definition)(const Numbers&)) {
    t.push_back(
        {op, what, {input}, std::move(f), 1, reduced(axes, keep, definition), nullptr, size});
  };
  row(
      "sum", any(shape), [=](Xs x) { return sum(x[0], axes, keep); }, sum_of);
  row(
      "mean", any(shape), [=](Xs x) { return mean(x[0], axes, keep); }, mean_of);
  row(
      "max", distinct(shape), [=](Xs x) { return max(x[0], axes, keep); }, max_of);
  row(
      "variance", any(shape), [=](Xs x) { return variance(x[0], axes, keep); }, variance_of);
}

void add_reductions(std::vector<OpRow>& t) {
  struct Case {
    Shape shape;
    Axes axes;
    bool keep;
  };
  for (const Case& c : std::vector<Case>{{{3, 4}, {}, false},
                                         {{3, 4}, {1}, false},
                                         {{3, 4}, {0}, true},
                                         {{2, 3, 4}, {-2}, false},
                                         {{2, 3, 4}, {0, 2}, false},
                                         {{2, 3, 4}, {2, 0}, true},
                                         {{2, 3, 2, 3}, {1, 3}, false},
                                         {{2, 3, 2, 3}, {0, 2}, false},
                                         {{2, 1, 3}, {1}, false},
                                         {{5, 70}, {0}, false},
                                         {{}, {}, false}}) {
    const std::string what = fmt::format("{} number {}", c.shape, t.size());
    add_reduction_rows(t, c.shape, c.axes, c.keep, what);
  }
  for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{70, 3, 66}, Shape{3, 2100}, Shape{2100, 3},
                             Shape{1, 5, 1}, Shape{7}})
    for (int set = 1; set < 1 << shape.rank(); ++set) {
      Axes axes;
      for (int i = 0; i < shape.rank(); ++i)
        if ((set >> i & 1) != 0) axes.push_back(i % 2 == 1 ? i : i - shape.rank());
      add_reduction_rows(t, shape, axes, true, fmt::format("{}, axes {:b}", shape, set),
                         Size::large);
    }
  t.push_back({"sum", "nothing", {{2, 0}}, OP(sum(x[0], {1}))});
  t.push_back({"mean", "an axis, nothing kept", {{0, 3}}, OP(mean(x[0], {1}))});
  t.push_back({"cumsum", "last", {{3, 5}}, OP(cumsum(x[0], -1))});
  t.push_back({"cumsum", "first", {{5, 70}}, OP(cumsum(x[0], 0))});
  t.push_back({"cumsum", "middle", {{2, 3, 4}}, OP(cumsum(x[0], 1))});
}

void add_products(std::vector<OpRow>& t) {
  for (int flags = 0; flags < 4; ++flags) {
    const Transpose tr{.a = (flags & 1) != 0, .b = (flags & 2) != 0};
    const auto a = [&](std::vector<Index> leading) {
      leading.insert(leading.end(), {tr.a ? 4 : 3, tr.a ? 3 : 4});
      return Input{Input::uniform, Shape(leading)};
    };
    const auto b = [&](std::vector<Index> leading) {
      leading.insert(leading.end(), {tr.b ? 5 : 4, tr.b ? 4 : 5});
      return Input{Input::uniform, Shape(leading)};
    };
    const std::string what = fmt::format("transposed {} {}", tr.a, tr.b);
    const auto compute = [tr](Xs x) { return matmul(x[0], x[1], tr); };
    t.push_back({"matmul", what, {a({}), b({})}, compute, 1, product(tr)});
    t.push_back({"matmul", what + ", batched", {a({2, 3}), b({2, 3})}, compute, 1, product(tr)});
    t.push_back({"matmul", what + ", one b", {a({2, 2}), b({})}, compute, 1, product(tr)});
    t.push_back({"matmul", what + ", one a", {a({}), b({3})}, compute, 1, product(tr)});
    t.push_back({"matmul", what + ", crossed", {a({2, 1}), b({1, 3})}, compute, 1, product(tr)});
    t.push_back(
        {"matmul", what + ", first axis shared", {a({1, 2}), b({3, 2})}, compute, 1, product(tr)});
    t.push_back({"matmul", what + ", none", {a({0}), b({})}, compute, 1, product(tr)});
  }
  t.push_back({"matmul", "with itself", {{3, 3}}, OP(matmul(x[0], x[0])), 1, product({})});
  t.push_back(
      {"matmul", "inner extent 0", {{3, 0}, {0, 2}}, OP(matmul(x[0], x[1])), 1, product({})});
  t.push_back(
      {"linear", "matrix", {{3, 4}, {5, 4}, {5}}, OP(linear(x[0], x[1], x[2])), 1, affine()});
  t.push_back({"linear",
               "three axes",
               {{2, 3, 4}, {5, 4}, {5}},
               OP(linear(x[0], x[1], x[2])),
               1,
               affine()});
  t.push_back({"linear", "vector", {{4}, {5, 4}, {5}}, OP(linear(x[0], x[1], x[2])), 1, affine()});
  t.push_back({"linear", "without bias", {{3, 4}, {5, 4}}, OP(linear(x[0], x[1])), 1, affine()});
  t.push_back({"linear",
               "undefined bias",
               {{3, 4}, {5, 4}},
               OP(linear(x[0], x[1], Variable())),
               1,
               affine()});
  t.push_back(
      {"linear", "no rows", {{0, 4}, {5, 4}, {5}}, OP(linear(x[0], x[1], x[2])), 1, affine()});
}

void add_shapes(std::vector<OpRow>& t) {
  t.push_back({"reshape", "merge", {{2, 3, 4}}, OP(reshape(x[0], {6, 4}))});
  t.push_back({"reshape", "open extent", {{2, 3, 4}}, OP(square(reshape(x[0], {4, -1})))});
  t.push_back({"slice", "first axis", {{5, 3}}, OP(slice(x[0], 0, 1, 4))});
  t.push_back({"slice", "last axis", {{5, 6}}, OP(slice(x[0], -1, 2, 5))});
  t.push_back({"slice", "middle axis", {{2, 5, 3}}, OP(slice(x[0], 1, 2, 3))});
  t.push_back({"slice", "nothing", {{2, 5}}, OP(slice(x[0], 1, 2, 2))});
  t.push_back({"slice", "overlapping", {{4, 6}}, OP(slice(x[0], 1, 0, 4) * slice(x[0], 1, 2, 6))});
  t.push_back({"slice",
               "overlapping, first axis",
               {{6, 2}},
               OP(slice(x[0], 0, 0, 4) * slice(x[0], 0, 2, 6))});
  t.push_back(
      {"concat", "first axis", {{2, 3}, {1, 3}, {0, 3}}, OP(concat({x[0], x[1], x[2]}, 0))});
  t.push_back({"concat", "last axis", {{2, 3}, {2, 1}}, OP(concat({x[0], x[1]}, -1))});
  t.push_back({"concat",
               "middle axis, twice the same",
               {{2, 3, 2}, {2, 1, 2}},
               OP(concat({x[0], x[1], x[0]}, 1))});
  t.push_back(
      {"concat", "first axis, twice the same", {{2, 3}}, OP(square(concat({x[0], x[0]}, 0)))});
  t.push_back({"stack", "first", {{2, 3}, {2, 3}}, OP(stack({x[0], x[1]}, 0))});
  t.push_back({"stack", "last", {{2, 3}, {2, 3}}, OP(stack({x[0], x[1]}, -1))});
  t.push_back({"stack", "scalars", {{}, {}}, OP(stack({x[0], x[1]}, 0))});
  t.push_back({"permute", "matrix", {{3, 20}}, OP(permute(x[0], {1, 0})), 1, permuted({1, 0})});
  t.push_back({"permute",
               "heads",
               {{2, 3, 4, 2}},
               OP(permute(x[0], {0, 2, 1, 3})),
               1,
               permuted({0, 2, 1, 3})});
  t.push_back(
      {"permute", "turn", {{2, 3, 4}}, OP(permute(x[0], {2, 0, 1})), 1, permuted({2, 0, 1})});
  t.push_back({"permute",
               "reverse",
               {{2, 3, 1, 4}},
               OP(permute(x[0], {-1, 2, 1, 0})),
               1,
               permuted({-1, 2, 1, 0})});
  t.push_back({"permute", "nothing moves", {{2, 1, 4}}, OP(square(permute(x[0], {1, 0, 2})))});
  t.push_back({"transpose", "last two", {{2, 3, 4}}, OP(transpose(x[0])), 1, permuted({0, 2, 1})});
  t.push_back(
      {"transpose", "outer two", {{2, 3, 4}}, OP(transpose(x[0], 0, 2)), 1, permuted({2, 1, 0})});
  t.push_back({"broadcast_to", "rows", {{3}}, OP(broadcast_to(x[0], {4, 3}))});
  t.push_back({"broadcast_to", "columns", {{4, 1}}, OP(broadcast_to(x[0], {2, 4, 3}))});
  t.push_back({"broadcast_to", "same size", {{3}}, OP(broadcast_to(x[0], {1, 3}))});
}

void add_rows(std::vector<OpRow>& t) {
  t.push_back({"gather", "first axis, repeated", {{4, 3}}, OP(gather(x[0], ids({2, 0, 2, 2})))});
  t.push_back({"gather", "last axis", {{2, 4}}, OP(gather(x[0], ids({3, 1, 1}), -1))});
  t.push_back({"gather", "middle axis", {{2, 4, 3}}, OP(gather(x[0], ids({3, 1, 3}), 1))});
  t.push_back({"gather", "nothing", {{4, 3}}, OP(gather(x[0], ids({})))});
  t.push_back({"scatter_add", "matrix", {{4, 3}}, OP(scatter_add(x[0], ids({1, 5, 1, 0}), 6))});
  t.push_back({"scatter_add", "vector", {{4}}, OP(scatter_add(x[0], ids({1, 1, 1, 0}), 2))});
  t.push_back({"embedding", "ids of one axis", {{5, 3}}, OP(embedding(ids({4, 0, 4}), x[0]))});
  t.push_back({"embedding",
               "ids of two axes, scaled",
               {{5, 3}},
               OP(embedding(Ids({2, 2}, {4, 0, 4, 1}), x[0], 3))});
  t.push_back({"pick", "", {{3, 4}}, OP(pick(x[0], ids({3, 0, 2})))});
}

void add_control(std::vector<OpRow>& t) {
  t.push_back({"recompute",
               "two inputs",
               {{3, 4}, {4}},
               OP(recompute([](Xs y) { return tanh(y[0] * y[1]); }, operands(x))),
               1,
               pairs([](double a, double b) { return std::tanh(a * b); })});
  t.push_back({"recompute",
               "an input it gives back",
               {{3, 4}},
               OP(recompute([](Xs y) { return y[0]; }, operands(x)))});
  t.push_back({"recompute",
               "an input it does not use",
               {{3}, {2}},
               OP(recompute([](Xs y) { return square(y[0]); }, operands(x)))});
}

/// The leading extents of a and b, then the product (m, k) by (k, n).
struct ProductCase {
  std::vector<Index> a;
  std::vector<Index> b;
  Index m;
  Index n;
  Index k;
};

/// `rows` by `columns`, stored transposed where asked.
Input matrix_input(std::vector<Index> leading, Index rows, Index columns, bool transposed) {
  if (transposed) std::swap(rows, columns);
  leading.insert(leading.end(), {rows, columns});
  return {Shape(std::span<const Index>(leading)), -1, 1};
}

void add_large_products(std::vector<OpRow>& t) {
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
      const Transpose tr{.a = (flags & 1) != 0, .b = (flags & 2) != 0};
      t.push_back({"matmul",
                   fmt::format("{} by {} by {}, {}", c.m, c.k, c.n, flags),
                   {matrix_input(c.a, c.m, c.k, tr.a), matrix_input(c.b, c.k, c.n, tr.b)},
                   [tr](Xs x) { return matmul(x[0], x[1], tr); },
                   10,
                   product(tr),
                   nullptr,
                   Size::large});
    }
}

void add_permutations(std::vector<OpRow>& t) {
  for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{19, 1, 33, 17}, Shape{5, 64, 2, 70}}) {
    Axes order{0, 1, 2, 3};
    do {
      t.push_back({"permute",
                   fmt::format("{} by {}", shape, fmt::join(order, "")),
                   {any(shape)},
                   [order](Xs x) { return permute(x[0], order); },
                   1,
                   permuted(order),
                   nullptr,
                   Size::large});
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

}  // namespace

void add_plain(std::vector<OpRow>& t) {
  add_large_products(t);
  add_permutations(t);
  add_reductions(t);
  add_products(t);
  add_shapes(t);
  add_rows(t);
  add_control(t);
}

}  // namespace heed::test
