// Muon against the equations of its papers in double, and what it does with which parameters.

#include "optim/muon.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "framework/kernels/parallel.h"
#include "framework/memory.h"
#include "framework/ops.h"
#include "optim/optimizers.h"
#include "tests/message_of.h"

namespace heed {
namespace {

/// Matrices on both sides of a square, stacked ones, and what is no matrix of a hidden layer.
struct Mixed {
  Parameter wide{drawn({5, 12}, 1)};
  Parameter tall{drawn({40, 17}, 2)};
  Parameter square{drawn({16, 16}, 3)};
  Parameter stacked{drawn({12, 5}, 4)};
  Parameter table{drawn({9, 5}, 5)};
  Parameter bias{drawn({7}, 6)};
  Parameter column{drawn({6, 1}, 7)};
  Parameter filters{drawn({4, 3, 5}, 8)};
  Parameter empty{drawn({0, 4}, 9)};

  Mixed() {
    stacked.layout().blocks = {5, 5, 2};
    table.layout().table = true;
  }
  static Tensor drawn(const Shape& shape, std::uint64_t seed) {
    Random random(seed);
    return uniform(shape, random, -1, 1);
  }
  void visit(Visitor& v) {
    v("wide", wide);
    v("tall", tall);
    v("square", square);
    v("stacked", stacked);
    v("table", table);
    v("bias", bias);
    v("column", column);
    v("filters", filters);
    v("empty", empty);
  }
  void draw_gradients(std::uint64_t seed) {
    Random random(seed);
    for (auto& [name, parameter] : parameters(*this))
      parameter.gradient() = uniform(parameter.shape(), random, -2, 2);
  }
};

/// A matrix in double, by rows.
struct Doubles {
  std::size_t rows;
  std::size_t columns;
  std::vector<double> x;

  Doubles(std::size_t r, std::size_t c) : rows(r), columns(c), x(r * c) {}
  double& at(std::size_t i, std::size_t j) { return x[i * columns + j]; }
  double at(std::size_t i, std::size_t j) const { return x[i * columns + j]; }
};

Doubles product(const Doubles& a, const Doubles& b) {
  Doubles c(a.rows, b.columns);
  for (std::size_t i = 0; i < a.rows; ++i)
    for (std::size_t j = 0; j < b.columns; ++j)
      for (std::size_t k = 0; k < a.columns; ++k)
        c.at(i, j) += a.at(i, k) * b.at(k, j);
  return c;
}

Doubles transpose_of(const Doubles& a) {
  Doubles t(a.columns, a.rows);
  for (std::size_t i = 0; i < a.rows; ++i)
    for (std::size_t j = 0; j < a.columns; ++j)
      t.at(j, i) = a.at(i, j);
  return t;
}

/// Five times X <- a X + b (X X^T) X + c (X X^T)^2 X from X / |X|, whatever the shape.
Doubles newton_schulz(Doubles x) {
  double squares = 0;
  for (double v : x.x)
    squares += v * v;
  for (double& v : x.x)
    v /= std::sqrt(squares) + 1e-7;
  for (int i = 0; i < 5; ++i) {
    const Doubles gram = product(x, transpose_of(x));
    const Doubles first = product(gram, x);
    const Doubles second = product(gram, first);
    for (std::size_t k = 0; k < x.x.size(); ++k)
      x.x[k] = 3.4445 * x.x[k] - 4.7750 * first.x[k] + 2.0315 * second.x[k];
  }
  return x;
}

/// A part of a parameter in double, with its momentum.
struct Reference {
  Doubles w;
  Doubles m;
  Doubles v;

  Reference(std::size_t rows, std::size_t columns)
      : w(rows, columns), m(rows, columns), v(rows, columns) {}

  void muon(const std::vector<double>& g, double lr, double momentum, double decay) {
    Doubles nesterov(w.rows, w.columns);
    for (std::size_t i = 0; i < g.size(); ++i) {
      m.x[i] = momentum * m.x[i] + g[i];
      nesterov.x[i] = g[i] + momentum * m.x[i];
    }
    const Doubles o = newton_schulz(nesterov);
    const double scale = 0.2 * std::sqrt(static_cast<double>(std::max(w.rows, w.columns)));
    for (std::size_t i = 0; i < g.size(); ++i)
      w.x[i] -= lr * (scale * o.x[i] + decay * w.x[i]);
  }
  void adamw(const std::vector<double>& g, double lr, double decay, int t) {
    for (std::size_t i = 0; i < g.size(); ++i) {
      m.x[i] = 0.9 * m.x[i] + 0.1 * g[i];
      v.x[i] = 0.98 * v.x[i] + 0.02 * g[i] * g[i];
      const double mean = m.x[i] / (1 - std::pow(0.9, t));
      const double square = v.x[i] / (1 - std::pow(0.98, t));
      w.x[i] -= lr * (mean / (std::sqrt(square) + 1e-6) + decay * w.x[i]);
    }
  }
};

/// The parts of each parameter, which are its rows from one beginning to the next.
std::map<std::string, std::vector<Reference>> references(Mixed& model) {
  std::map<std::string, std::vector<Reference>> all;
  for (const auto& [name, parameter] : parameters(model)) {
    const Tensor& value = parameter.value();
    std::vector<Index> heights = {value.shape()[0]};
    if (name == "stacked") heights = {5, 5, 2};
    const Index columns = value.size() == 0 ? 0 : value.size() / value.shape()[0];
    Index at = 0;
    for (const Index rows : heights) {
      Reference part(static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
      for (double& x : part.w.x)
        x = static_cast<double>(value[at++]);
      all[name].push_back(std::move(part));
    }
  }
  return all;
}

bool by_muon(const std::string& name) {
  return name == "wide" || name == "tall" || name == "square" || name == "stacked";
}

MuonOptions options() {
  return {.lr = 0.01, .momentum = 0.9, .epsilon = 1e-6, .weight_decay = 0.3};
}

TEST(Muon, FollowsItsEquationsForFiftySteps) {
  Mixed model;
  Muon muon(model, options());
  auto expected = references(model);
  for (int t = 1; t <= 50; ++t) {
    model.draw_gradients(static_cast<std::uint64_t>(t));
    const double factor = t % 7 == 3 ? 0.25 : 1;
    const double lr = 0.01 * (t < 10 ? t / 10.0 : 1);
    for (const auto& [name, parameter] : parameters(model)) {
      Index at = 0;
      const bool decays = parameter.shape().rank() > 1;
      for (Reference& part : expected[name]) {
        std::vector<double> g(part.w.x.size());
        for (double& x : g)
          x = factor * static_cast<double>(parameter.gradient()[at++]);
        if (by_muon(name))
          part.muon(g, lr, 0.9, 0.3);
        else
          part.adamw(g, lr, decays ? 0.3 : 0, t);
      }
    }
    muon.step(lr, factor);
    for (const auto& [name, parameter] : parameters(model)) {
      Index at = 0;
      for (const Reference& part : expected[name])
        for (const double x : part.w.x)
          ASSERT_NEAR(parameter.value()[at++], x, 3e-5) << name << ", step " << t;
    }
  }
}

/// All singular values of G = Q / sqrt(n) with an orthogonal Q are n^-1/2, so that the iteration is
/// one of a number.
TEST(Muon, BringsTheSingularValuesOfAnOrthogonalMatrixNearOne) {
  struct One {
    Parameter w{Tensor::zeros({6, 6})};
    void visit(Visitor& v) { v("w", w); }
  } model;
  Tensor permutation = Tensor::zeros({6, 6});
  for (Index i = 0; i < 6; ++i)
    permutation[6 * i + (5 * i + 2) % 6] = i % 2 == 0 ? 3 : -3;
  model.w.gradient() = permutation;
  Muon muon(model, {.lr = 1});
  muon.step();
  double s = 1 / std::sqrt(6.0);
  for (int i = 0; i < 5; ++i)
    s = 3.4445 * s - 4.7750 * std::pow(s, 3) + 2.0315 * std::pow(s, 5);
  EXPECT_GT(s, 0.6);
  EXPECT_LT(s, 1.3);
  for (Index i = 0; i < 36; ++i)
    EXPECT_NEAR(model.w.value()[i], -0.2 * std::sqrt(6.0) * s * permutation[i] / 3, 1e-5) << i;
}

/// It makes no difference whether matrices are stored as one or apart.
TEST(Muon, ChangesStackedMatricesLikeThoseThatStandAlone) {
  struct Apart {
    Parameter a{Tensor::full({5, 8}, 1)};
    Parameter b{Tensor::full({3, 8}, 1)};
    void visit(Visitor& v) {
      v("a", a);
      v("b", b);
    }
  } apart;
  struct Together {
    Parameter both{Tensor::full({8, 8}, 1)};
    void visit(Visitor& v) { v("both", both); }
  } together;
  together.both.layout().blocks = {5, 3};
  Random random(3);
  Muon first(apart, options());
  Muon second(together, options());
  for (int t = 0; t < 4; ++t) {
    const Tensor g = uniform({8, 8}, random, -1, 1);
    together.both.gradient() = g;
    apart.a.gradient() = g.slice(0, 5).clone();
    apart.b.gradient() = g.slice(5, 8).clone();
    first.step();
    second.step();
  }
  std::vector<Real> parts = apart.a.value().to_vector();
  for (const Real x : apart.b.value().to_vector())
    parts.push_back(x);
  EXPECT_EQ(together.both.value().to_vector(), parts);
}

std::vector<std::string> state_names(const Optimizer& optimizer) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : optimizer.state())
    names.push_back(name);
  return names;
}

TEST(Muon, KeepsOneNumberForEachOfAMatrix) {
  Mixed model;
  const std::vector<std::string> names = {
      "muon.m.wide",  "muon.m.tall",    "muon.m.square",   "muon.m.stacked", "adamw.m.table",
      "adamw.m.bias", "adamw.m.column", "adamw.m.filters", "adamw.m.empty",  "adamw.v.table",
      "adamw.v.bias", "adamw.v.column", "adamw.v.filters", "adamw.v.empty"};
  const Muon muon(model, {});
  EXPECT_EQ(state_names(muon), names);
  EXPECT_EQ(muon.summary(),
            "Muon for 4 matrices of hidden layers, 1056 of 1174 numbers; AdamW for the rest");
  model.wide.trainable() = false;
  const Index wide = model.wide.value().size();
  EXPECT_EQ(
      muon.summary(),
      fmt::format("Muon for 3 matrices of hidden layers, {} of {} numbers; AdamW for the rest",
                  1056 - wide, 1174 - wide));
  EXPECT_EQ(Muon(model, {.hidden = {"!*"}}).summary(),
            "Muon for no matrix of hidden layers; AdamW for all");
}

TEST(Muon, TakesTheMatricesThatPatternsChoose) {
  struct Row {
    std::vector<std::string> hidden;
    std::vector<std::string> matrices;
  };
  for (const Row& row :
       {Row{{"wide", "table"}, {"wide"}},  // what is none does not become one
        Row{{"!s*"}, {"wide", "tall"}}, Row{{"*", "!tall"}, {"wide", "square", "stacked"}}}) {
    Mixed model;
    std::vector<std::string> matrices;
    for (const std::string& name : state_names(Muon(model, {.hidden = row.hidden})))
      if (name.starts_with("muon.m.")) matrices.push_back(name.substr(7));
    EXPECT_EQ(matrices, row.matrices) << row.hidden[0];
  }
}

TEST(Muon, RefusesOptionsOutOfRange) {
  struct Row {
    MuonOptions options;
    const char* message;
  };
  for (const Row& row : {Row{{.lr = -1}, "[muon] expected lr of at least 0; got -1"},
                         Row{{.momentum = 1}, "[muon] expected momentum within [0, 1); got 1"},
                         Row{{.beta2 = 1}, "[muon] expected beta2 within [0, 1); got 1"},
                         Row{{.hidden = {"wide", "layers*"}},
                             "[muon] expected patterns that match parameters; got layers*"}}) {
    Mixed model;
    EXPECT_EQ(message_of([&] { Muon(model, row.options); }), row.message);
  }
  Mixed model;
  model.tall.layout().blocks = {20, 10};
  Muon muon(model, {});
  model.draw_gradients(1);
  EXPECT_EQ(message_of([&] { muon.step(); }),
            "[muon] tall has 40 rows, and its layout() blocks of 20, 10");
}

struct Large {
  Parameter wide{Mixed::drawn({130, 300}, 1)};
  Parameter tall{Mixed::drawn({400, 100}, 2)};
  Parameter stacked{Mixed::drawn({384, 128}, 3)};
  Parameter vector{Mixed::drawn({20000}, 4)};
  Large() { stacked.layout().blocks = {128, 128, 128}; }
  void visit(Visitor& v) {
    v("wide", wide);
    v("tall", tall);
    v("stacked", stacked);
    v("vector", vector);
  }
  void draw_gradients(std::uint64_t seed) {
    Random random(seed);
    for (auto& [name, parameter] : parameters(*this))
      parameter.gradient() = uniform(parameter.shape(), random, -1, 1);
  }
};

TEST(Muon, GivesTheSameBitsOnAnyNumberOfThreads) {
  std::vector<std::vector<Real>> values;
  for (int count : {1, 2, 5}) {
    set_threads(count);
    Large model;
    Muon muon(model, options());
    for (std::uint64_t t = 1; t <= 3; ++t) {
      model.draw_gradients(t);
      muon.step();
    }
    values.emplace_back();
    for (const auto& [name, parameter] : parameters(model))
      for (const Real x : parameter.value().to_vector())
        values.back().push_back(x);
  }
  set_threads(0);
  EXPECT_EQ(values[1], values[0]);
  EXPECT_EQ(values[2], values[0]);
}

TEST(Muon, AsksTheSystemForNoMemory) {
  Large model;
  Muon muon(model, options());
  model.draw_gradients(1);
  muon.step();
  const std::size_t live = memory::statistics().live;
  const std::size_t requests = memory::statistics().system_requests;
  for (int i = 0; i < 3; ++i)
    muon.step();
  EXPECT_EQ(memory::statistics().live, live);
  EXPECT_EQ(memory::statistics().system_requests, requests);
}

TEST(Muon, LeavesWhatIsFrozenOrHasNoGradientAlone) {
  Mixed model;
  model.tall.trainable() = false;
  Muon muon(model, options());
  model.draw_gradients(1);
  model.tall.clear_gradient();
  model.wide.clear_gradient();
  const std::vector<Real> tall = model.tall.value().to_vector();
  const std::vector<Real> wide = model.wide.value().to_vector();
  muon.step();
  EXPECT_EQ(model.tall.value().to_vector(), tall);
  EXPECT_EQ(model.wide.value().to_vector(), wide);
  model.tall.trainable() = true;
  model.draw_gradients(2);
  muon.step();
  EXPECT_NE(model.tall.value().to_vector(), tall);
  EXPECT_EQ(muon.steps()[1], 1);
}

}  // namespace
}  // namespace heed
