#include "experiments/progress.h"

#include <gtest/gtest.h>

namespace heed {
namespace {

TEST(Progress, SaysWhichWeightsAreTheBest) {
  AverageReport report{.step = 900,
                       .tries = {{.weights = 2, .evaluation = {1.5}},
                                 {.weights = 3, .evaluation = {1.25}},
                                 {.weights = 4, .evaluation = {1.75}}},
                       .chosen = 3,
                       .best_step = 900,
                       .best_loss = 1.25,
                       .alone_loss = 2};
  EXPECT_EQ(average_text(report),
            "best: the mean of the last 3 checkpoints, validation loss 1.2500 (2.0000 alone)");
  report.chosen = 1;
  report.best_step = 600;
  report.best_loss = 1.125;
  EXPECT_EQ(
      average_text(report),
      "best: step 600, validation loss 1.1250 (1.2500 as the mean of the last 3 checkpoints)");
}

}  // namespace
}  // namespace heed
