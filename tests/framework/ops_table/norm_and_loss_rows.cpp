#include <algorithm>
#include <cmath>

#include "tests/framework/ops_table/references.h"

// Norms, dropout, the feed-forward block and losses.

namespace heed::test {

namespace {

/// f(i) for each element of the first input
Reference by_element(std::function<double(Inputs, Index)> f) {
  return [f = std::move(f)](Inputs x) {
    Numbers y;
    for (Index i = 0; i < x[0].size(); ++i)
      y.push_back(f(x, i));
    return y;
  };
}
double element(const Tensor& x, Index i) { return static_cast<double>(x[i]); }

Reference dropped() {
  return by_element([](Inputs x, Index i) {
    return element(x[0], i) * dropout_factor(Real(0.4), {7, 1}, i);
  });
}

Reference added_dropout() {
  return by_element([](Inputs x, Index i) {
    return element(x[0], i) + element(x[1], i) * dropout_factor(Real(0.4), {7, 2}, i);
  });
}

Reference dropped_relu() {
  return by_element([](Inputs x, Index i) {
    return std::max(element(x[0], i), 0.0) * dropout_factor(Real(0.4), {7, 3}, i);
  });
}

double positive_part(double v) { return std::max(v, 0.0); }

/// dropout(f(x W1^T + b1)) W2^T + b2
Reference feed_forward_of(double (*f)(double), Real p) {
  return [=](Inputs x) {
    Numbers hidden = affine()(x.first(3)).values;
    for (std::size_t i = 0; i < hidden.size(); ++i)
      hidden[i] = f(hidden[i]) * dropout_factor(p, {7, 4}, static_cast<Index>(i));
    Numbers y;
    const Index in = x[3].shape()[1];
    for (auto row = hidden.begin(); row != hidden.end(); row += in)
      for (Index o = 0; o < x[3].shape()[0]; ++o) {
        double total = element(x[4], o);
        for (Index k = 0; k < in; ++k)
          total += element(x[3], o * in + k) * row[k];
        y.push_back(total);
      }
    return y;
  };
}

void add_normalisation(std::vector<OpRow>& t) {
  for (const Shape& shape : {Shape{3, 5}, Shape{2, 2, 37}, Shape{3, 1}, Shape{7}, Shape{0, 4}}) {
    const std::string what = to_string(shape);
    const Input input{Input::uniform, shape};
    const Input row{Input::uniform, Shape{shape.columns()}};
    t.push_back({"softmax",
                 what,
                 {input},
                 OP(softmax(x[0])),
                 1,
                 rows_with_inputs([](const Numbers& v, Inputs) { return softmax_of(v); })});
    t.push_back({"log_softmax", what, {input}, OP(log_softmax(x[0]))});
    t.push_back({"dropout", what, {input}, OP(dropout(x[0], Real(0.4), {7, 1})), 1, dropped()});
    t.push_back({"add_dropout",
                 what,
                 {input, input},
                 OP(add_dropout(x[0], x[1], Real(0.4), {7, 2})),
                 1,
                 added_dropout()});
    t.push_back({"relu_dropout",
                 what,
                 {away(shape)},
                 OP(relu_dropout(x[0], Real(0.4), {7, 3})),
                 1,
                 dropped_relu()});
    t.push_back({"rms_norm", what, {input, row}, OP(rms_norm(x[0], x[1], Real(0.1))), 2});
    t.push_back(
        {"layer_norm", what, {input, row, row}, OP(layer_norm(x[0], x[1], x[2], Real(0.1))), 2});
  }
  t.push_back({"dropout", "none", {{3, 4}}, OP(dropout(x[0], 0, {7, 1}))});
  t.push_back({"add_dropout", "none", {{3, 4}, {3, 4}}, OP(add_dropout(x[0], x[1], 0, {7, 1}))});
  t.push_back({"add_dropout", "itself", {{3, 4}}, OP(add_dropout(x[0], x[0], Real(0.5), {7, 1}))});
  t.push_back({"relu_dropout", "none", {away({3, 4})}, OP(relu_dropout(x[0], 0, {7, 1}))});
}

void add_feed_forward(std::vector<OpRow>& t) {
  const auto small = [](const Shape& shape) { return Input(shape, -0.4, 0.4); };
  for (const Activation f : {Activation::gelu, Activation::relu}) {
    const bool gelu = f == Activation::gelu;
    // The kink of relu is at 0. Large biases keep the sums away from it.
    const Input b1 = gelu ? Input{19} : Input(Input::away_from_zero, {19}, 2, 3);
    const auto plain = [f](Xs v) { return feed_forward(v[0], v[1], v[2], v[3], v[4], f); };
    double (*definition)(double) = gelu ? tanh_gelu : positive_part;
    const auto dropout = [f](Xs v) {
      return feed_forward(v[0], v[1], v[2], v[3], v[4], f, Real(0.4), {7, 4});
    };
    for (const Shape& shape : {Shape{4, 5}, Shape{2, 2, 5}, Shape{5}, Shape{0, 5}}) {
      const std::string what = fmt::format("{}, {}", gelu ? "gelu" : "relu", to_string(shape));
      const std::vector<Input> inputs{
          Input(shape, -0.5, 0.5), small({19, 5}), b1, small({3, 19}), {3}};
      t.push_back({"feed_forward", what, inputs, plain, 2, feed_forward_of(definition, 0)});
      t.push_back({"feed_forward", what + ", dropped", inputs, dropout, 2,
                   feed_forward_of(definition, Real(0.4))});
    }
  }
  const auto no_biases =
      OP(feed_forward(x[0], x[1], Variable(), x[2], Variable(), Activation::gelu));
  const auto twice = OP(feed_forward(x[0], x[1], x[2], x[1], x[2], Activation::gelu));
  t.push_back({"feed_forward", "no biases", {{4, 5}, {7, 5}, {3, 7}}, no_biases});
  t.push_back({"feed_forward", "one weight twice", {{3, 4}, {4, 4}, {4}}, twice});
}

struct LossCase {
  const char* what;
  CrossEntropy options;
};

void add_losses(std::vector<OpRow>& t) {
  for (const LossCase& c :
       std::vector<LossCase>{{"plain", {}},
                             {"smoothed", {.label_smoothing = Real(0.2)}},
                             {"ignoring", {.ignore = 2}},
                             {"divided", {.divisor = 7}},
                             {"smoothed, ignoring, divided", {Real(0.1), 0, 3}}}) {
    const std::string what = c.what;
    const CrossEntropy o = c.options;
    const auto gold = [] { return ids({2, 0, 3, 2}); };
    const auto biased = [=](Xs x) { return linear_cross_entropy(x[0], x[1], x[2], gold(), o); };
    const auto no_bias = [=](Xs x) { return linear_cross_entropy(x[0], x[1], gold(), o); };
    t.push_back(
        {"cross_entropy", what, {{4, 5}}, [=](Xs x) { return cross_entropy(x[0], gold(), o); }});
    t.push_back({"linear_cross_entropy", what, {{4, 3}, {5, 3}, {5}}, biased});
    t.push_back({"linear_cross_entropy", what + ", no bias", {{4, 3}, {5, 3}}, no_bias});
  }
  const auto ignored = OP(cross_entropy(x[0], ids({1, 1}), {.ignore = 1}));
  t.push_back({"cross_entropy", "all ignored", {{2, 3}}, ignored});
}

/// sum_i 1/2 sum_c (p_c - q_c) (log p_c - log q_c) / divisor over the rows whose gold counts.
Reference symmetric_kl_of(const Ids& gold, const CrossEntropy& o) {
  return [=](Inputs x) {
    const Index n = x[0].shape()[1];
    const Numbers a = numbers_of(x[0]);
    const Numbers b = numbers_of(x[1]);
    double total = 0;
    double counted = 0;
    for (Index i = 0; i < gold.size(); ++i) {
      if (o.ignore == gold[i]) continue;
      ++counted;
      const Numbers p = softmax_of({a.begin() + i * n, a.begin() + (i + 1) * n});
      const Numbers q = softmax_of({b.begin() + i * n, b.begin() + (i + 1) * n});
      for (std::size_t c = 0; c < p.size(); ++c)
        total += (p[c] * std::log(p[c] / q[c]) + q[c] * std::log(q[c] / p[c])) / 2;
    }
    const double divisor = o.divisor ? static_cast<double>(*o.divisor) : std::max(counted, 1.0);
    return Expected({total / divisor}, Shape{});
  };
}

void add_divergences(std::vector<OpRow>& t) {
  struct Row {
    const char* what;
    Index classes;
    Ids gold;
    CrossEntropy options = {};
  };
  for (const Row& r : std::vector<Row>{{"plain", 5, ids({2, 0, 3, 2})},
                                       {"one class", 1, ids({0, 0})},
                                       {"wide", 37, ids({2, 36, 3})},
                                       {"ignoring", 5, ids({2, 0, 3, 2}), {.ignore = 2}},
                                       {"divided", 5, ids({1, 0}), {.divisor = 7}},
                                       {"all ignored", 3, ids({1, 1}), {.ignore = 1}},
                                       {"no rows", 4, Ids({0})}}) {
    const Input logits = any({r.gold.size(), r.classes});
    t.push_back({"symmetric_kl",
                 r.what,
                 {logits, logits},
                 [=](Xs x) { return symmetric_kl(x[0], x[1], r.gold, r.options); },
                 1,
                 symmetric_kl_of(r.gold, r.options)});
  }
  t.push_back({"symmetric_kl", "itself", {any({2, 5})}, OP(symmetric_kl(x[0], x[0], ids({1, 4})))});
}

void add_copying_losses(std::vector<OpRow>& t) {
  const auto probability = [](Shape shape) { return Input{shape, 0.1, 0.9}; };
  for (const LossCase& c :
       std::vector<LossCase>{{"plain", {}},
                             {"smoothed", {.label_smoothing = Real(0.2)}},
                             {"ignoring", {.label_smoothing = Real(0.1), .ignore = 2}},
                             {"divided", {.divisor = 3}}}) {
    const std::vector<Input> inputs{{5, 3}, {4, 3}, {4}, {5}, probability({5})};
    // The vocabulary has 4 classes: ids 4 and 6 can only be copied.
    t.push_back({"copy_cross_entropy", c.what, inputs, [o = c.options](Xs x) {
                   return copy_cross_entropy(x[0], x[1], x[2], x[3], x[4], ids({1, 4, 2, 6, 0}), o);
                 }});
  }
  const auto copied = OP(copy_cross_entropy(x[0], x[1], x[2], x[3], x[4], ids({7})));
  const auto ignored = OP(linear_cross_entropy(x[0], x[1], ids({1, 1}), {.ignore = 1}));
  t.push_back(
      {"copy_cross_entropy", "only copied", {{1, 3}, {2, 3}, {2}, {1}, probability({1})}, copied});
  t.push_back({"linear_cross_entropy", "all ignored", {{2, 3}, {4, 3}}, ignored});
}

}  // namespace

void add_norms_and_losses(std::vector<OpRow>& t) {
  add_normalisation(t);
  add_feed_forward(t);
  add_losses(t);
  add_divergences(t);
  add_copying_losses(t);
}

}  // namespace heed::test
