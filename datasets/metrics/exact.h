#pragma once

#include <span>
#include <string>
#include <vector>

#include "framework/error.h"
#include "framework/types.h"

namespace heed {

class ItemCounts;    // item_counts.h
struct MetricScore;  // metrics.h

/// The share of lines, 0 to 1, that equal their reference byte for byte.
///
/// Throws Error when
/// - there are no lines;
/// - there are not as many references as hypotheses.
inline double exact_match(std::span<const std::string> hypotheses,
                          std::span<const std::string> references) {
  check(!hypotheses.empty() && hypotheses.size() == references.size(), "exact_match",
        "expected as many references as hypotheses, at least one; got {} and {}", references.size(),
        hypotheses.size());
  Index equal = 0;
  for (std::size_t i = 0; i < hypotheses.size(); ++i)
    equal += hypotheses[i] == references[i];
  return static_cast<double>(equal) / static_cast<double>(hypotheses.size());
}

/// The same with several references: a line counts where it equals one of them. The figure is
/// "score". references[r][i] is the r-th reference of hypotheses[i].
///
/// Throws Error when
/// - there are no lines or no references;
/// - the numbers of lines differ.
MetricScore exact_score(std::span<const std::string> hypotheses,
                        std::span<const std::vector<std::string>> references);

/// Each line as a row (1 where it equals a reference, 1), and the score of a sum of such rows.
ItemCounts exact_items(std::span<const std::string> hypotheses,
                       std::span<const std::vector<std::string>> references);
MetricScore exact_of_sum(std::span<const double> sum, Index references = 1);

}  // namespace heed
