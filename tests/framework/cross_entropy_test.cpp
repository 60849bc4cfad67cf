// The plain cross entropy that the losses give beside the loss, against its definition in double.

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "framework/ops.h"

namespace heed {
namespace {

Tensor random(const Shape& shape, std::uint64_t seed, double low = -2, double high = 2) {
  Tensor x(shape);
  Random r(seed);
  for (Real& value : x.span())
    value = static_cast<Real>(r.uniform(low, high));
  return x;
}

Ids some_gold(Index rows, Index classes) {
  Ids gold({rows});
  for (Index i = 0; i < rows; ++i)
    gold[i] = static_cast<Id>(7 * i % classes);
  return gold;
}

double log_probability(const Tensor& logits, Index row, Id gold) {
  const Index n = logits.shape()[1];
  double total = 0;
  for (Index j = 0; j < n; ++j)
    total += std::exp(static_cast<double>(logits[row * n + j]));
  return static_cast<double>(logits[row * n + gold]) - std::log(total);
}

/// x W^T
Tensor product(const Tensor& x, const Tensor& weight) {
  const Index n = x.shape()[0];
  const Index d = x.shape()[1];
  const Index classes = weight.shape()[0];
  Tensor y({n, classes});
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < classes; ++j) {
      double sum = 0;
      for (Index k = 0; k < d; ++k)
        sum += static_cast<double>(x[i * d + k]) * static_cast<double>(weight[j * d + k]);
      y[i * classes + j] = static_cast<Real>(sum);
    }
  return y;
}

struct Sizes {
  const char* name;
  Index rows;
  Index d;
  Index classes;
};
const std::vector<Sizes> sizes{
    {"one", 1, 3, 2}, {"a few", 9, 3, 5}, {"no rows", 0, 3, 5}, {"several blocks", 130, 2, 33000}};

struct Inputs {
  Tensor x;
  Tensor weight;
  Tensor logits;
  Tensor gate;
  Tensor copied;
  Ids gold;

  explicit Inputs(const Sizes& s)
      : x(random({s.rows, s.d}, 1)),
        weight(random({s.classes, s.d}, 2)),
        logits(product(x, weight)),
        gate(random({s.rows}, 3)),
        copied(random({s.rows}, 4, 0.1, 0.9)),
        gold(some_gold(s.rows, s.classes)) {}
};

/// -sum log P(gold) over the rows that count. With copying, P = g P_gold + (1 - g) c.
double defined(const Inputs& in, std::optional<Id> ignore, bool copies) {
  double sum = 0;
  for (Index i = 0; i < in.gold.size(); ++i) {
    if (ignore == in.gold[i]) continue;
    const double log_p = log_probability(in.logits, i, in.gold[i]);
    const double g = 1 / (1 + std::exp(-static_cast<double>(in.gate[i])));
    const double c = static_cast<double>(in.copied[i]);
    sum -= copies ? std::log(g * std::exp(log_p) + (1 - g) * c) : log_p;
  }
  return sum;
}

/// A loss and its gradients.
struct Computed {
  Real loss = 0;
  std::vector<std::vector<Real>> gradients;
};
Computed compute(const std::string& op, const Inputs& in, const CrossEntropy& options) {
  Parameter logits(in.logits.clone());
  Parameter x(in.x.clone());
  Parameter weight(in.weight.clone());
  Parameter gate(in.gate.clone());
  Parameter copied(in.copied.clone());
  Tape tape;
  Variable loss;
  if (op == "cross_entropy")
    loss = cross_entropy(logits, in.gold, options);
  else if (op == "linear_cross_entropy")
    loss = linear_cross_entropy(x, weight, in.gold, options);
  else
    loss = copy_cross_entropy(x, weight, Variable(), gate, copied, in.gold, options);
  tape.backward(loss);
  Computed result{.loss = loss.item(), .gradients = {}};
  for (const ParameterRef& p : std::initializer_list<ParameterRef>{logits, x, weight, gate, copied})
    result.gradients.push_back(p.gradient().defined() ? p.gradient().to_vector()
                                                      : std::vector<Real>());
  return result;
}

TEST(CrossEntropy, GivesThePlainOneInTheSamePass) {
  const std::vector<const char*> ops{"cross_entropy", "linear_cross_entropy", "copy_cross_entropy"};
  const std::vector<std::optional<Id>> ignored{std::nullopt, 0, 1};
  for (const Sizes& s : sizes) {
    const Inputs in(s);
    for (const char* op : ops)
      for (const double smoothing : {0.0, 0.1, 0.5})
        for (const std::optional<Id>& ignore : ignored) {
          if (s.rows > 100 && (smoothing == 0.5 || ignore == 1))
            continue;  // the other sizes cover these
          const std::string what = fmt::format("{}, {}, smoothing {}, ignoring {}", op, s.name,
                                               smoothing, ignore ? *ignore : -1);
          double nats = -1;
          CrossEntropy options{
              .label_smoothing = static_cast<Real>(smoothing), .ignore = ignore, .divisor = 7};
          const Computed without = compute(op, in, options);
          options.nats = &nats;
          const Computed with = compute(op, in, options);
          const double want = defined(in, ignore, std::string(op) == "copy_cross_entropy");
          EXPECT_NEAR(nats, want, 1e-6 * std::max(1.0, want)) << what;
          EXPECT_EQ(with.loss, without.loss) << what;
          EXPECT_EQ(with.gradients, without.gradients) << what;
          if (smoothing == 0) {
            EXPECT_NEAR(with.loss * 7, nats, 1e-5 * std::max(1.0, want)) << what;
          }
        }
  }
}

TEST(CrossEntropy, TakesADivisorAboveZeroOrNone) {
  constexpr Real nan = std::numeric_limits<Real>::quiet_NaN();
  constexpr Real inf = std::numeric_limits<Real>::infinity();
  struct Row {
    CrossEntropy options;
    const char* message;  // "" where there is no error
  };
  const char* divisor = "expected a divisor above 0, or none, which counts the rows; got ";
  const char* smoothing = "expected label smoothing within [0, 1); got ";
  const std::vector<Row> rows{{{}, ""},
                              {{.divisor = Real(0.5)}, ""},
                              {{.label_smoothing = Real(0.999)}, ""},
                              {{.divisor = 0}, divisor},
                              {{.divisor = -1}, divisor},
                              {{.divisor = nan}, divisor},
                              {{.divisor = inf}, divisor},
                              {{.label_smoothing = -Real(0.1)}, smoothing},
                              {{.label_smoothing = 1}, smoothing},
                              {{.label_smoothing = nan}, smoothing}};
  const Inputs in(sizes[1]);
  for (const Row& row : rows)
    for (const std::string op : {"cross_entropy", "linear_cross_entropy", "copy_cross_entropy"}) {
      std::string message;
      try {
        compute(op, in, row.options);
      } catch (const Error& error) {
        message = error.what();
      }
      const std::string want = *row.message ? fmt::format("[{}] {}", op, row.message) : "";
      EXPECT_EQ(message.substr(0, want.size()), want) << message;
      EXPECT_EQ(message.empty(), want.empty()) << message;
    }
}

TEST(CrossEntropy, CountsClassZeroUnlessItIsIgnored) {
  struct Row {
    std::vector<Id> gold;
    std::optional<Id> ignore;
    double loss;  // a mean over uniform classes: log 2 where any row counts
  };
  const double log2 = std::log(2.0);
  for (const Row& row : std::vector<Row>{{{0, 0, 0}, std::nullopt, log2},
                                         {{0, 1, 0}, std::nullopt, log2},
                                         {{0, 1, 0}, 1, log2},
                                         {{0, 0, 0}, 0, 0}}) {
    Ids gold({std::ssize(row.gold)});
    std::copy(row.gold.begin(), row.gold.end(), gold.data());
    const Variable loss =
        cross_entropy(Tensor::zeros({gold.size(), 2}), gold, {.ignore = row.ignore});
    EXPECT_NEAR(loss.item(), row.loss, 1e-6);
  }
}

}  // namespace
}  // namespace heed
