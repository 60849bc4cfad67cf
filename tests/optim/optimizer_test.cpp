// Optimizers and clipping against loops in double, and against values computed by hand from
// PyTorch's formulas.

#include "optim/optimizer.h"

#include <cmath>
#include <functional>
#include <memory>

#include <gtest/gtest.h>

#include "framework/checkpoint.h"
#include "framework/kernels/parallel.h"
#include "framework/memory.h"
#include "framework/ops.h"
#include "optim/clip.h"
#include "tests/message_of.h"

namespace heed {
namespace {

/// Sizes around the width of a packet and the length of a piece.
struct Several {
  std::vector<Parameter> items;
  explicit Several(std::vector<Shape> shapes = {
                       {3}, {1}, {20, 9}, {}, {130, 257}, {8}, {0}, {7, 1}}) {
    Random random(5);
    for (const Shape& shape : shapes)
      items.emplace_back(uniform(shape, random, -1, 1));
  }
  void visit(Visitor& v) { v("items", items); }
  void draw_gradients(std::uint64_t seed) {
    Random random(seed);
    for (Parameter& item : items)
      item.gradient() = uniform(item.shape(), random, -2, 2);
  }
};

struct One {
  Parameter p{Tensor({1, 1}, {1})};
  void visit(Visitor& v) { v("p", p); }
};

using Make = std::function<std::unique_ptr<Optimizer>(AnyModule)>;
template <class O, class Options>
Make make(Options options) {
  return [options](AnyModule model) { return std::make_unique<O>(model, options); };
}

/// One number p with its moments, in double.
struct Scalar {
  double p;
  double m = 0;
  double v = 0;
};
using Rule = std::function<void(Scalar& x, double g, int t, bool vector)>;

Rule sgd_rule(double lr, double momentum, double decay) {
  return [=](Scalar& x, double g, int, bool) {
    g += decay * x.p;
    x.m = momentum * x.m + g;
    x.p -= lr * x.m;
  };
}
Rule adam_rule(double lr, double penalty, double decay, bool decay_vectors) {
  return [=](Scalar& x, double g, int t, bool vector) {
    if (!vector || decay_vectors) x.p *= 1 - lr * decay;
    g += penalty * x.p;
    x.m = 0.9 * x.m + 0.1 * g;
    x.v = 0.98 * x.v + 0.02 * g * g;
    x.p -= lr * (x.m / (1 - std::pow(0.9, t))) / (std::sqrt(x.v / (1 - std::pow(0.98, t))) + 1e-6);
  };
}

struct Row {
  const char* name;
  Make optimizer;
  Rule rule;
};
const Row rows[] = {
    {"sgd", make<Sgd>(SgdOptions{.lr = 0.1}), sgd_rule(0.1, 0, 0)},
    {"sgd, decay", make<Sgd>(SgdOptions{.lr = 0.1, .weight_decay = 0.2}), sgd_rule(0.1, 0, 0.2)},
    {"sgd, momentum", make<Sgd>(SgdOptions{.lr = 0.1, .momentum = 0.9}), sgd_rule(0.1, 0.9, 0)},
    {"sgd, both", make<Sgd>(SgdOptions{.lr = 0.1, .momentum = 0.8, .weight_decay = 0.1}),
     sgd_rule(0.1, 0.8, 0.1)},
    {"adam", make<Adam>(AdamOptions{.lr = 0.01, .beta2 = 0.98, .epsilon = 1e-6}),
     adam_rule(0.01, 0, 0, false)},
    {"adam, decay",
     make<Adam>(AdamOptions{.lr = 0.01, .beta2 = 0.98, .epsilon = 1e-6, .weight_decay = 0.3}),
     adam_rule(0.01, 0.3, 0, false)},
    {"adamw",
     make<AdamW>(AdamWOptions{.lr = 0.01, .beta2 = 0.98, .epsilon = 1e-6, .weight_decay = 0.5}),
     adam_rule(0.01, 0, 0.5, false)},
    {"adamw, vectors too",
     make<AdamW>(AdamWOptions{
         .lr = 0.01, .beta2 = 0.98, .epsilon = 1e-6, .weight_decay = 0.5, .decay_vectors = true}),
     adam_rule(0.01, 0, 0.5, true)},
};

TEST(Optimizer, FollowsTheRuleForFiveSteps) {
  for (const Row& row : rows) {
    Several model;
    const auto optimizer = row.optimizer(model);
    std::vector<std::vector<Scalar>> expected;
    for (const Parameter& item : model.items) {
      expected.emplace_back();
      for (Real x : item.value().span())
        expected.back().push_back({static_cast<double>(x)});
    }
    for (int t = 1; t <= 5; ++t) {
      model.draw_gradients(static_cast<std::uint64_t>(t));
      const double factor = t == 3 ? 0.25 : 1;
      for (std::size_t i = 0; i < model.items.size(); ++i)
        for (std::size_t j = 0; j < expected[i].size(); ++j)
          row.rule(expected[i][j],
                   factor * static_cast<double>(model.items[i].gradient()[static_cast<Index>(j)]),
                   t, model.items[i].shape().rank() <= 1);
      optimizer->step(optimizer->lr(), factor);
      for (std::size_t i = 0; i < model.items.size(); ++i)
        for (std::size_t j = 0; j < expected[i].size(); ++j)
          ASSERT_NEAR(model.items[i].value()[static_cast<Index>(j)], expected[i][j].p, 2e-6)
              << row.name << ", step " << t << ", " << i << ", " << j;
    }
  }
}

TEST(Optimizer, AgreesWithValuesByHand) {
  // p = 1, gradients 0.5 and -0.25. Adam: m = 0.05, 0.02; v = 0.00025, 0.00031225; corrected 0.02 /
  // 0.19 and 0.00031225 / 0.001999.
  const struct {
    const char* name;
    Make optimizer;
    double first;
    double second;
  } by_hand[] = {
      {"adam", make<Adam>(AdamOptions{.lr = 1e-3}), 0.999, 0.99873366},
      {"adamw", make<AdamW>(AdamWOptions{.lr = 1e-3, .weight_decay = 0.1}), 0.9989,
       0.9989 * 0.9999 - 0.00026634},
      {"sgd", make<Sgd>(SgdOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01}), 0.949,
       0.9271510},
  };
  for (const auto& row : by_hand) {
    One model;
    const auto optimizer = row.optimizer(model);
    model.p.gradient() = Tensor({1, 1}, {Real(0.5)});
    optimizer->step();
    EXPECT_NEAR(model.p.value()[0], row.first, 2e-7) << row.name;
    model.p.gradient() = Tensor({1, 1}, {Real(-0.25)});
    optimizer->step();
    EXPECT_NEAR(model.p.value()[0], row.second, 2e-7) << row.name;
  }
}

TEST(Optimizer, LeavesParametersWithoutGradientAlone) {
  Several model;
  Adam adam(model, {.lr = 0.1});
  model.draw_gradients(1);
  model.items[2].clear_gradient();
  model.items[5].trainable() = false;
  const Tensor unreached = model.items[2].value().clone();
  const Tensor frozen = model.items[5].value().clone();
  adam.step();
  EXPECT_EQ(model.items[2].value().to_vector(), unreached.to_vector());
  EXPECT_EQ(model.items[5].value().to_vector(), frozen.to_vector());
  EXPECT_EQ(std::vector<std::int64_t>(adam.steps().begin(), adam.steps().end()),
            (std::vector<std::int64_t>{1, 1, 0, 1, 1, 0, 1, 1}));
  model.draw_gradients(2);
  adam.step();  // the first step of item 2: lr against the sign of the gradient
  for (Index i = 0; i < unreached.size(); ++i)
    EXPECT_NEAR(model.items[2].value()[i],
                unreached[i] - std::copysign(Real(0.1), model.items[2].gradient()[i]), 1e-5);
}

struct FrozenAndOther {
  Parameter frozen{Tensor({3}, {1, -2, Real(0.3)})};
  Parameter other{Tensor({3}, {1, -2, Real(0.3)})};
  void visit(Visitor& v) {
    v("frozen", frozen);
    v("other", other);
  }
};

void expect_frozen_stays(FrozenAndOther& model, Optimizer& optimizer) {
  for (int step = 0; step < 20; ++step) {
    {
      Tape tape;
      tape.backward(sum(square(model.frozen * model.other)));
    }
    double squares = 0;
    for (Real g : model.other.gradient().span())
      squares += static_cast<double>(g) * static_cast<double>(g);
    EXPECT_NEAR(optimizer.gradient_norm(), std::sqrt(squares), 1e-6 * std::sqrt(squares))
        << "the norm is of what learns";
    optimizer.step();
    optimizer.clear_gradients();
  }
  EXPECT_EQ(model.frozen.value().to_vector(), (std::vector<Real>{1, -2, Real(0.3)}));
  for (Index i = 0; i < 3; ++i)
    EXPECT_NE(model.other.value()[i], model.frozen.value()[i]);
  EXPECT_EQ(optimizer.steps()[0], 0);
  EXPECT_EQ(optimizer.steps()[1], 20);
  for (const auto& [name, moment] : optimizer.state())
    for (Real x : moment.span())
      EXPECT_EQ(x == 0, name.ends_with("frozen")) << name;
}

/// Weight decay and momentum leave frozen parameters alone too.
TEST(Optimizer, LeavesFrozenParametersAsTheyAre) {
  using Model = FrozenAndOther;
  const std::function<std::unique_ptr<Optimizer>(Model&)> makers[] = {
      [](Model& m) {
        return std::make_unique<Sgd>(m,
                                     SgdOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1});
      },
      [](Model& m) {
        return std::make_unique<Adam>(m, AdamOptions{.lr = 0.1, .weight_decay = 0.1});
      },
      [](Model& m) {
        return std::make_unique<AdamW>(
            m, AdamWOptions{.lr = 0.1, .weight_decay = 0.1, .decay_vectors = true});
      }};
  for (const auto& make : makers) {
    Model model;
    model.frozen.trainable() = false;
    const auto optimizer = make(model);
    expect_frozen_stays(model, *optimizer);
  }
}

struct LargeAndSmall {
  Parameter large;
  Parameter small;
  LargeAndSmall() : large(Tensor::full({1 << 20}, 1)), small(Tensor::full({4}, 1)) {}
  void visit(Visitor& v) {
    v("large", large);
    v("small", small);
  }
};

TEST(Optimizer, KeepsNothingForFrozenParameters) {
  const std::function<std::unique_ptr<Optimizer>(LargeAndSmall&)> makers[] = {
      [](LargeAndSmall& m) { return std::make_unique<Sgd>(m, SgdOptions{.momentum = 0.9}); },
      [](LargeAndSmall& m) { return std::make_unique<Adam>(m, AdamOptions{}); },
      [](LargeAndSmall& m) { return std::make_unique<AdamW>(m, AdamWOptions{}); }};
  for (const auto& make : makers) {
    for (const bool frozen : {false, true}) {
      LargeAndSmall model;
      model.large.trainable() = !frozen;
      const std::size_t before = memory::statistics().live;
      const auto optimizer = make(model);
      for (int step = 0; step < 3; ++step) {
        model.small.gradient() = Tensor::full({4}, 1);
        optimizer->step();
      }
      const std::size_t kept = memory::statistics().live - before;
      const std::size_t large = (std::size_t{1} << 20) * sizeof(Real);
      EXPECT_EQ(kept >= large, !frozen) << kept << " bytes";
      // Checkpoints list what they listed when moments of frozen parameters were kept.
      for (const auto& [name, moment] : optimizer->state())
        EXPECT_EQ(moment.shape(), name.ends_with("large") ? Shape({1 << 20}) : Shape({4})) << name;
    }
  }
}

/// A norm is a sum in pieces. What is frozen must not move the pieces of the rest.
TEST(Optimizer, RoundsNormsTheSameWhateverIsFrozen) {
  Several frozen_before;
  Several frozen_after;
  frozen_before.items[2].trainable() = false;
  Adam first(frozen_before, {});
  Adam second(frozen_after, {});
  frozen_after.items[2].trainable() = false;
  for (Several* model : {&frozen_before, &frozen_after}) {
    model->draw_gradients(4);
    model->items[2].clear_gradient();
  }
  EXPECT_EQ(first.gradient_norm(), second.gradient_norm());
  for (Adam* adam : {&first, &second})
    adam->step();
  for (std::size_t i = 0; i < frozen_before.items.size(); ++i)
    EXPECT_EQ(frozen_before.items[i].value().to_vector(), frozen_after.items[i].value().to_vector())
        << i;
}

/// A run of an earlier version: it kept moments of frozen parameters, and saved them.
TEST(Optimizer, ResumesFromMomentsOfFrozenParameters) {
  const auto train = [](FrozenAndOther& model, Optimizer& optimizer, int steps) {
    for (int step = 0; step < steps; ++step) {
      model.other.gradient() = Tensor({3}, {1, Real(-0.5), static_cast<Real>(step)});
      optimizer.step();
    }
  };
  FrozenAndOther whole;
  whole.frozen.trainable() = false;
  Adam uninterrupted(whole, {.lr = 0.1});
  FrozenAndOther interrupted;  // not frozen when its optimizer is made: moments for all
  Adam earlier(interrupted, {.lr = 0.1});
  interrupted.frozen.trainable() = false;
  train(whole, uninterrupted, 3);
  train(interrupted, earlier, 3);
  Checkpoint checkpoint;
  std::vector<NamedTensor> moments = earlier.state();
  ASSERT_EQ(moments[0].name, "adam.m.frozen");
  moments[0].tensor[1] = 7;  // whatever they are
  put(checkpoint, "optimizer.", moments);

  interrupted.frozen.trainable() = false;
  Adam resumed(interrupted, {.lr = 0.1});
  std::vector<NamedTensor> targets = resumed.state();
  take(checkpoint, "optimizer.", targets);
  std::copy(earlier.steps().begin(), earlier.steps().end(), resumed.steps().begin());
  train(whole, uninterrupted, 4);
  train(interrupted, resumed, 4);
  EXPECT_EQ(interrupted.other.value().to_vector(), whole.other.value().to_vector());
  EXPECT_EQ(interrupted.frozen.value().to_vector(), whole.frozen.value().to_vector());
  for (const auto& [name, moment] : resumed.state())
    if (name.ends_with("frozen")) {
      EXPECT_EQ(moment.to_vector(), std::vector<Real>(3)) << name;
    }
}

/// One that was frozen at first begins like any other when it is trained.
TEST(Optimizer, TrainsWhatIsNoLongerFrozen) {
  FrozenAndOther model;
  model.frozen.trainable() = false;
  Adam adam(model, {.lr = 0.1});
  FrozenAndOther expected;
  Adam of_all(expected, {.lr = 0.1});
  for (int step = 0; step < 6; ++step) {
    const bool frozen = step < 3;
    model.frozen.trainable() = !frozen;
    const Tensor g({3}, {1, Real(-0.5), static_cast<Real>(step)});
    for (FrozenAndOther* m : {&model, &expected}) {
      m->other.gradient() = g.clone();
      m->frozen.gradient() = frozen ? Tensor() : g.clone();
    }
    adam.step();
    of_all.step();
  }
  EXPECT_EQ(model.other.value().to_vector(), expected.other.value().to_vector());
  EXPECT_EQ(model.frozen.value().to_vector(), expected.frozen.value().to_vector());
  const std::vector<NamedTensor> got = adam.state();
  const std::vector<NamedTensor> want = of_all.state();
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].name, want[i].name);
    EXPECT_EQ(got[i].tensor.to_vector(), want[i].tensor.to_vector()) << got[i].name;
  }
}

TEST(Optimizer, GivesTheSameBitsOnAnyNumberOfThreads) {
  std::vector<std::vector<Real>> values;
  std::vector<double> norms;
  for (int count : {1, 2, 5}) {
    set_threads(count);
    Several model({{10}, {400, 300}, {3}, {16384}, {5, 5}});
    AdamW adam(model, {});
    model.draw_gradients(3);
    norms.push_back(adam.gradient_norm());
    adam.step();
    values.push_back(model.items[1].value().to_vector());
  }
  set_threads(0);
  for (std::size_t i = 1; i < norms.size(); ++i) {
    EXPECT_EQ(norms[i], norms[0]);
    EXPECT_EQ(values[i], values[0]);
  }
}

TEST(Optimizer, SharesItsStateUnderNames) {
  One model;
  Adam adam(model, {});
  model.p.gradient() = Tensor({1, 1}, {2});
  adam.step();
  const auto state = adam.state();
  ASSERT_EQ(state.size(), 2u);
  EXPECT_EQ(state[0].name, "adam.m.p");
  EXPECT_EQ(state[1].name, "adam.v.p");
  EXPECT_EQ(to_string(state[1].tensor.shape()), "(1, 1)");
  EXPECT_NEAR(state[0].tensor[0], 0.2, 1e-7);
  EXPECT_NEAR(state[1].tensor[0], 0.004, 1e-8);
  EXPECT_TRUE(Sgd(model, {}).state().empty());
}

TEST(Optimizer, RefusesOptionsOutOfRange) {
  One model;
  const struct {
    std::function<void()> act;
    const char* message;
  } bad[] = {
      {[&] { Adam(model, {.lr = -1}); }, "[adam] expected lr of at least 0; got -1"},
      {[&] { Adam(model, {.beta1 = 1}); }, "[adam] expected beta1 within [0, 1); got 1"},
      {[&] { AdamW(model, {.weight_decay = -2}); },
       "[adamw] expected weight_decay of at least 0; got -2"},
      {[&] { Sgd(model, {.momentum = -0.5}); }, "[sgd] expected momentum of at least 0; got -0.5"},
      {[&] { clip_gradients(model, 0); }, "[clip_gradients] expected a norm above 0; got 0"},
  };
  for (const auto& row : bad) {
    try {
      row.act();
      ADD_FAILURE() << "no error: " << row.message;
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), row.message);
    }
  }
}

TEST(Optimizer, AsksTheSystemForNoMemory) {
  Several model;
  Adam adam(model, {});
  model.draw_gradients(1);
  adam.step();
  const std::size_t live = memory::statistics().live;

  const std::size_t requests = memory::statistics().system_requests;
  for (int i = 0; i < 3; ++i) {
    adam.gradient_norm();
    adam.step();
  }
  EXPECT_EQ(memory::statistics().live, live);
  EXPECT_EQ(memory::statistics().system_requests, requests);
}

TEST(Clip, ScalesAllGradientsTogether) {
  struct Two {
    Parameter a{Tensor({2}, {1, 1})};
    Parameter b{Tensor({1}, {1})};
    Parameter c{Tensor({1}, {1})};
    void visit(Visitor& v) {
      v("a", a);
      v("b", b);
      v("c", c);
    }
  } model;
  model.a.gradient() = Tensor({2}, {3, 0});
  model.b.gradient() = Tensor({1}, {-4});
  EXPECT_NEAR(clip_gradients(model, 10), 5, 1e-6);
  EXPECT_EQ(model.b.gradient()[0], -4) << "within the limit nothing changes";
  EXPECT_NEAR(clip_gradients(model, 1), 5, 1e-6);
  EXPECT_NEAR(model.a.gradient()[0], 0.6, 1e-6);
  EXPECT_NEAR(model.b.gradient()[0], -0.8, 1e-6);
  EXPECT_FALSE(model.c.gradient().defined());
  clear_gradients(model);
  EXPECT_EQ(clip_gradients(model, 1), 0);
}

TEST(Clip, DoesNotOverflow) {
  One model;
  model.p.gradient() = Tensor({1, 1}, {Real(1e30)});
  EXPECT_NEAR(clip_gradients(model, 1) / Real(1e30), 1, 1e-6);
  EXPECT_NEAR(model.p.gradient()[0], 1, 1e-6);
}

struct Two {
  Parameter seen{Tensor({2}, {1, 2})};
  Parameter forgotten{Tensor({2}, {3, 4})};
  void visit(Visitor& v) { v("seen", seen); }

  void pass() const {
    Tape tape;
    tape.backward(sum(seen * forgotten));
  }
};

/// A parameter that visit() leaves out gets gradients and would never learn.
TEST(Optimizer, NamesAParameterThatIsLeftOut) {
  Two model;
  Sgd sgd(model, {.lr = 0.1});
  const auto step = [&] {
    model.pass();
    sgd.step();
    sgd.clear_gradients();
  };
  step();  // no error yet: an optimizer made later may have the parameter
  const std::string message = message_of(step);
  EXPECT_TRUE(message.starts_with(
      "[optimizer] a parameter of shape (2,) gets gradients, but no optimizer was made for it"))
      << message;
  EXPECT_NE(message.find("* uses it at"), std::string::npos) << message;
  EXPECT_NE(message.find("optimizer_test.cpp"), std::string::npos) << message;
}

TEST(Optimizer, LeavesAloneWhatIsFrozenClearedOrAnotherOptimizers) {
  struct Case {
    const char* what;
    std::function<void(Two&)> prepare;
    std::function<void(Two&)> between;
  };
  struct Only {
    Parameter& p;
    void visit(Visitor& v) { v("p", p); }
  };
  std::vector<std::unique_ptr<Optimizer>> others;
  const std::vector<Case> cases = {
      {"frozen", [](Two& m) { m.forgotten.trainable() = false; }, [](Two&) {}},
      {"cleared", [](Two&) {}, [](Two& m) { m.forgotten.clear_gradient(); }},
      {"another optimizer's",
       [&](Two& m) {
         Only only{m.forgotten};
         others.push_back(std::make_unique<Sgd>(only));
       },
       [](Two&) {}},
  };
  for (const Case& each : cases) {
    Two model;
    Sgd sgd(model, {.lr = 0.1});
    each.prepare(model);
    for (int i = 0; i < 4; ++i) {
      model.pass();
      each.between(model);
      EXPECT_EQ(message_of([&] { sgd.step(); }), "") << each.what;
      sgd.clear_gradients();
    }
  }
}

TEST(Optimizer, RefusesParametersOverTheSameElements) {
  Several model({{3}, {4}});
  model.items[1].value() = model.items[0].value();
  EXPECT_EQ(message_of([&] { Sgd{model}; }),
            "[optimizer] items.0 and items.1 share their elements; make one Parameter for both, or "
            "clone() the value");
}

TEST(Optimizer, RefusesTwoParametersOfOneName) {
  struct Twice {
    Parameter a{Tensor({1}, {1})};
    Parameter b{Tensor({1}, {2})};
    void visit(Visitor& v) {
      v("x", a);
      v("x", b);
    }
  } model;
  EXPECT_EQ(message_of([&] { Sgd{model}; }),
            "[optimizer] two parameters are named x; give the parts of visit() names of their own");
}

TEST(Optimizer, RefusesAGradientOfAnotherShape) {
  One model;
  Sgd sgd(model);
  for (const Shape& shape : {Shape{5}, Shape{1}}) {
    model.p.gradient() = Tensor::zeros(shape);
    EXPECT_EQ(message_of([&] { sgd.step(); }),
              fmt::format("[optimizer] p of shape (1, 1) has a gradient of shape {}; clear the "
                          "gradients where a value is replaced",
                          shape));
  }
}

}  // namespace
}  // namespace heed
