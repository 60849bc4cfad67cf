#pragma once

#include <string>
#include <vector>

#include "datasets/metrics/metrics.h"
#include "experiments/inference/interrupted.h"

namespace heed {

/// Lines to score and their references.
struct ScoredLines {
  std::vector<std::string> hypotheses;
  std::vector<std::vector<std::string>> references;  // [r][i]: the r-th one of hypotheses[i]

  /// All references of hypotheses[i].
  std::vector<std::string> references_of(std::size_t i) const {
    std::vector<std::string> line;
    for (const auto& reference : references)
      line.push_back(reference[i]);
    return line;
  }
};

/// Reads a file of lines, and a file of references or several; "-" is standard input.
///
/// Throws
/// - Error as read_lines() does;
/// - Error where the numbers of lines differ, or where standard input is closed;
/// - Interrupted where it should stop.
ScoredLines read_scored_lines(const std::string& hypotheses,
                              const std::vector<std::string>& references,
                              const ShouldStop& should_stop = {});

/// A JSON object on one line, with all digits. Parts, "rouge1.recall", become objects. A single
/// score is given with its signature; a confusion matrix as "cells", a list of
/// {"gold": label, "predicted": label, "count": n} for each n above 0.
std::string to_json(const Metric& metric, const MetricScore& score);
/// The main figures with four digits, tabs between them.
std::string main_figures(const Metric& metric, const MetricScore& score);

}  // namespace heed
