// Several draws a step: the random numbers of each, and the order in which gradients are summed.

#include "training/draw_order.h"

#include <cmath>

#include <gtest/gtest.h>

#include "framework/ops.h"
#include "framework/run_folder.h"
#include "optim/optimizer.h"
#include "tests/datasets/temporary.h"
#include "tests/lines_text.h"
#include "tests/training/draws_by_hand.h"
#include "tests/training/function_objective.h"
#include "training/internal/gradient_tree.h"
#include "training/not_finite.h"
#include "training/trainer.h"

namespace heed {
namespace {

constexpr Index classes = 8;

struct Toy {
  Parameter table;
  Parameter weight;
  Toy() {
    Random random(1);
    table = Parameter(normal({classes, 6}, random, 1));
    weight = Parameter(normal({classes, 6}, random, 1));
  }
  void visit(Visitor& v) {
    v("table", table);
    v("weight", weight);
  }
  Variable loss(const Batch& batch, Real divisor) const {
    const Variable x =
        dropout(embedding(batch.target.ids, table), Real(0.3), step_random().next_key());
    return cross_entropy(linear(tanh(x), weight), batch.gold,
                         {.ignore = batch.ignored, .divisor = divisor});
  }
};

/// Batch n is a function of n alone. Batch `empty` has no gold.
struct Numbered : BatchStream {
  std::int64_t number = 0;
  std::int64_t empty = -1;
  Batch next() override {
    Random random(7, static_cast<std::uint64_t>(number));
    std::vector<Id> line(3 + random.below(4));
    for (Id& id : line)
      id = static_cast<Id>(random.below(classes));
    Batch batch;
    batch.target = pack({&line, 1});
    batch.gold = batch.target.ids.clone();
    batch.ignored = -1;
    for (Id& id : batch.gold.span())
      id = number == empty ? -1 : static_cast<Id>((id + 3) % classes);
    batch.lines = {number++};
    return batch;
  }
  std::vector<std::int64_t> position() const override { return {number}; }
  void seek(std::span<const std::int64_t> position) override { number = position[0]; }
  std::string describe(std::span<const Index> lines) const override { return lines_text(lines); }
};

TrainerOptions options(Index steps, Index accumulate, std::string folder = "") {
  return {
      .steps = steps, .clip = 0, .accumulate = accumulate, .seed = 3, .folder = std::move(folder)};
}

struct Training {
  Toy model;
  Sgd sgd{model, {.lr = 0.5}};
  Numbered data;
  Trainer trainer;
  std::vector<std::uint64_t> first_words;  // of the random numbers of each draw
  explicit Training(const TrainerOptions& o) : trainer(model, sgd, o) {}
  void run(Index stop_at = -1) {
    FunctionObjective objective(data, [this](const Batch& batch, Real divisor) {
      Random copy = step_random();
      first_words.push_back(copy.below(1ull << 40));
      return model.loss(batch, divisor);
    });
    Index step = 0;
    trainer.run(objective, {.on_step = [&](const StepReport& r) { step = r.step; },
                            .should_stop = [&] { return step == stop_at; }});
  }
  std::vector<std::vector<Real>> weights() const {
    return {model.table.value().to_vector(), model.weight.value().to_vector()};
  }
};

/// The sum of a binary tree whose left half is the largest power of 2 below the count.
DrawGradients tree_sum(std::span<const DrawGradients> draws) {
  if (draws.size() == 1) return draws[0];
  std::size_t left = 1;
  while (2 * left < draws.size())
    left *= 2;
  return sum_of(tree_sum(draws.first(left)), tree_sum(draws.subspan(left)));
}

/// Training by hand, as a new run does it: each draw by itself, summed by the tree.
std::vector<std::vector<Real>> by_tree(Index steps, Index accumulate, std::int64_t empty = -1) {
  Training hand(options(1, 1));
  hand.data.empty = empty;
  for (Index step = 1; step <= steps; ++step) {
    std::vector<Batch> batches;
    Index weight = 0;
    for (Index i = 0; i < accumulate; ++i) {
      batches.push_back(hand.data.next());
      weight += batches.back().weight();
    }
    std::vector<DrawGradients> draws;
    for (std::size_t i = 0; i < batches.size(); ++i) {
      step_random() = draw_random(3, step, i);
      if (batches[i].weight() > 0) {
        Tape tape;
        tape.backward(hand.model.loss(batches[i], static_cast<Real>(weight)));
      }
      draws.push_back(take_gradients(hand.model));
    }
    give_gradients(hand.model, tree_sum(draws));
    hand.sgd.step();
    hand.sgd.clear_gradients();
  }
  return hand.weights();
}

/// The same in the order of earlier versions: one stream of random numbers, and one gradient.
std::vector<std::vector<Real>> running(Index steps, Index accumulate) {
  Training hand(options(1, 1));
  for (Index step = 1; step <= steps; ++step) {
    std::vector<Batch> batches;
    Index weight = 0;
    for (Index i = 0; i < accumulate; ++i) {
      batches.push_back(hand.data.next());
      weight += batches.back().weight();
    }
    step_random() = Random(3, static_cast<std::uint64_t>(step));
    for (const Batch& batch : batches) {
      Tape tape;
      tape.backward(hand.model.loss(batch, static_cast<Real>(weight)));
    }
    hand.sgd.step();
    hand.sgd.clear_gradients();
  }
  return hand.weights();
}

TEST(GradientTree, SumsPairsThenPairsOfPairs) {
  for (std::size_t count = 1; count <= 9; ++count) {
    Toy model;
    GradientTree tree(model);
    Random random(count);
    std::vector<DrawGradients> draws;
    for (std::size_t i = 0; i < count; ++i) {
      // Sizes far apart, so that another order gives other bits.
      const auto size = static_cast<Real>(std::pow(10.0, static_cast<double>(i % 5)));
      draws.push_back({uniform({classes, 6}, random, -size, size).to_vector(), {}});
      if (i % 3 == 2) draws.back()[1] = uniform({classes, 6}, random, -size, size).to_vector();
      give_gradients(model, draws.back());
      tree.add();
      EXPECT_FALSE(model.table.gradient().defined()) << "it took them";
    }
    for (int again = 0; again < 2; ++again) {
      tree.give();
      const DrawGradients got = take_gradients(model);
      EXPECT_EQ(got, again == 0 ? tree_sum(draws) : DrawGradients(2)) << count << " draws";
    }
  }
}

TEST(DrawOrder, ANewRunSumsItsDrawsByTheTree) {
  for (const Index accumulate : {1, 2, 3, 4, 5, 7}) {
    Training run(options(4, accumulate));
    run.run();
    EXPECT_EQ(run.weights(), by_tree(4, accumulate)) << accumulate;
  }
  Training gap(options(2, 5));
  gap.data.empty = 2;
  gap.run();
  EXPECT_EQ(gap.weights(), by_tree(2, 5, 2)) << "a draw of weight 0 has a place in the tree";
}

TEST(DrawOrder, EachDrawHasRandomNumbersOfItsOwn) {
  Training one(options(3, 1));
  Training four(options(3, 4));
  one.run();
  four.run();
  ASSERT_EQ(one.first_words.size(), 3u);
  ASSERT_EQ(four.first_words.size(), 12u);
  for (std::size_t step = 0; step < 3; ++step)
    EXPECT_EQ(four.first_words[4 * step], one.first_words[step]) << "the first, as with one draw";
  std::vector<std::uint64_t> sorted = four.first_words;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(std::unique(sorted.begin(), sorted.end()), sorted.end());
  Random first(3, 1);
  EXPECT_EQ(one.first_words[0], first.below(1ull << 40)) << "as in every version";
}

Checkpoint last_of(const std::string& folder) { return load(RunFolder(folder).last()); }

TEST(DrawOrder, ARunGoesOnInTheOrderItWasBegunWith) {
  const TemporaryFolder folder;
  const auto expected = running(5, 3);
  EXPECT_NE(expected, by_tree(5, 3));
  TrainerOptions o = options(5, 3, folder.path("run"));
  Training(o).run(0);
  Checkpoint old = last_of(o.folder);
  EXPECT_EQ(old.numbers.erase("draws_by_tree"), 1u);
  save(old, RunFolder(o.folder).last());
  {
    Training first(o);
    ASSERT_TRUE(first.trainer.resume());
    first.run(2);
    EXPECT_FALSE(last_of(o.folder).numbers.contains("draws_by_tree"));
  }
  Training second(o);
  ASSERT_TRUE(second.trainer.resume());
  second.run();
  EXPECT_EQ(second.weights(), expected);

  o.folder = folder.path("new");
  Training(o).run(2);
  Training resumed(o);
  ASSERT_TRUE(resumed.trainer.resume());
  resumed.run();
  EXPECT_EQ(resumed.weights(), by_tree(5, 3));
  EXPECT_TRUE(last_of(o.folder).numbers.contains("draws_by_tree"));
}

TEST(DrawOrder, OneDrawAStepIsSavedAsEver) {
  const TemporaryFolder folder;
  const TrainerOptions o = options(2, 1, folder.path("run"));
  Training(o).run();
  EXPECT_FALSE(last_of(o.folder).numbers.contains("draws_by_tree"));
}

/// One number for each id; that of id 1 overflows when dropout scales it.
struct Numbers {
  Parameter table{Tensor({2, 1}, {1, std::numeric_limits<Real>::max() * Real(0.7)})};
  void visit(Visitor& v) { v("table", table); }
};

TEST(DrawOrder, NotFiniteItemsAreSoughtWithTheRandomNumbersOfTheirDraw) {
  Numbers model;
  Numbered data;
  const auto batch_of = [](const std::vector<std::vector<Id>>& lines) {
    Batch batch;
    batch.target = pack(lines);
    batch.gold = Ids({batch.target.spans.rows()});
    for (std::size_t i = 0; i < lines.size(); ++i)
      batch.lines.push_back(static_cast<Index>(i));
    return batch;
  };
  const std::vector<Batch> batches = {batch_of({{0}}), batch_of({{1}, {0}})};
  const FunctionObjective objective(data, [&](const Batch& b, Real) {
    return sum(dropout(embedding(b.target.ids, model.table), Real(0.5), step_random().next_key()));
  });
  const auto draws = draws_of(batches);
  int found = 0;
  for (Index step = 1; step <= 24; ++step) {
    step_random() = draw_random(5, step, 1);
    const bool bad = !std::isfinite(objective.loss(*draws[1], 1).optimised.item());
    const std::string message =
        explain({.step = step, .seed = 5, .divisor = 1, .draws = draws}, model, objective);
    EXPECT_EQ(message.find("[dropout] inf in layer table, on line 1; ") != std::string::npos, bad)
        << message;
    found += bad;
  }
  EXPECT_GT(found, 4);
  EXPECT_LT(found, 20);
}

}  // namespace
}  // namespace heed
