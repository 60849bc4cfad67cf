#include "optim/schedule.h"

#include <cmath>

#include <gtest/gtest.h>

#include "framework/error.h"

namespace heed {
namespace {

TEST(Schedule, Table) {
  const struct {
    Schedule schedule;
    Index step;
    Index steps;
    double factor;
  } rows[] = {
      {{.kind = "constant"}, 1, 10, 1},
      {{.kind = "constant"}, 1000, 10, 1},
      {{.kind = "constant", .warmup = 4}, 1, 10, 0.25},
      {{.kind = "constant", .warmup = 4}, 4, 10, 1},
      {{.kind = "constant", .warmup = 4}, 5, 10, 1},
      {{.kind = "inverse_sqrt", .warmup = 4000}, 1, 0, 1.0 / 4000},
      {{.kind = "inverse_sqrt", .warmup = 4000}, 4000, 0, 1},
      {{.kind = "inverse_sqrt", .warmup = 4000}, 16000, 0, 0.5},
      {{.kind = "inverse_sqrt"}, 1, 0, 1},
      {{.kind = "inverse_sqrt"}, 4, 0, 0.5},
      {{.kind = "linear"}, 5, 9, 0.5},
      {{.kind = "linear"}, 1, 1, 0.5},
      {{.kind = "linear"}, 9, 9, 0.1},  // the last step learns; the one after it would not
      {{.kind = "linear"}, 10, 9, 0},
      {{.kind = "linear"}, 11, 9, 0},
      {{.kind = "linear", .zero_at_last = true}, 5, 10, 0.5},
      {{.kind = "linear", .zero_at_last = true}, 10, 10, 0},
      {{.kind = "linear", .zero_at_last = true}, 11, 10, 0},
      {{.kind = "linear", .warmup = 2, .final = 0.2}, 1, 10, 0.5},
      {{.kind = "linear", .warmup = 2, .final = 0.2}, 2, 10, 1},
      {{.kind = "linear", .warmup = 2, .final = 0.2}, 6, 10, 0.6},
      {{.kind = "linear", .warmup = 2, .final = 0.2}, 10, 10, 0.2},
      {{.kind = "cosine", .warmup = 10}, 5, 30, 0.5},
      {{.kind = "cosine", .warmup = 10}, 10, 30, 1},
      {{.kind = "cosine", .warmup = 10}, 15, 29, (1 + std::sqrt(0.5)) / 2},
      {{.kind = "cosine", .warmup = 10}, 20, 29, 0.5},
      {{.kind = "cosine", .warmup = 10}, 29, 29, (1 + std::cos(std::acos(-1) * 0.95)) / 2},
      {{.kind = "cosine", .warmup = 10}, 30, 29, 0},
      {{.kind = "cosine", .warmup = 10, .zero_at_last = true}, 30, 30, 0},
      {{.kind = "cosine", .warmup = 10, .final = 0.1}, 20, 30, 0.55},
      {{.kind = "cosine", .warmup = 10, .final = 0.1}, 30, 30, 0.1},
      {{.kind = "wsd", .warmup = 10, .zero_at_last = true}, 5, 110, 0.5},
      {{.kind = "wsd", .warmup = 10, .zero_at_last = true}, 10, 110, 1},
      {{.kind = "wsd", .warmup = 10, .zero_at_last = true}, 89, 110, 1},
      {{.kind = "wsd", .warmup = 10, .zero_at_last = true}, 90, 110, 1},
      {{.kind = "wsd", .warmup = 10, .zero_at_last = true}, 95, 110, 0.75},
      {{.kind = "wsd", .warmup = 10, .zero_at_last = true}, 110, 110, 0},
      {{.kind = "wsd", .warmup = 10, .zero_at_last = true}, 111, 110, 0},
      {{.kind = "wsd"}, 99, 99, 0.05},  // the last step learns
      {{.kind = "wsd", .warmup = 10, .final = 0.2, .decay_share = 0.5}, 60, 110, 1},
      {{.kind = "wsd", .warmup = 10, .final = 0.2, .decay_share = 0.5}, 85, 110, 0.6},
      {{.kind = "wsd", .warmup = 10, .final = 0.2, .decay_share = 0.5}, 110, 110, 0.2},
      {{.kind = "wsd", .zero_at_last = true, .decay_share = 0}, 10, 10, 1},
      {{.kind = "wsd", .zero_at_last = true, .decay_share = 1}, 5, 10, 0.5},
      {{.kind = "linear", .warmup = 10}, 10, 5, 1},  // ends within the warm-up
      {{.kind = "linear", .warmup = 10}, 3, 5, 0.3},
  };
  for (const auto& row : rows)
    EXPECT_NEAR(row.schedule.factor_of(row.step, row.steps), row.factor, 1e-12)
        << "kind " << row.schedule.kind << ", step " << row.step << " of " << row.steps;
}

// d^-0.5 min(s^-0.5, s w^-1.5), which peaks at (d w)^-0.5
TEST(Schedule, FollowsVaswaniUpToTheirFactor) {
  const Schedule schedule{.kind = "inverse_sqrt", .warmup = 400};
  for (double s : {1., 37., 399., 400., 401., 9000.})
    EXPECT_NEAR(schedule.factor(static_cast<Index>(s), 0),
                std::min(std::pow(s, -0.5), s * std::pow(400, -1.5)) * std::sqrt(400), 1e-12);
}

TEST(Schedule, HasNames) {
  EXPECT_EQ(schedules().names(),
            (std::vector<std::string>{"cosine", "linear", "wsd", "inverse_sqrt", "constant"}));
  EXPECT_THROW(Schedule{.kind = "step"}.factor(1, 0), Error);
  EXPECT_THROW(Schedule{}.factor(0, 0), Error);
}

}  // namespace
}  // namespace heed
