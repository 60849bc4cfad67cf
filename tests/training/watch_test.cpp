// What watch() warns of: divergence, and clipping at every step.

#include "training/watch.h"

#include <functional>

#include <gtest/gtest.h>

#include "framework/random.h"

namespace heed {
namespace {

using Curve = std::function<double(Index step)>;

struct Said {
  Index step;
  std::string text;
};
std::vector<Said> said(Index steps, const Curve& loss, const Curve& norm, double clip = 1,
                       Index warmup = 100) {
  Watched watched;
  std::vector<Said> all;
  for (Index step = 1; step <= steps; ++step)
    if (std::string text = watch(watched, step, loss(step), norm(step), clip, warmup);
        !text.empty())
      all.push_back({step, text});
  return all;
}

const Curve falling = [](Index step) { return 1 + 8.0 / static_cast<double>(step); };
const Curve small = [](Index) { return 0.5; };

TEST(Watch, Divergence) {
  Random random(3);
  const struct {
    const char* name;
    Curve loss;
    Index first;  // step at which it is said; 0: never
  } rows[] = {
      {"falling", falling, 0},
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
    const std::vector<Said> all = said(600, row.loss, small);
    ASSERT_EQ(all.size(), row.first > 0 ? 1u : 0u) << row.name;
    if (row.first > 0) {
      EXPECT_EQ(all[0].step, row.first) << row.name << ": " << all[0].text;
    }
  }
  EXPECT_EQ(said(200, rows[5].loss, small)[0].text,
            "the loss rose from 2 (step 1) to 4.1 (step 160): training diverges; lower the "
            "learning rate or raise the warm-up");
}

TEST(Watch, Clipping) {
  const struct {
    const char* name;
    Curve norm;
    double clip;
    Index warmup;
    Index steps;
    Index first;
  } rows[] = {
      {"always", [](Index) { return 8.5; }, 1, 100, 2000, 600},
      {"always, no warm-up", [](Index) { return 8.5; }, 1, 0, 2000, 500},
      {"at the limit", [](Index) { return 1.0; }, 1, 0, 2000, 0},
      {"no limit", [](Index) { return 8.5; }, 0, 0, 2000, 0},
      {"one in 400 is not", [](Index step) { return step % 400 == 0 ? 0.5 : 8; }, 1, 0, 4000, 0},
      {"from step 300 on", [](Index step) { return step <= 300 ? 0.5 : 8; }, 1, 0, 4000, 800},
      {"from step 2000 on", [](Index step) { return step <= 2000 ? 0.5 : 8; }, 1, 0, 5000, 3999},
      {"in the warm-up alone", [](Index step) { return step <= 900 ? 8 : 0.5; }, 1, 900, 4000, 0},
  };
  for (const auto& row : rows) {
    const std::vector<Said> all = said(row.steps, falling, row.norm, row.clip, row.warmup);
    ASSERT_EQ(all.size(), row.first > 0 ? 1u : 0u) << row.name;
    if (row.first > 0) {
      EXPECT_EQ(all[0].step, row.first) << row.name;
    }
  }
  EXPECT_EQ(said(700, falling, rows[0].norm)[0].text,
            "the gradient's norm was above the limit of 1 in each of the last 500 steps (mean "
            "8.5), so the learning rate is in effect smaller than it says; raise the limit or "
            "lower the learning rate");
}

TEST(Watch, SaysTheSameFromWhatWasKept) {
  const Curve loss = [](Index step) { return step <= 111 ? 2 : 9.0; };
  const Curve norm = [](Index) { return 3.0; };
  const std::vector<Said> whole = said(700, loss, norm);
  ASSERT_EQ(whole.size(), 2u);
  for (Index cut : {7, 119, 150, 180, 300, 599, 650}) {
    Watched watched;
    std::vector<Said> all;
    for (Index step = 1; step <= 700; ++step) {
      if (std::string text = watch(watched, step, loss(step), norm(step), 1, 100); !text.empty())
        all.push_back({step, text});
      if (step != cut) continue;
      std::vector<double> kept;
      Watched::visit(watched,
                     [&](const char*, auto& x) { kept.push_back(static_cast<double>(x)); });
      watched = {};
      std::size_t i = 0;
      Watched::visit(watched, [&](const char*, auto& x) {
        x = static_cast<std::decay_t<decltype(x)>>(kept[i++]);
      });
    }
    ASSERT_EQ(all.size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(all[i].step, whole[i].step);
      EXPECT_EQ(all[i].text, whole[i].text);
    }
  }
}

}  // namespace
}  // namespace heed
