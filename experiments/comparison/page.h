#pragma once

#include <filesystem>
#include <string>

#include "experiments/comparison/result.h"
#include "experiments/report/page.h"

namespace heed {

/// The learning curve of a run: its validation loss, read from metrics.jsonl. The three lists are
/// equally long.
struct Curve {
  std::string model;
  Index seed = 0;
  std::vector<double> steps;
  std::vector<double> seconds;
  std::vector<double> loss;  // nats per token
};
Curve read_curve(const std::filesystem::path& run, const std::string& model, Index seed);

/// A page with the budget, the tables, the learning curves by step and by second, the quality by
/// groups of lines, and outputs side by side. `budget`: what all runs had in common.
report::Page comparison_page(const std::string& title, const Comparison& comparison,
                             const TestSet& test, const std::vector<Curve>& curves,
                             const std::vector<std::string>& budget);

}  // namespace heed
