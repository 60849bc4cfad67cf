#pragma once

#include <string>
#include <vector>

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

}  // namespace heed
