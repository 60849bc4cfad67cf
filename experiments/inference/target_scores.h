#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/inference/run.h"

namespace heed {

/// Scores of targets given their sources, up to the first that cannot be scored.
struct TargetScores {
  std::vector<TargetScore> scores;
  std::string problem;  // of the line after the last score; "": there is none
};
/// The log probability of each target as output for its source line. Throws Error unless there are
/// as many targets as lines.
TargetScores target_scores(const Run& run, std::span<const std::string> lines,
                           std::span<const std::string> targets);

}  // namespace heed
