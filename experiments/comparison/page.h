#pragma once

#include <filesystem>
#include <string>

#include "experiments/comparison/result.h"

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

/// Writes an HTML page with the tables, the learning curves by step and by second, and the quality
/// by length of the source.
void write_comparison_page(const std::string& path, const std::string& title,
                           const Comparison& comparison, const std::vector<Curve>& curves,
                           const std::vector<std::string>& notes);

}  // namespace heed
