#pragma once

#include <filesystem>

#include "experiments/comparison/internal/plan.h"
#include "experiments/comparison/result.h"

namespace heed {

/// Writes comparison.json, .csv, .html and .txt.
void write_report(const ComparisonPlan& plan, const Comparison& comparison,
                  const std::filesystem::path& folder);

}  // namespace heed
