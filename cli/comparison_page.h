#pragma once

#include <filesystem>
#include <string>

#include "cli/comparison.h"

namespace heed::cli {

/// How a run's validation loss fell, from its metrics.jsonl.
struct Curve {
  std::string model;
  Index seed = 0;
  std::vector<double> steps;
  std::vector<double> seconds;
  std::vector<double> loss;
};
Curve read_curve(const std::filesystem::path& run, const std::string& model, Index seed);

/// The comparison as a page of its own: tables, learning curves by step and by second, quality by
/// length of the source.
void write_comparison_page(const std::string& path, const std::string& title,
                           const Comparison& comparison, const std::vector<Curve>& curves,
                           const std::vector<std::string>& notes);

}  // namespace heed::cli
