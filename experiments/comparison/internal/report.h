#pragma once

#include <filesystem>

#include "experiments/comparison/internal/plan.h"
#include "experiments/comparison/result.h"
#include "experiments/report/page.h"

namespace heed {

/// Writes comparison.json, .csv, .html and .txt.
void write_report(const ComparisonPlan& plan, const Comparison& comparison,
                  const std::filesystem::path& folder);

/// The page of the comparison in `folder`.
report::Page page_of(const ComparisonPlan& plan, const Comparison& comparison,
                     const std::filesystem::path& folder);

}  // namespace heed
