#include "experiments/comparison/internal/compared_outputs.h"

#include <gtest/gtest.h>

#include "experiments/comparison/comparison.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"
#include "tests/text_files.h"

namespace heed {
namespace {

TEST(OutputFaults, AreSharesOfTheOutputs) {
  struct Row {
    std::vector<std::string> outputs;
    std::vector<std::string> references;
    OutputFaults faults;
  };
  const std::vector<Row> rows = {
      {{}, {}, {0, 0, 0}},
      {{"a b c"}, {"a b c"}, {1, 0, 0}},
      {{"", "a"}, {"a b", "a b"}, {0.25, 0.5, 0}},
      {{"a b c d a b c d", "a a a a"}, {"a b c d", "a"}, {12.0 / 5, 0, 0.5}},
      {{"a a a a a"}, {""}, {5, 0, 1}},
  };
  for (const Row& row : rows) {
    const OutputFaults found = faults_of(row.outputs, row.references);
    EXPECT_DOUBLE_EQ(found.length_ratio, row.faults.length_ratio);
    EXPECT_DOUBLE_EQ(found.empty, row.faults.empty);
    EXPECT_DOUBLE_EQ(found.repeating, row.faults.repeating);
  }
}

TEST(ComparisonReport, IsThePageOfAFinishedComparison) {
  const TemporaryFolder folder;
  const std::string out = folder.path("comparison");
  compare({.models = {"rnn", "conv"},
           .data = {"toy:reverse"},
           .assignments = {"model.d=8"},
           .match = "none",
           .steps = 3,
           .seeds = 1,
           .lines = 30},
          out);
  const std::string page = comparison_report(out).text();
  EXPECT_EQ(page, read_file(out + "/comparison.html"));
  for (const char* part : {"Each run trained for: 3 steps, on", "length ratio", "by source words",
                           "Lines drawn at random (seed 1)", "reference"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  std::filesystem::remove(out + "/runs/conv-seed1/result.json");
  EXPECT_NE(message_of([&] { comparison_report(out); }).find("1 of 2 runs are not done"),
            std::string::npos);
}

}  // namespace
}  // namespace heed
