#include <algorithm>
#include <cmath>

#include "tests/framework/ops_table/references.h"

// Functions of one number, and of two that broadcast.

namespace heed::test {

namespace {

struct ShapePair {
  const char* what;
  Shape a;
  Shape b;
};

std::vector<ShapePair> broadcasting_shapes() {
  // clang-format off
  return {
    {"same shape", {3, 5}, {3, 5}},
    {"scalar", {3, 5}, {}},
    {"scalar first", {}, {3, 5}},
    {"row", {4, 19}, {19}},
    {"row first", {19}, {4, 19}},
    {"column", {4, 19}, {4, 1}},
    {"outer", {4, 1}, {1, 5}},
    {"middle", {2, 3, 4}, {2, 1, 4}},
    {"ends", {2, 3, 4}, {1, 3, 1}},
    {"both ways", {2, 1, 3, 1}, {3, 1, 2}},
    {"extent one", {1, 1}, {1}},
    {"empty", {0, 3}, {3}},
  };
  // clang-format on
}

double larger(double a, double b) { return std::max(a, b); }
double smaller(double a, double b) { return std::min(a, b); }

void add_broadcasting(std::vector<OpRow>& t) {
  for (const ShapePair& p : broadcasting_shapes()) {
    const std::vector<Input> any{{Input::uniform, p.a}, {Input::uniform, p.b}};
    const std::vector<Input> apart{distinct(p.a), distinct(p.b)};
    t.push_back({"operator+", p.what, any, OP(x[0] + x[1]), 1, pairs(std::plus<>())});
    t.push_back({"operator-", p.what, any, OP(x[0] - x[1]), 1, pairs(std::minus<>())});
    t.push_back({"operator*", p.what, any, OP(x[0] * x[1]), 1, pairs(std::multiplies<>())});
    t.push_back({"operator/",
                 p.what,
                 {{Input::uniform, p.a}, away(p.b)},
                 OP(x[0] / x[1]),
                 1,
                 pairs(std::divides<>())});
    t.push_back({"maximum", p.what, apart, OP(maximum(x[0], x[1])), 1, pairs(larger)});
    t.push_back({"minimum", p.what, apart, OP(minimum(x[0], x[1])), 1, pairs(smaller)});
    t.push_back({"where", p.what, any, OP(where(stripes(x[0].shape()), x[0], x[1]))});
  }
}

void add_arithmetic(std::vector<OpRow>& t) {
  t.push_back({"operator+", "itself", {{3, 4}}, OP(x[0] + x[0])});
  t.push_back({"operator*", "itself", {{3, 4}}, OP(x[0] * x[0])});
  t.push_back(
      {"operator*", "itself, repeated", {{4}}, OP(x[0] * (x[0] * Tensor::full({3, 1}, 2)))});
  t.push_back({"operator-", "unary", {{3, 20}}, OP(-x[0])});
  t.push_back({"operator-", "number first", {{3, 4}}, OP(2 - x[0])});
  t.push_back({"operator/", "number first", {positive({3, 4})}, OP(2 / x[0])});
  t.push_back({"where", "broad condition", {{3}, {}}, OP(where(stripes({2, 4, 1}), x[0], x[1]))});
  t.push_back({"masked_fill", "full mask", {{3, 7}}, OP(masked_fill(x[0], stripes({3, 7}), -9))});
  t.push_back({"masked_fill", "row mask", {{2, 3, 4}}, OP(masked_fill(x[0], stripes({4}), 5))});
  t.push_back(
      {"masked_fill", "column mask", {{2, 3, 4}}, OP(masked_fill(x[0], stripes({3, 1}), 5))});
}

#define OF(...) [](double v) -> double { return __VA_ARGS__; }

void add_functions(std::vector<OpRow>& t, const Shape& shape) {
  const Input any{Input::uniform, shape, -2, 2};
  const Input above{shape, 0.5, 2};
  const Input apart = away(shape);
  const auto row = [&](const char* op, const Input& input, Compute f,
                       double (*definition)(double)) {
    t.push_back({op, to_string(shape), {input}, std::move(f), 1, each(definition)});
  };
  row("exp", any, OP(exp(x[0])), OF(std::exp(v)));
  row("log", above, OP(log(x[0])), OF(std::log(v)));
  row("sqrt", above, OP(sqrt(x[0])), OF(std::sqrt(v)));
  row("square", any, OP(square(x[0])), OF(v * v));
  row("abs", apart, OP(abs(x[0])), OF(std::abs(v)));
  row("sin", any, OP(sin(x[0])), OF(std::sin(v)));
  row("cos", any, OP(cos(x[0])), OF(std::cos(v)));
  row("tanh", any, OP(tanh(x[0])), OF(std::tanh(v)));
  row("sigmoid", any, OP(sigmoid(x[0])), OF(logistic(v)));
  row("relu", apart, OP(relu(x[0])), OF(std::max(v, 0.0)));
  row("gelu", any, OP(gelu(x[0])), OF(tanh_gelu(v)));
  row("silu", any, OP(silu(x[0])), OF(v * logistic(v)));
  row("softplus", any, OP(softplus(x[0])), OF(std::log1p(std::exp(v))));
}

void add_powers(std::vector<OpRow>& t, const Shape& shape) {
  const Input any{Input::uniform, shape, -2, 2};
  const Input above{shape, 0.5, 2};
  const std::string what = to_string(shape);
  const auto power_row = [&](const char* special, const Input& input, double exponent,
                             double factor = 1) {
    t.push_back({"power",
                 what + special,
                 {input},
                 [=](Xs x) { return power(x[0], static_cast<Real>(exponent)); },
                 factor,
                 each([=](double v) { return std::pow(v, exponent); })});
  };
  const auto clamp_row = [&](const char* special, double low, double high) {
    t.push_back({"clamp",
                 what + special,
                 {away(shape)},
                 [=](Xs x) { return clamp(x[0], static_cast<Real>(low), static_cast<Real>(high)); },
                 1,
                 each([=](double v) { return std::clamp(v, low, high); })});
  };
  power_row("", above, 2.5);
  power_row(" inverse", away(shape), -1, 3);
  power_row(" zero", any, 0);
  clamp_row("", -0.2, 0.2);
  clamp_row(" one side", 0, 9);
}

void add_unary(std::vector<OpRow>& t) {
  for (const Shape& shape : {Shape{3, 7}, Shape{}, Shape{2, 0}, Shape{41}}) {
    add_functions(t, shape);
    add_powers(t, shape);
  }
}

void add_large_broadcasting(std::vector<OpRow>& t) {
  // clang-format off
  const std::vector<ShapePair> shapes{
      {"row", {3, 40}, {40}},
      {"row first", {40}, {3, 40}},
      {"column", {3, 40}, {3, 1}},
      {"outer", {3, 1}, {1, 40}},
      {"four axes", {2, 3, 4, 5}, {3, 1, 5}},
      {"two columns", {2, 3, 4, 17}, {2, 1, 4, 1}},
      {"many rows", {300, 300}, {300, 1}},
      {"wide", {2, 40000}, {40000}},
      {"every other axis", {2, 1, 2, 1, 2, 1}, {1, 2, 1, 2, 1, 2}},
      {"empty against a column", {2, 0}, {2, 1}},
  };
  // clang-format on
  const auto chosen = [](double a, double b) { return b != 0 ? a : b; };
  for (const ShapePair& p : shapes) {
    const auto row = [&](const char* op, Compute f, Reference definition) {
      t.push_back({op,
                   p.what,
                   {any(p.a), any(p.b)},
                   std::move(f),
                   1,
                   std::move(definition),
                   nullptr,
                   Size::large});
    };
    row("operator+", OP(x[0] + x[1]), pairs(std::plus<>()));
    row("operator*", OP(x[0] * x[1]), pairs(std::multiplies<>()));
    row("where", OP(where(x[1].value(), x[0], x[1])), pairs(chosen));
  }
}

}  // namespace

void add_elementwise(std::vector<OpRow>& t) {
  add_broadcasting(t);
  add_large_broadcasting(t);
  add_arithmetic(t);
  add_unary(t);
}

}  // namespace heed::test
