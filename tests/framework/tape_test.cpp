#include "framework/tape.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <malloc.h>

#include "framework/memory.h"
#include "framework/ops.h"
#include "tests/message_of.h"

namespace heed {
namespace {

Parameter parameter(std::initializer_list<Real> values) {
  return Parameter(Tensor({static_cast<Index>(values.size())}, values));
}
std::vector<Real> gradient(const Parameter& p) {
  return p.gradient().defined() ? p.gradient().to_vector() : std::vector<Real>{};
}
using Reals = std::vector<Real>;

TEST(Tape, GradientsAddUpOverPasses) {
  const Parameter p = parameter({1, 2});
  for (int pass = 1; pass <= 3; ++pass) {
    Tape tape;
    tape.backward(sum(p * 3));
    EXPECT_EQ(gradient(p), Reals({Real(3 * pass), Real(3 * pass)}));
  }
  p.clear_gradient();
  EXPECT_FALSE(p.gradient().defined());
}

TEST(Tape, OneVariableManyTimes) {
  const Parameter p = parameter({3});
  Tape tape;
  // x^3 + x^2 + 2x
  const Variable x = p;
  const Variable square_ = x * x;
  const Variable y = square_ * x + square_ + x + x;
  tape.backward(y);
  EXPECT_EQ(gradient(p), Reals{27 + 6 + 2});
}

TEST(Tape, SharedGradientsAreNotWrittenThrough) {
  // A sum gives one tensor of gradients to both inputs. What is added to one must not reach the
  // other.
  const Parameter a = parameter({1, 2});
  const Parameter b = parameter({3, 4});
  Tape tape;
  const Variable x = a * 1;
  const Variable y = b * 1;
  const Variable s = x + y;
  tape.backward(sum(s + x * 10 + reshape(y, {1, 2}) * 100 + s));
  EXPECT_EQ(gradient(a), (Reals{12, 12}));
  EXPECT_EQ(gradient(b), (Reals{102, 102}));
}

TEST(Tape, ParametersGradientsAreTheirOwn) {
  const Parameter a = parameter({1, 2});
  const Parameter b = parameter({3, 4});
  Tape tape;
  tape.backward(sum(a + b));
  a.gradient()[0] = 100;
  EXPECT_EQ(gradient(b), (Reals{1, 1}));
}

TEST(Tape, FrozenParametersGetNothing) {
  const Parameter frozen = parameter({2});
  const Parameter free = parameter({5});
  frozen.trainable() = false;
  {
    Tape tape;
    tape.backward(frozen * free);
  }
  EXPECT_EQ(gradient(frozen), Reals{});
  EXPECT_EQ(gradient(free), Reals{2});
  Tape tape;
  EXPECT_EQ((frozen * 2).item(), 4);
  EXPECT_EQ(tape.size(), 0u);  // nothing needs a gradient
}

TEST(Tape, ConstantsAreNotRecorded) {
  Tape tape;
  const Variable c(Tensor::full({}, 2));
  const Variable y = c * c;
  EXPECT_EQ(tape.size(), 0u);
  EXPECT_EQ(
      message_of([&] { tape.backward(y); }),
      "[backward] expected what this tape recorded; got a constant: it depends on no parameter "
      "that can be trained, or was computed before the tape began");
}

TEST(Tape, RefusesALossFromBeforeItBegan) {
  const Parameter p = parameter({3});
  const Variable loss = p * p;
  Tape tape;
  EXPECT_NE(message_of([&] { tape.backward(loss); }).find("before the tape began"),
            std::string::npos);
}

TEST(Tape, AssigningOpsGiveNewValues) {
  const Parameter p = parameter({3});
  Tape tape;
  Variable x = p * 2;
  const Variable before = x;
  x += 4;
  x *= p;
  x -= 1;
  x /= 2;  // ((2p + 4) p - 1) / 2
  EXPECT_EQ(before.item(), 6);
  EXPECT_EQ(x.item(), 14.5);
  tape.backward(x);
  EXPECT_EQ(gradient(p), Reals{8});  // 2p + 2
}

TEST(Tape, AxesAndListsMayBePlain) {
  const Variable x(Tensor({2, 2}, {1, 2, 3, 6}));
  EXPECT_EQ(sum(x, 1).value().to_vector(), (Reals{3, 9}));
  EXPECT_EQ(mean(x, -2).value().to_vector(), (Reals{2, 4}));
  EXPECT_EQ(max(x, 0, true).shape(), (Shape{1, 2}));
  EXPECT_EQ(variance(x, 0).value().to_vector(), (Reals{1, 4}));
  const std::vector<Variable> rows{x, x};
  EXPECT_EQ(concat(rows, 0).shape(), (Shape{4, 2}));
  EXPECT_EQ(stack(rows, 0).shape(), (Shape{2, 2, 2}));
}

TEST(Tape, DetachStopsTheGradient) {
  const Parameter p = parameter({3});
  Tape tape;
  const Variable y = p * p;
  tape.backward(y.detach() * p);
  EXPECT_EQ(gradient(p), Reals{9});
}

TEST(Tape, InnermostRecords) {
  const Parameter p = parameter({3});
  Tape outer;
  const Variable x = p * p;
  {
    Tape inner;
    inner.backward(p * 5);
    EXPECT_EQ(inner.size(), 1u);
    EXPECT_EQ(outer.size(), 1u);
    EXPECT_NE(message_of([&] {
                x * 2;
              }).find("[*] an input was recorded on another tape; detach() it; called at "),
              std::string::npos);
  }
  EXPECT_EQ(gradient(p), Reals{5});
  outer.backward(x * 2);
  EXPECT_EQ(gradient(p), Reals{5 + 12});
}

TEST(Tape, PauseRecordsNothing) {
  const Parameter p = parameter({3});
  Tape tape;
  {
    Tape::Pause pause;
    EXPECT_FALSE(Tape::recording());
    EXPECT_FALSE(Tape::needs_gradient(p));
    EXPECT_EQ((p * p).item(), 9);
  }
  EXPECT_TRUE(Tape::needs_gradient(p));
  EXPECT_EQ(tape.size(), 0u);
}

/// Tapes may end in any order. A member that each step assigns a new tape makes the new one before
/// the old one ends.
TEST(Tape, TheNewestThatLivesRecords) {
  const Parameter p = parameter({3});
  auto renewed = std::make_unique<Tape>();
  for (int step = 0; step < 3; ++step) {
    renewed->backward(p * p);
    EXPECT_EQ(gradient(p), Reals{6}) << step;
    p.clear_gradient();
    renewed = std::make_unique<Tape>();
  }
  renewed.reset();
  EXPECT_FALSE(Tape::recording());

  auto outer = std::make_unique<Tape>();
  auto middle = std::make_unique<Tape>();
  auto inner = std::make_unique<Tape>();
  middle.reset();
  (void)(p * 2);
  EXPECT_EQ(inner->size(), 1u);
  inner.reset();
  (void)(p * 2);
  EXPECT_EQ(outer->size(), 1u);
  outer.reset();
  EXPECT_FALSE(Tape::recording());
  EXPECT_EQ((p * 2).item(), 6);
}

TEST(Tape, MayEndBeforeItsPauseOrOnAnotherThread) {
  const Parameter p = parameter({3});
  auto tape = std::make_unique<Tape>();
  {
    const Tape::Pause pause;
    const Tape::Unrecorded none;
    tape.reset();
  }
  EXPECT_FALSE(Tape::recording());
  {
    Tape other;
    const Tape::Unrecorded none;
    EXPECT_FALSE(Tape::recording());
  }
  tape = std::make_unique<Tape>();
  std::thread([&] { tape.reset(); }).join();
  EXPECT_FALSE(Tape::recording());
  std::unique_ptr<Tape> made_there;
  std::thread([&] { made_there = std::make_unique<Tape>(); }).join();
  EXPECT_FALSE(Tape::recording());
}

TEST(Tape, RefusesWhatAnotherThreadsTapeRecorded) {
  const Parameter p = parameter({3});
  Tape tape;
  const Variable h = p * 2;
  std::string unrecorded;
  std::string own_tape;
  Real paused = 0;
  std::thread([&] {
    unrecorded = message_of([&] { h * 5; });
    {
      const Tape::Pause pause;
      paused = (h * 5).item();
    }
    Tape mine;
    own_tape = message_of([&] { h * 5; });
  }).join();
  EXPECT_TRUE(unrecorded.starts_with("[*] an input was recorded on the tape of another thread"))
      << unrecorded;
  EXPECT_TRUE(own_tape.starts_with("[*] an input was recorded on another tape")) << own_tape;
  EXPECT_EQ(paused, 30);
  tape.backward(h * 5);
  EXPECT_EQ(gradient(p), Reals{10});
}

/// Something that writes between forward and backward to what an op reads.
struct ChangeRow {
  const char* what;
  std::function<void(Tape&, const Parameter&, Tensor&)> run;
  const char* op;  // the op that refuses; "" where the gradient is right (4)
};

const std::vector<ChangeRow> changes = {
    {"a parameter, by []",
     [](Tape& t, const Parameter& p, Tensor&) {
       const Variable y = p * p;
       p.value()[0] = 100;
       t.backward(y);
     },
     "*"},
    {"a parameter, by data()",
     [](Tape& t, const Parameter& p, Tensor&) {
       const Variable y = square(p);
       p.value().data()[0] = 100;
       t.backward(y);
     },
     "square"},
    {"a parameter, by a copy that shares",
     [](Tape& t, const Parameter& p, Tensor&) {
       const Variable y = p * p;
       Tensor copy = p.value();
       copy.span()[0] = 100;
       t.backward(y);
     },
     "*"},
    {"a parameter, by a view",
     [](Tape& t, const Parameter& p, Tensor&) {
       const Variable y = p * p;
       p.value().reshape({1, 1})[0] = 100;
       t.backward(y);
     },
     "*"},
    {"a result",
     [](Tape& t, const Parameter& p, Tensor&) {
       const Variable y = exp(p);
       Tensor copy = y.value();
       copy[0] = 100;
       t.backward(y);
     },
     "exp"},
    {"a constant",
     [](Tape& t, const Parameter& p, Tensor& c) {
       const Variable y = p * c;
       c[0] = 100;
       t.backward(y);
     },
     "*"},
    {"a mask",
     [](Tape& t, const Parameter& p, Tensor& c) {
       const Variable y = masked_fill(p, c, 0);
       c[0] = 0;
       t.backward(y);
     },
     "masked_fill"},
    {"ids",
     [](Tape& t, const Parameter& p, Tensor&) {
       Ids ids({1}, {0});
       const Variable y = sum(gather(p, ids));
       ids[0] = 7;
       t.backward(y);
     },
     "gather"},
    {"a step of an optimizer",
     [](Tape& t, const Parameter& p, Tensor&) {
       const Variable y = p * p;
       for (Real& number : p.value().span())
         number -= 1;
       t.backward(y);
     },
     "*"},
    {"an input of recompute, where the result is the same",
     [](Tape& t, const Parameter& p, Tensor& c) {
       const std::vector<Operand> inputs{p - 2, c};
       const Variable y =
           recompute([](std::span<const Variable> v) { return v[0] * v[1]; }, inputs);
       c[0] = 100;
       t.backward(y);
     },
     "recompute"},
    {"what no backward reads",
     [](Tape& t, const Parameter& p, Tensor& c) {
       const Variable y = (p + c) * 4;
       c[0] = 100;
       t.backward(y);
     },
     ""},
    {"another value in its place",
     [](Tape& t, const Parameter& p, Tensor&) {
       const Variable y = p * p;
       p.value() = Tensor({1}, {100});
       t.backward(y);
     },
     ""},
};

/// What an op's backward reads must be what its forward read, whoever wrote to it meanwhile.
TEST(Tape, RefusesWhatChangedSinceForward) {
  for (const ChangeRow& row : changes) {
    const Parameter p = parameter({2});
    Tensor c({1}, {3});
    Tape tape;
    const std::string message = message_of([&] { row.run(tape, p, c); });
    if (std::string(row.op).empty()) {
      EXPECT_EQ(message, "") << row.what;
      EXPECT_EQ(gradient(p), Reals{4}) << row.what;
    } else {
      const std::string start = fmt::format("[{}] what backward needs has changed", row.op);
      EXPECT_TRUE(message.starts_with(start)) << row.what << ": " << message;
    }
  }
}

TEST(Tape, RefusesGradientsOfAnotherShape) {
  const Parameter p = parameter({1, 2});
  {
    Tape tape;
    tape.backward(sum(p * p));
  }
  p.value() = Tensor::full({2000}, 1);
  {
    Tape tape;
    EXPECT_TRUE(message_of([&] {
                  tape.backward(sum(p * p));
                }).starts_with("[*] a parameter of shape (2000,) has a gradient of shape (2,)"));
  }
  p.clear_gradient();
  Tape tape;
  const Variable loss = sum(p * p);
  p.value() = Tensor::full({3}, 1);
  EXPECT_TRUE(message_of([&] {
                tape.backward(loss);
              }).starts_with("[*] a parameter of shape (3,) had shape (2000,) when it was used"));
}

TEST(Tape, UndefinedOperandsAreNamed) {
  const Parameter undefined;
  const Variable none;
  EXPECT_EQ(none.size(), 0);
  EXPECT_EQ(Tensor().size(), 0);
  EXPECT_FALSE(Variable(undefined).defined());
  const std::string start = "[operand] expected a value; got an undefined one";
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { none + 1; }, [&] { 1 - Variable(none); }, [&] { exp(undefined); },
           [&] { sum(none); },
           [&] {
             concat({none, none}, 0);
           },
           [&] { reshape(none, {1}); }, [&] { Variable(undefined) * 2; }}) {
    const std::string message = message_of(call);
    EXPECT_TRUE(message.starts_with(start)) << message;
    EXPECT_NE(message.find("tape_test.cpp"), std::string::npos) << message;
  }
  {
    Tape tape;
    EXPECT_EQ(message_of([&] { tape.backward(Variable(Tensor::zeros({})), Tensor()); }),
              "[backward] expected a variable and a gradient; got an undefined one");
  }
  EXPECT_EQ(message_of([&] { undefined.value(); }),
            "[parameter] expected a parameter; got an undefined one");
  EXPECT_EQ(message_of([] { Tensor().clone(); }),
            "[clone] expected a tensor; got an undefined one");
  EXPECT_EQ(message_of([] { Tensor().reshape({}); }),
            "[reshape] expected a tensor; got an undefined one");
}

TEST(Tape, ParametersOfOneTensorAreTheirOwn) {
  const Tensor initial = Tensor::full({1}, 1);
  const Parameter a(initial);
  const Parameter b(initial);
  a.value()[0] = 7;
  EXPECT_EQ(b.value()[0], 1);
  EXPECT_EQ(initial[0], 1);
}

TEST(Tape, BackwardFromAParameter) {
  const Parameter p = parameter({3});
  Tape tape;
  tape.backward(p);
  EXPECT_EQ(gradient(p), Reals{1});
}

TEST(Tape, BackwardFromAGivenGradient) {
  const Parameter p = parameter({1, 2, 3});
  const Tensor dy({3}, {1, 0, -1});
  Tape tape;
  tape.backward(p * p, dy);
  EXPECT_EQ(gradient(p), (Reals{2, 0, -6}));
  EXPECT_EQ(dy.to_vector(), (Reals{1, 0, -1}));
}

TEST(Tape, Misuse) {
  const Parameter p = parameter({1, 2});
  Variable ended;
  {
    Tape tape;
    ended = p * 2;
    EXPECT_EQ(message_of([&] { tape.backward(p * 2); }),
              "[backward] expected a loss of one element; got shape (2,)");
    EXPECT_EQ(message_of([&] { tape.backward(Variable()); }),
              "[backward] expected a loss; got an undefined variable");
    EXPECT_EQ(message_of([&] { tape.backward(p * 2, Tensor({3})); }),
              "[backward] expected a gradient of shape (2,); got (3,)");
    tape.backward(sum(ended));
    EXPECT_EQ(
        message_of([&] { tape.backward(sum(p)); }).substr(0, 90),
        std::string(
            "[sum] the tape has run backward already; record on a new one; called at " __FILE__)
            .substr(0, 90));
    EXPECT_EQ(message_of([&] { tape.backward(ended, Tensor({2})); }),
              "[backward] the tape has run backward already; record the computation on a new one");
    std::ostringstream out;
    EXPECT_EQ(message_of([&] { tape.print(out); }),
              "[print] this tape kept no profile; open it with Tape tape({.profile = true})");
  }
  EXPECT_EQ((ended * 2).value().to_vector(), (Reals{4, 8}));  // the value outlives the tape
  Tape tape;
  EXPECT_NE(message_of([&] { ended * 2; }).find("[*] an input was recorded on another tape"),
            std::string::npos);
  EXPECT_EQ(message_of([&] { tape.backward(ended, Tensor({2})); }),
            "[backward] the variable was recorded on another tape");
  EXPECT_EQ((ended.detach() * 2).value().to_vector(), (Reals{4, 8}));
}

TEST(Tape, AnErrorInBackwardLeavesNothingBehind) {
  const std::size_t live = memory::statistics().live;
  {
    const Parameter p = parameter({1, 2});
    Tape tape;
    const Variable y = record("thrower", Tensor({2}, {1, 2}), {p * 2},
                              [kept = Tensor({1000})](const Tensor&, Gradient) { fail("thrown"); });
    EXPECT_EQ(message_of([&] { tape.backward(sum(y)); }), "thrown");
    EXPECT_TRUE(Tape::recording());
  }
  EXPECT_EQ(memory::statistics().live, live);
}

TEST(Tape, AHundredThousandOps) {
  const std::size_t live = memory::statistics().live;
  {
    const Parameter p = parameter({1});
    Tape tape;
    Variable y = p;
    for (int i = 0; i < 100'000; ++i)
      y = y + 1;
    EXPECT_EQ(tape.size(), 100'000u);
    tape.backward(y);
    EXPECT_EQ(gradient(p), Reals{1});
  }
  {
    const Parameter p = parameter({1});
    Tape tape;
    Variable y = p;
    for (int i = 0; i < 100'000; ++i)
      y = y * 1;  // dropped without a backward pass
  }
  EXPECT_EQ(memory::statistics().live, live);
}

/// A small training step: two layers, a residual connection, a loss, an update in place.
void step(const Parameter& w, const Parameter& b, const Tensor& x, const Ids& gold) {
  Tape tape;
  const Variable h = gelu(matmul(x, w) + b);
  const Variable y = matmul(h, w, {.b = true}) + x;
  tape.backward(cross_entropy(y, gold) + mean(square(variance(h, {0}))) +
                sum(slice(permute(h, {1, 0}), 1, 0, 3)) * 1e-3);
  for (const ParameterRef& p : std::initializer_list<ParameterRef>{w, b}) {
    for (Index i = 0; i < p.value().size(); ++i)
      p.value()[i] -= Real(1e-3) * p.gradient()[i];
    p.clear_gradient();
  }
}

TEST(Tape, ASteadyStepAsksForNothing) {
  const Tensor x = Tensor::full({64, 48}, Real(0.1));
  const Ids gold = Ids::full({64}, 3);
  const Parameter w(Tensor::full({48, 32}, Real(0.01)));
  const Parameter b(Tensor::zeros({32}));
  for (int i = 0; i < 20; ++i)
    step(w, b, x, gold);
  const memory::Statistics before = memory::statistics();
  const std::size_t heap = mallinfo2().uordblks;
  for (int i = 0; i < 50; ++i)
    step(w, b, x, gold);
  const memory::Statistics after = memory::statistics();
  EXPECT_EQ(after.live, before.live);
  EXPECT_EQ(after.system, before.system);
  EXPECT_EQ(after.system_requests, before.system_requests);
  EXPECT_LE(mallinfo2().uordblks, heap + 4096);
}

TEST(Tape, CheckFiniteNamesOpAndLine) {
  const Parameter p = parameter({1, 0});
  const Tape::Pause none;  // a tape records within a pause too
  const std::string file = __FILE__;
  {
    Tape tape({.check_finite = true});
    // Not within EXPECT_EQ: compilers differ in the line of a macro's argument.
    const int line = __LINE__ + 1;
    const std::string message = message_of([&] { log(p); });
    EXPECT_EQ(message,
              fmt::format("[log] -inf at element 1 of the output of shape (2,); called at {}:{}",
                          file, line));
  }
  {
    Tape tape({.check_finite = true});
    const int line = __LINE__ + 1;
    const Variable y = sum(sqrt(p));
    const std::string message = message_of([&] { tape.backward(y); });
    EXPECT_EQ(
        message,
        fmt::format(
            "[sqrt] inf at element 1 of the gradient of an input of shape (2,); called at {}:{}",
            file, line));
  }
  Tape tape;
  EXPECT_EQ(message_of([&] { tape.backward(sum(log(p))); }), "");
}

/// The error that check_finite throws in `f`.
std::optional<NotFinite> not_finite(const std::function<void(Tape&)>& f) {
  Tape tape({.check_finite = true});
  try {
    f(tape);
  } catch (const NotFinite& error) {
    return error;
  }
  return std::nullopt;
}

/// The parameters of the rows below. log(b), c * c and the gradient of sqrt(b) are not finite.
struct Used {
  Parameter a = parameter({1, 2});
  Parameter b = parameter({0, 1});
  Parameter c = parameter({std::numeric_limits<Real>::max(), 1});
  Parameter frozen = parameter({0, 1});
  Tensor x{{2}, {1, 1}};

  Used() { frozen.trainable() = false; }
  Variable twice_a() const { return Variable(a) * 2; }
  bool has(const ParameterRef& p) const { return p == a || p == b || p == c || p == frozen; }
};

using Vs = std::span<const Variable>;
auto times_log(const ParameterRef& p) {
  return [p](Vs v) { return v[0] * log(p); };
}
auto times_sqrt(const ParameterRef& p) {
  return [p](Vs v) { return v[0] * sqrt(p); };
}

struct FiniteRow {
  const char* name;
  std::function<void(const Used&, Tape&)> run;
  const char* op;
  bool gradient;
  Parameter Used::*used;  // the last of Used's parameters that was used
};

// clang-format off
const FiniteRow finite_rows[] = {
    {"the op's own parameter",
     [](const Used& u, Tape&) { (void)(Variable(u.x) * u.a * log(u.b)); },
     "log", false, &Used::b},
    {"an op without one",
     [](const Used& u, Tape&) { exp(exp(tanh(u.x * Variable(u.a)) * u.b) * 1e3); },
     "exp", false, &Used::b},
    {"a frozen one",
     [](const Used& u, Tape&) { log(Variable(u.frozen) * u.a * u.frozen); },
     "log", false, &Used::frozen},
    {"overflow",
     [](const Used& u, Tape&) { (void)(u.twice_a() + Variable(u.c) * u.c); },
     "*", false, &Used::c},
    {"back, the op's own",
     [](const Used& u, Tape& tape) { tape.backward(sum(Variable(u.a) * sqrt(u.b) * u.c)); },
     "sqrt", true, &Used::b},
    {"back, an op without one",
     [](const Used& u, Tape& tape) { tape.backward(sum(sqrt(Variable(u.b) * 2) * u.a)); },
     "sqrt", true, &Used::b},
    {"recompute",
     [](const Used& u, Tape&) { (void)(recompute(times_log(u.b), {{u.twice_a()}}) * u.c); },
     "log", false, &Used::b},
    {"recompute, back",
     [](const Used& u, Tape& tape) {
       tape.backward(sum(recompute(times_sqrt(u.b), {{u.twice_a()}}) * u.a));
     },
     "sqrt", true, &Used::b},
    {"recompute in recompute, back",
     [](const Used& u, Tape& tape) {
       const auto outer = [&](Vs v) { return recompute(times_sqrt(u.b), {{v[0] * u.a}}) * u.a; };
       tape.backward(sum(recompute(outer, {{u.twice_a()}}) * u.a));
     },
     "sqrt", true, &Used::b},
    // Of two parameters that an op uses, the first names it.
    {"recompute, back, before any of its own",
     [](const Used& u, Tape& tape) {
       const auto block = [&](Vs v) { return sqrt(v[0] * 1) * u.c * 0; };
       tape.backward(sum(recompute(block, {{Variable(u.a) * u.b}}) * u.x));
     },
     "sqrt", true, &Used::a},
};
// clang-format on

TEST(Tape, CheckFiniteSaysWhatWasUsedLast) {
  for (const FiniteRow& row : finite_rows) {
    SCOPED_TRACE(row.name);
    const Used used;
    const auto error = not_finite([&](Tape& tape) { row.run(used, tape); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->op, row.op) << error->what();
    EXPECT_EQ(error->gradient, row.gradient);
    EXPECT_FALSE(std::isfinite(error->value));
    const auto mine = std::find_if(error->parameters.begin(), error->parameters.end(),
                                   [&](const ParameterRef& p) { return used.has(p); });
    ASSERT_NE(mine, error->parameters.end());
    EXPECT_TRUE(*mine == used.*row.used);
  }
}

TEST(Tape, CheckFiniteNamesNoParameterOfConstants) {
  const Tensor x({2}, {1, 1});
  const auto constant = not_finite([&](Tape&) { log(x - 1); });
  ASSERT_TRUE(constant);
  EXPECT_TRUE(constant->parameters.empty());
}

TEST(Tape, CheckFiniteLeavesNothingBehind) {
  const Used used;
  EXPECT_FALSE(not_finite(
      [&](Tape& tape) { tape.backward(sum(recompute(times_sqrt(used.a), {{used.twice_a()}}))); }));
  EXPECT_TRUE(not_finite([&](Tape&) { log(used.b); }));
  EXPECT_TRUE(not_finite([&](Tape& tape) { tape.backward(sum(sqrt(used.b))); }));
  used.b.clear_gradient();
  Tape ordinary;
  ordinary.backward(sum(sqrt(used.b)));
  EXPECT_FALSE(std::isfinite(used.b.gradient()[0]));
}

TEST(Tape, PrintTellsOfWhatIsRecomputed) {
  const Parameter p = parameter({1, 2});
  Tape tape({.profile = true});
  tape.backward(sum(
      recompute([&](std::span<const Variable> x) { return tanh(x[0] * p); }, {{Variable(p) * 2}})));
  std::ostringstream out;
  tape.print(out);
  std::istringstream lines(out.str());
  std::string names;
  for (std::string line, name; std::getline(lines, line); names += name + " ")
    std::istringstream(line) >> name;
  EXPECT_EQ(names, "op * * tanh recompute sum * tanh total ")
      << "once in forward, once in backward: " << out.str();
}

TEST(Tape, PrintHasARowForEveryOp) {
  const Parameter p = parameter({1, 2});
  Tape tape({.profile = true});
  const Variable constant = exp(Variable(Tensor({5})));  // computed, not recorded
  tape.backward(sum(tanh(p * 2)));
  std::ostringstream out;
  tape.print(out);
  std::istringstream lines(out.str());
  std::vector<std::string> names;
  for (std::string line, name; std::getline(lines, line);) {
    std::istringstream(line) >> name;
    names.push_back(name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"op", "exp", "*", "tanh", "sum", "total"}))
      << out.str();
  ASSERT_EQ(tape.rows().size(), 4u);
  EXPECT_EQ(tape.rows()[1].op, std::string("*"));
  EXPECT_EQ(to_string(tape.rows()[1].shape), "(2,)");
  ASSERT_EQ(tape.rows()[1].inputs.size(), 2u);
  EXPECT_EQ(to_string(tape.rows()[1].inputs[1]), "()");
}

/// The gradients of a deep block, directly or recomputed, and the most memory they took.
struct Outcome {
  std::vector<Real> x;
  std::vector<Real> w;
  std::vector<Real> loss;
  std::size_t peak;
  std::uint64_t position;
};
Outcome run_block(bool recomputed, bool nested, Real p) {
  const Parameter x(Tensor::full({256, 256}, Real(0.3)));
  const Parameter w(Tensor::full({256}, Real(0.9)));
  step_random() = Random(11, 4);
  const auto block = [&w, p](std::span<const Variable> in) {
    Variable y = in[0];
    for (int i = 0; i < 8; ++i)
      y = dropout(tanh(y * w), p, step_random().next_key());
    return y;
  };
  const auto blocks = [&](std::span<const Variable> in) {
    Variable y = in[0];
    for (int i = 0; i < 4; ++i)
      y = recomputed ? recompute(block, {{y}}) : block(std::span(&y, 1));
    return y;
  };
  memory::reset_peak();
  const std::size_t before = memory::statistics().live;
  Tape tape;
  const Variable in = x;
  const Variable loss = sum(nested ? recompute(blocks, {{in}}) : blocks(std::span(&in, 1)));
  tape.backward(loss);
  return {gradient(x),
          gradient(w),
          {loss.item()},
          memory::statistics().peak - before,
          step_random().position()};
}

TEST(Recompute, GivesTheSameForLessMemory) {
  for (Real p : {Real(0), Real(0.2)}) {
    const Outcome direct = run_block(false, false, p);
    const Outcome recomputed = run_block(true, false, p);
    const Outcome nested = run_block(true, true, p);
    for (const Outcome* run : {&recomputed, &nested}) {
      EXPECT_EQ(run->loss, direct.loss);
      EXPECT_EQ(run->x, direct.x);
      EXPECT_EQ(run->position, direct.position);
      EXPECT_LT(run->peak, direct.peak * 6 / 10);
      ASSERT_EQ(run->w.size(), direct.w.size());
      // The shares of the blocks are added in another order.
      for (std::size_t i = 0; i < run->w.size(); ++i)
        EXPECT_NEAR(run->w[i], direct.w[i], 1e-4 * std::abs(direct.w[i]));
    }
  }
}

TEST(Recompute, InferenceJustComputes) {
  const Parameter w = parameter({2});
  EXPECT_EQ(
      recompute([&](std::span<const Variable> x) { return x[0] * w; }, {{Tensor::full({1}, 3)}})
          .item(),
      6);
}

TEST(Recompute, ReachesParametersWhenItsInputsAreConstants) {
  const Parameter w = parameter({2});
  Tape tape;
  tape.backward(
      recompute([&](std::span<const Variable> x) { return x[0] * w; }, {{Tensor::full({1}, 3)}}));
  EXPECT_EQ(gradient(w), Reals{3});
}

}  // namespace
}  // namespace heed
