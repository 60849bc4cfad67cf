#include <cmath>
#include <limits>
#include <numbers>

#include "tests/framework/ops_table/references.h"

// Values worked out by hand, such as those of NaN and infinity.

namespace heed::test {

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct ValueRow {
  const char* op;
  const char* what;
  std::function<Variable()> compute;
  Shape shape;
  std::vector<double> want;
};

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
constexpr double e = std::numbers::e;
const double big = sizeof(Real) == 8 ? 1000 : 100;

// clang-format off
const std::vector<ValueRow> by_hand{
    // Arithmetic.
    {"operator+", "matrix + v", CALL(matrix + triple), {2, 3}, {-1, 2, 6, 2, 5, 9}},
    {"operator-", "1 - v", CALL(1 - triple), {3}, {3, 1, -2}},
    {"operator*", "column * row", CALL(tensor({2, 1}, {2, 3}) * triple),
     {2, 3}, {-4, 0, 6, -6, 0, 9}},
    {"operator/", "v / 0", CALL(triple / 0), {3}, {-inf, nan, inf}},
    {"operator-", "-v", CALL(-Variable(triple)), {3}, {2, 0, -3}},
    {"maximum", "", CALL(maximum(triple, vector({-3, 1, nan}))), {3}, {-2, 1, nan}},
    {"maximum", "NaN first", CALL(maximum(vector({nan, -inf}), 7)), {2}, {nan, 7}},
    {"minimum", "", CALL(minimum(triple, vector({-3, nan, inf}))), {3}, {-3, nan, 3}},
    {"where", "", CALL(where(triple, 10, matrix)), {2, 3}, {10, 2, 10, 10, 5, 10}},
    {"masked_fill", "", CALL(masked_fill(matrix, tensor({2, 1}, {0, 1}), Real(-inf))), {2, 3},
     {1, 2, 3, -inf, -inf, -inf}},
    // Functions of one number.
    {"exp", "", CALL(exp(vector({0, 1, -inf, inf, nan, -big, 2 * big}))), {7},
     {1, e, 0, inf, nan, std::exp(-big), inf}},
    {"log", "", CALL(log(vector({1, e, 0, inf, -1, nan}))), {6}, {0, 1, -inf, inf, nan, nan}},
    {"sqrt", "", CALL(sqrt(vector({0, 4, inf, -1, 2}))), {5}, {0, 2, inf, nan, std::sqrt(2.0)}},
    {"square", "", CALL(square(triple)), {3}, {4, 0, 9}},
    {"abs", "", CALL(abs(vector({-2, 0, 3, -inf, nan}))), {5}, {2, 0, 3, inf, nan}},
    {"power", "3", CALL(power(triple, 3)), {3}, {-8, 0, 27}},
    {"power", "-1", CALL(power(vector({4, 0}), -1)), {2}, {0.25, inf}},
    {"clamp", "", CALL(clamp(vector({-5, 0.5, 5, nan, inf}), -1, 1)), {5}, {-1, 0.5, 1, nan, 1}},
    {"sin", "", CALL(sin(vector({0, 1, -2, 100}))), {4},
     {0, std::sin(1.0), std::sin(-2.0), std::sin(100.0)}},
    {"cos", "", CALL(cos(vector({0, 1, -2, 100}))), {4},
     {1, std::cos(1.0), std::cos(2.0), std::cos(100.0)}},
    {"tanh", "", CALL(tanh(vector({0, 0.5, -1000, inf, nan, 1e-5}))), {6},
     {0, std::tanh(0.5), -1, 1, nan, 1e-5}},
    {"sigmoid", "", CALL(sigmoid(vector({0, 1000, -1000, -inf, nan, 2}))), {6},
     {0.5, 1, 0, 0, nan, 1 / (1 + std::exp(-2.0))}},
    {"relu", "", CALL(relu(vector({-1, 0, 2, nan, inf}))), {5}, {0, 0, 2, nan, inf}},
    {"gelu", "", CALL(gelu(vector({0, 1, -1, 100, -100, nan}))), {6},
     {0, tanh_gelu(1), tanh_gelu(-1), 100, 0, nan}},
    {"silu", "", CALL(silu(vector({0, 1, 1000, -1000, nan}))), {5}, {0, e / (1 + e), 1000, 0, nan}},
    {"softplus", "", CALL(softplus(vector({0, 1000, -1000, 1, nan, -10}))), {6},
     {std::log(2.0), 1000, 0, std::log1p(e), nan, std::log1p(std::exp(-10.0))}},
    // Reductions.
    {"sum", "", CALL(sum(matrix)), {}, {21}},
    {"sum", "of nothing", CALL(sum(Tensor({3, 0}), {1})), {3}, {0, 0, 0}},
    {"mean", "", CALL(mean(matrix, {0})), {3}, {2.5, 3.5, 4.5}},
    {"mean", "kept", CALL(mean(matrix, {-1}, true)), {2, 1}, {2, 5}},
    {"mean", "of nothing", CALL(mean(Tensor({0}))), {}, {nan}},
    {"variance", "of nothing", CALL(variance(Tensor({0}))), {}, {nan}},
    {"max", "", CALL(max(matrix, {1})), {2}, {3, 6}},
    {"max", "with NaN", CALL(max(tensor({2, 3}, {1, nan, 3, -inf, -inf, -inf}), {1})), {2},
     {nan, -inf}},
    {"max", "of columns with NaN", CALL(max(tensor({2, 3}, {1, nan, 3, nan, -inf, -inf}), {0})),
     {3},
     {nan, nan, 3}},
    {"argmax", "", CALL(numbers(argmax(matrix))), {2}, {2, 2}},
    {"argmax", "of equals", CALL(numbers(argmax(vector({1, 3, 3})))), {}, {1}},
    {"argmax", "of -infinity", CALL(numbers(argmax(vector({-inf, -inf})))), {}, {0}},
    {"argmax", "with NaN", CALL(numbers(argmax(tensor({2, 3}, {inf, nan, nan, nan, 1, inf})))), {2},
     {1, 0}},
    {"argmax", "of no rows", CALL(numbers(argmax(Tensor({0, 3})))), {0}, {}},
    {"variance", "", CALL(variance(matrix)), {}, {35.0 / 12}},
    {"variance", "of one", CALL(variance(vector({7}))), {}, {0}},
    {"variance", "far from 0", CALL(variance(vector({10001, 10002, 10003}))), {}, {2.0 / 3}},
    {"cumsum", "", CALL(cumsum(matrix, 1)), {2, 3}, {1, 3, 6, 4, 9, 15}},
    {"cumsum", "down", CALL(cumsum(matrix, 0)), {2, 3}, {1, 2, 3, 5, 7, 9}},
    // Products.
    {"matmul", "", CALL(matmul(matrix, matrix, {.b = true})), {2, 2}, {14, 32, 32, 77}},
    {"matmul", "inner extent 0", CALL(matmul(Tensor({2, 0}), Tensor({0, 2}))),
     {2, 2}, {0, 0, 0, 0}},
    {"matmul", "of NaN", CALL(matmul(tensor({1, 2}, {nan, 1}), tensor({2, 1}, {0, 1}))), {1, 1},
     {nan}},
    {"linear", "", CALL(linear(vector({1, 1, 1}), matrix, vector({10, 20}))), {2}, {16, 35}},
    // Shapes.
    {"reshape", "", CALL(reshape(matrix, {3, -1})), {3, 2}, {1, 2, 3, 4, 5, 6}},
    {"slice", "", CALL(slice(matrix, 1, 1, 3)), {2, 2}, {2, 3, 5, 6}},
    {"slice", "shared", CALL(slice(matrix, 0, 1, 2)), {1, 3}, {4, 5, 6}},
    {"concat", "", CALL(concat({matrix, tensor({2, 1}, {7, 8})}, 1)),
     {2, 4}, {1, 2, 3, 7, 4, 5, 6, 8}},
    {"stack", "", CALL(stack({triple, triple}, 1)), {3, 2}, {-2, -2, 0, 0, 3, 3}},
    {"transpose", "", CALL(transpose(matrix)), {3, 2}, {1, 4, 2, 5, 3, 6}},
    {"broadcast_to", "", CALL(broadcast_to(triple, {2, 3})), {2, 3}, {-2, 0, 3, -2, 0, 3}},
    // Rows by id.
    {"gather", "", CALL(gather(matrix, ids({2, 0, 2}), 1)), {2, 3}, {3, 1, 3, 6, 4, 6}},
    {"scatter_add", "", CALL(scatter_add(matrix, ids({2, 2}), 3)),
     {3, 3}, {0, 0, 0, 0, 0, 0, 5, 7, 9}},
    {"embedding", "", CALL(embedding(Ids({1, 2}, {1, 1}), matrix, 2)), {1, 2, 3},
     {8, 10, 12, 8, 10, 12}},
    {"pick", "", CALL(pick(matrix, ids({2, 0}))), {2}, {3, 4}},
    // Rows of sequences: of 3 rows the last one is padding, then a sequence without rows.
    {"mean_rows", "", CALL(mean_rows(tensor({6, 2}, {1, 2, 3, 5, 9, 9, 9, 9, 9, 9, 9, 9}),
                                 Spans::padded({2, 0}, 3))),
     {2, 2}, {2, 3.5, 0, 0}},
    {"max_rows", "", CALL(max_rows(tensor({6, 2}, {-1, -2, -3, -1, 9, 9, 9, 9, 9, 9, 9, 9}),
                               Spans::padded({2, 0}, 3))),
     {2, 2}, {-1, -1, 0, 0}},
    {"max_rows", "with NaN", CALL(max_rows(tensor({3, 2}, {1, nan, nan, 2, 3, 4}),
                                        Spans::packed({2, 1}))),
     {2, 2}, {nan, nan, 3, 4}},
    {"first_rows", "", CALL(first_rows(tensor({4, 1}, {1, 2, 9, 4}), Spans::padded({2, 1}, 2))),
     {2, 1}, {1, 9}},
    {"first_rows", "of none", CALL(first_rows(tensor({1, 1}, {7}), Spans::packed({0, 1, 0}))),
     {3, 1}, {0, 7, 0}},
    {"last_rows", "", CALL(last_rows(tensor({4, 1}, {1, 2, 9, 4}), Spans::padded({2, 1}, 2))),
     {2, 1}, {2, 9}},
    {"last_rows", "of none", CALL(last_rows(tensor({1, 1}, {7}), Spans::packed({0, 1, 0}))),
     {3, 1}, {0, 7, 0}},
    // An image of 2 x 4 pixels of one number, in squares of 2 x 2.
    {"patches", "", CALL(patches(tensor({1, 2, 4, 1}, {1, 2, 3, 4, 5, 6, 7, 8}), 2)), {2, 4},
     {1, 2, 5, 6, 3, 4, 7, 8}},
    {"patches", "of one pixel", CALL(patches(tensor({1, 1, 2, 2}, {1, 2, 3, 4}), 1)), {2, 2},
     {1, 2, 3, 4}},
    // Normalisation and dropout.
    {"softmax", "", CALL(softmax(vector({0, std::log(3.0)}))), {2}, {0.25, 0.75}},
    {"softmax", "masked", CALL(softmax(vector({0, -inf, 0}))), {3}, {0.5, 0, 0.5}},
    {"softmax", "of large", CALL(softmax(vector({1e4, 1e4}))), {2}, {0.5, 0.5}},
    {"softmax", "of NaN", CALL(softmax(vector({0, nan}))), {2}, {nan, nan}},
    {"log_softmax", "of 1e4", CALL(log_softmax(vector({1e4, 0}))), {2}, {0, -1e4}},
    {"log_softmax", "of equals", CALL(log_softmax(vector({-1e4, -1e4}))), {2},
     {-std::log(2.0), -std::log(2.0)}},
    {"layer_norm", "", CALL(layer_norm(matrix, vector({1, 1, 2}), vector({0, 1, 0}), 0)), {2, 3},
     {-std::sqrt(1.5), 1, 2 * std::sqrt(1.5), -std::sqrt(1.5), 1, 2 * std::sqrt(1.5)}},
    {"rms_norm", "", CALL(rms_norm(vector({3, 4}), vector({1, 2}), 0)), {2},
     {3 / std::sqrt(12.5), 8 / std::sqrt(12.5)}},
    {"dropout", "0", CALL(dropout(matrix, 0, {})), {2, 3}, {1, 2, 3, 4, 5, 6}},
    {"dropout", "1", CALL(dropout(triple, 1, {})), {3}, {0, 0, 0}},
    // Losses.
    {"cross_entropy", "",
     CALL(cross_entropy(tensor({2, 2}, {0, std::log(3.0), 0, 0}), ids({1, 0}))),
     {}, {(std::log(4.0 / 3) + std::log(2.0)) / 2}},
    {"cross_entropy", "ignoring",
     CALL(cross_entropy(tensor({2, 2}, {0, std::log(3.0), 0, 0}), ids({1, 0}), {.ignore = 0})), {},
     {std::log(4.0 / 3)}},
    {"cross_entropy", "smoothed",
     CALL(cross_entropy(tensor({1, 2}, {0, std::log(3.0)}), ids({1}),
                        {.label_smoothing = Real(0.2)})),
     {}, {0.9 * std::log(4.0 / 3) + 0.1 * std::log(4.0)}},
    // Id 0 is a class like every other one.
    {"cross_entropy", "of class 0",
     CALL(nats_of([](Nats n) { return cross_entropy(two_equal, ids({0, 0}), {.nats = n}); })), {2},
     {std::log(2.0), 2 * std::log(2.0)}},
    {"linear_cross_entropy", "of class 0",
     CALL(nats_of([](Nats n) {
       return linear_cross_entropy(two_equal, two_equal, ids({0, 0}), {.nats = n});
     })), {2}, {std::log(2.0), 2 * std::log(2.0)}},
    {"copy_cross_entropy", "of class 0",  // -log(0.5 0.5 + 0.5 0.25)
     CALL(nats_of([](Nats n) {
       return copy_cross_entropy(two_equal, two_equal, Variable(), vector({0, 0}),
                                 vector({0.25, 0.25}), ids({0, 0}), {.nats = n});
     })), {2}, {-std::log(0.375), -2 * std::log(0.375)}},
    // p = (1/4, 3/4) and q = (1/2, 1/2): 1/2 (1/4) (log 1/2 - log 3/2) (-1) = log(3) / 8
    {"symmetric_kl", "",
     CALL(symmetric_kl(tensor({1, 2}, {0, std::log(3.0)}), tensor({1, 2}, {5, 5}), ids({0}))), {},
     {std::log(3.0) / 8}},
    {"accuracy", "", CALL(numbers(accuracy(matrix, ids({2, 1})))), {2}, {1, 2}},
    {"accuracy", "of class 0", CALL(numbers(accuracy(two_equal, ids({0, 1})))), {2}, {1, 2}},
    {"accuracy", "ignoring", CALL(numbers(accuracy(matrix, ids({2, 0}), 0))), {2}, {1, 1}},
    {"accuracy", "all ignored", CALL(numbers(accuracy(Tensor({1, 0}), ids({7}), 7))), {2}, {0, 0}},
    {"accuracy", "with NaN", CALL(numbers(accuracy(tensor({2, 2}, {nan, 1, 1, nan}), ids({0, 0})))),
     {2}, {0, 2}},
    {"cross_entropy", "of large", CALL(cross_entropy(tensor({1, 2}, {1e4, 0}), ids({1}))),
     {}, {1e4}},
};
// clang-format on

}  // namespace

void add_by_hand(std::vector<OpRow>& rows) {
  for (const ValueRow& row : by_hand)
    rows.push_back({.op = row.op,
                    .what = row.what,
                    .inputs = {},
                    .compute = [f = row.compute](Xs) { return f(); },
                    .reference = [=](Inputs) { return Expected(row.want, row.shape); },
                    .size = Size::large});
}

}  // namespace heed::test
