// What watch() warns of, on numbers made by hand.

#include "training/watch.h"

#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "framework/random.h"

namespace heed {
namespace {

using Kind = TrainingWarning::Kind;
using Curve = std::function<double(Index step)>;

struct Said {
  Index step;
  std::string text;
  Kind kind = Kind::diverges;
};

/// A training by its numbers. A step has 120 gold ids.
struct Course {
  Index steps = 600;
  Curve loss = [](Index step) { return 1 + 8.0 / static_cast<double>(step); };
  Curve norm = [](Index) { return 0.5; };
  WatchLimits limits = {.clip = 1, .warmup = 100, .lr = 0.005};
  Index epoch = 0;  // steps; 0: no end
  Index eval_every = 0;
  Curve valid = {};
  Curve factor = [](Index) { return 1; };  // of the learning rate
};

/// Writes the state to numbers and reads it back, as a checkpoint does.
void save_and_load(Watched& watched) {
  std::vector<double> kept;
  Watched::visit(watched, [&](const char*, auto& x) { kept.push_back(static_cast<double>(x)); });
  watched = {};
  std::size_t i = 0;
  Watched::visit(watched, [&](const char*, auto& x) {
    x = static_cast<std::decay_t<decltype(x)>>(kept[i++]);
  });
}

/// `cut`: the step after which the training is resumed.
std::vector<Said> said(const Course& c, Index cut = 0) {
  Watched watched;
  std::vector<Said> all;
  double best = Watched::infinity;
  Index best_step = 0;
  for (Index step = 1; step <= c.steps; ++step) {
    const double loss = c.loss(step);
    const double epochs =
        c.epoch > 0 ? static_cast<double>(step) / static_cast<double>(c.epoch) : 0;
    for (const TrainingWarning& warning : watch(watched,
                                                {.step = step,
                                                .loss = loss,
                                                .nats = 120 * loss,
                                                .weight = 120,
                                                .norm = c.norm(step),
                                                .epochs = epochs},
                                                c.limits))
      all.push_back({step, to_text(warning), warning.kind});
    if (step == cut) save_and_load(watched);
    if (c.eval_every == 0 || step % c.eval_every != 0) continue;
    const double valid = c.valid(step);
    if (valid < best) {
      best = valid;
      best_step = step;
    }
    const auto warning = watch(watched,
                               WatchedValidation{.step = step,
                                                 .loss = valid,
                                                 .best = best,
                                                 .best_step = best_step,
                                                 .lr = c.limits.lr * c.factor(step)},
                               c.limits);
    if (warning) all.push_back({step, to_text(*warning), warning->kind});
  }
  return all;
}

void expect_said(const std::vector<Said>& all, Kind kind, const std::vector<Index>& steps,
                 const std::string& name) {
  std::vector<Index> found;
  for (const Said& one : all) {
    EXPECT_EQ(one.kind, kind) << name << ": " << one.text;
    found.push_back(one.step);
  }
  EXPECT_EQ(found, steps) << name;
}

TEST(Watch, Divergence) {
  Random random(3);
  const struct {
    const char* name;
    Curve loss;
    Index first;  // step at which it is said; 0: never
  } rows[] = {
      {"falling", Course().loss, 0},
      {"noise of half its size",
       [&](Index step) { return step == 1 ? 3 : 2 + random.uniform(-1, 1); }, 0},
      {"twice, but not one above", [](Index step) { return step <= 100 ? 0.3 : 0.9; }, 0},
      {"one above, but not twice", [](Index step) { return step <= 100 ? 4 : 6.0; }, 0},
      {"a peak of two blocks", [](Index step) { return step > 100 && step <= 140 ? 50 : 2.0; }, 0},
      {"a step up", [](Index step) { return step <= 100 ? 2 : 4.1; }, 160},
      {"a step up within a block", [](Index step) { return step <= 110 ? 2 : 40; }, 160},
      {"from the start", [](Index step) { return 5 + static_cast<double>(step); }, 60},
      {"slowly", [](Index step) { return 2 + 0.01 * static_cast<double>(step); }, 260},
      {"at once, by the first steps", [](Index step) { return step == 1 ? 3.4 : 1e5; }, 60},
      {"nothing learnt", [](Index) { return 7.5; }, 0},
  };
  for (const auto& row : rows) {
    const std::vector<Said> all = said({.loss = row.loss});
    ASSERT_EQ(all.size(), row.first > 0 ? 1u : 0u) << row.name;
    if (row.first > 0) {
      EXPECT_EQ(all[0].step, row.first) << row.name << ": " << all[0].text;
    }
  }
  EXPECT_EQ(said({.steps = 200, .loss = rows[5].loss})[0].text,
            "the loss rose from 2 (step 1) to 4.1 (step 160): training diverges; lower the "
            "learning rate, such as to 0.0017, or raise the warm-up");
}

TEST(Watch, Clipping) {
  const auto always = [](Index) { return 8.5; };
  const struct {
    const char* name;
    Curve norm;
    double clip;
    Index warmup;
    std::vector<Index> steps;
  } rows[] = {
      {"always", always, 1, 100, {200}},
      {"always, no warm-up", always, 1, 0, {100}},
      {"at the limit", [](Index) { return 1.0; }, 1, 0, {}},
      {"no limit", always, 0, 0, {}},
      {"a little above", [](Index) { return 2.9; }, 1, 0, {}},
      {"five in a hundred are not",
       [](Index step) { return step % 20 == 0 ? 0.5 : 8; },
       1,
       0,
       {100}},
      {"six are not", [](Index step) { return step % 16 == 0 ? 0.5 : 8; }, 1, 0, {}},
      {"half of them far above", [](Index step) { return step % 2 == 0 ? 2 : 8; }, 1, 0, {}},
      {"more than half", [](Index step) { return step % 3 == 0 ? 2 : 8; }, 1, 0, {100}},
      {"from step 300 on", [](Index step) { return step <= 300 ? 0.5 : 8; }, 1, 0, {400}},
      {"in the warm-up alone", [](Index step) { return step <= 900 ? 8 : 0.5; }, 1, 900, {}},
      {"again after it stopped",
       [](Index step) { return step > 300 && step <= 400 ? 0.5 : 8; },
       1,
       0,
       {100, 500}},
      {"on and off", [](Index step) { return step > 300 && step <= 345 ? 0.5 : 8; }, 1, 0, {100}},
  };
  for (const auto& row : rows)
    expect_said(said({.steps = 2000,
                      .norm = row.norm,
                      .limits = {.clip = row.clip, .warmup = row.warmup, .lr = 0.005}}),
                Kind::always_clipped, row.steps, row.name);
  EXPECT_EQ(said({.norm = always})[0].text,
            "100 of the last 100 gradients were clipped (step 200): their norm is typically 8.5, "
            "the limit 1; lower the learning rate, such as to 0.0017, or raise the limit to 17");
}

TEST(Watch, LearnsNothing) {
  const auto at = [](double loss) { return [loss](Index) { return loss; }; };
  const struct {
    const char* name;
    Curve loss;
    Index warmup;
    Index epoch;
    std::optional<double> baseline;
    std::vector<Index> steps;
  } rows[] = {
      {"as by frequency", at(6.61), 50, 0, 6.7, {200}},
      {"after the warm-up, twice", at(6.61), 400, 0, 6.7, {800}},
      {"after an epoch", at(6.61), 0, 60, 6.7, {100}},
      {"an epoch within the warm-up", at(6.61), 150, 60, 6.7, {300}},
      {"learnt since the warm-up", [](Index step) { return step <= 60 ? 9 : 3; }, 50, 60, 6.7, {}},
      {"an epoch that is long", at(6.61), 150, 5000, 6.7, {300}},
      {"just learnt", at(0.949 * 6.7), 50, 0, 6.7, {}},
      {"just not", at(0.951 * 6.7), 50, 0, 6.7, {200}},
      {"learnt late", [](Index step) { return step <= 150 ? 6.7 : 5; }, 50, 0, 6.7, {}},
      {"lost again", [](Index step) { return step <= 500 ? 5 : 6.7; }, 50, 0, 6.7, {600}},
      {"lost, learnt and lost",
       [](Index step) { return step > 500 && step <= 700 ? 5 : 6.7; },
       50,
       0,
       6.7,
       {200, 800}},
      {"about the mark",
       [](Index step) { return step % 200 < 100 ? 6.7 : 6.1; },
       50,
       0,
       6.7,
       {300}},
      {"unknown", at(6.61), 50, 0, {}, {}},
      {"nothing to guess", at(0), 50, 0, 0, {}},
  };
  for (const auto& row : rows)
    expect_said(said({.steps = 1000,
                      .loss = row.loss,
                      .limits = {.warmup = row.warmup, .lr = 0.005, .baseline = row.baseline},
                      .epoch = row.epoch}),
                Kind::learns_nothing, row.steps, row.name);
  EXPECT_EQ(said({.loss = at(6.61), .limits = {.lr = 0.005, .baseline = 6.7}})[0].text,
            "the model has learnt nothing of its inputs: the training loss of the last 100 steps, "
            "6.61 (step 200), is that of guessing by frequency, 6.7; try another learning rate, "
            "such as 0.0017, or larger batches");
}

/// What is said of a training of 35 validations, the n-th at step 100 n.
std::vector<Said> said_of(const Curve& train, const Curve& valid) {
  return said(
      {.steps = 3500, .loss = train, .limits = {.lr = 0.005}, .eval_every = 100, .valid = valid});
}
double n(Index step) { return static_cast<double>(step) / 100; }

TEST(Watch, DoesNotImprove) {
  // The perplexity of a training that stays where it is, between 313 and 369.
  const auto wobble = [](Index step) {
    if (step <= 300) return step < 300 ? 7 : std::log(313.0);
    return std::log(341 + 28 * std::sin(static_cast<double>(step)));
  };
  const struct {
    const char* name;
    Curve valid;
    std::vector<Index> steps;
  } rows[] = {
      {"wobbles", wobble, {1300}},
      {"falls", [](Index s) { return 5 + 5 / n(s); }, {}},
      {"falls by 0.1 % each", [](Index s) { return 5 * std::pow(0.999, n(s)); }, {}},
      {"falls by 0.04 % each", [](Index s) { return 5 * std::pow(0.9996, n(s)); }, {1100, 2400}},
      {"improves every tenth time",
       [](Index s) { return s % 1000 == 0 ? 5 - 0.05 * n(s) : 5.5; },
       {}},
      {"the same, once improved", [](Index s) { return s <= 2000 ? 5 : 4.0; }, {1100, 3100}},
      {"nothing left to gain", [](Index) { return 0.002; }, {}},
      {"not finite in between", [](Index s) { return s % 200 == 0 ? std::nan("") : 4.5; }, {2100}},
  };
  for (const auto& row : rows)
    expect_said(said_of([](Index) { return 5.8; }, row.valid), Kind::does_not_improve, row.steps,
                row.name);
}

TEST(Watch, Overfits) {
  const Curve falls = [](Index s) { return 5 - 0.05 * n(s); };
  const Curve stays = [](Index) { return 4.5; };
  const Curve turns = [](Index s) { return s <= 500 ? 5 - 0.1 * n(s) : 4.5 + 0.01 * n(s); };
  const struct {
    const char* name;
    Curve train;
    Curve valid;
    Kind kind;
    std::vector<Index> steps;
  } rows[] = {
      {"training falls, validation rises", falls, turns, Kind::overfits, {1500}},
      {"neither falls", stays, turns, Kind::does_not_improve, {1500}},
      {"training falls, validation stays", falls, stays, Kind::does_not_improve, {1100}},
  };
  for (const auto& row : rows)
    expect_said(said_of(row.train, row.valid), row.kind, row.steps, row.name);
}

TEST(Watch, SaysWhatWasBestAndWhatToDo) {
  Course course{.steps = 1200,
                .loss = [](Index) { return 5.0; },
                .limits = {.lr = 0.005},
                .eval_every = 100,
                .valid = [](Index step) { return step == 300 ? 5.746 : 5.75; }};
  const std::string fact =
      "the validation loss has not improved by 0.5 % in 10 validations: the best was 5.746 (step "
      "300), the last 5.75 (step 1100); ";
  EXPECT_EQ(said(course)[0].text,
            fact + "lower the learning rate, such as to 0.0017; the best weights are kept");
  course.factor = [](Index step) { return step < 1000 ? 1 : 0.4; };
  EXPECT_EQ(said(course)[0].text,
            fact + "end here, or train a larger model; the best weights are kept");
  course.loss = [](Index step) { return step <= 100 ? 5 : 4.0; };
  course.valid = [](Index step) { return step == 100 ? 5.5 : 5.75; };
  EXPECT_EQ(said(course)[0].text,
            "the model overfits: since step 100 the training loss fell from 5 to 4, and the "
            "validation loss rose from 5.5 to 5.75, the mean of 10 validations; the best was 5.5 "
            "(step 100); end here, where the best weights are kept, or use more dropout, a smaller "
            "model or more data");
}

TEST(Watch, ALowerRateIsAThirdInTwoDigits) {
  const struct {
    double lr;
    double lower;
  } rows[] = {{0.005, 0.0017}, {0.003, 0.001}, {1, 0.33}, {30, 10}, {2e-4, 6.7e-5}, {0, 0}};
  for (const auto& row : rows)
    EXPECT_DOUBLE_EQ((TrainingWarning{.lr = row.lr}).lower_lr(), row.lower);
}

TEST(Watch, SaysTheSameFromWhatWasKept) {
  const Course course{.steps = 1500,
                      .loss = [](Index step) { return step <= 111 ? 2 : 9.0; },
                      .norm = [](Index) { return 5.0; },
                      .limits = {.clip = 1, .warmup = 100, .lr = 0.005, .baseline = 9},
                      .eval_every = 100,
                      .valid = [](Index) { return 9.0; }};
  const std::vector<Said> whole = said(course);
  ASSERT_EQ(whole.size(), 4u);
  for (Index cut : {7, 119, 150, 180, 199, 200, 250, 300, 599, 1050, 1100, 1101}) {
    const std::vector<Said> all = said(course, cut);
    ASSERT_EQ(all.size(), whole.size()) << cut;
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(all[i].step, whole[i].step);
      EXPECT_EQ(all[i].text, whole[i].text);
    }
  }
}

}  // namespace
}  // namespace heed
