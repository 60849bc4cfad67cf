#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "datasets/metrics/metrics.h"

namespace heed {

/// The scores of `samples` resampled test sets (Koehn 2004, "Statistical significance tests for
/// machine translation evaluation", section 4). Each has as many items as the original, drawn with
/// replacement. The score is the first main figure of the metric.
///
/// The items of set i depend on the number of items, the seed and i alone. So the scores i of two
/// systems are of the same items and can be compared, whatever the metric.
///
/// `items` are those of metric.counts. Throws Error when there are no items or no samples, or when
/// the metric has no counts.
std::vector<double> bootstrap(const Metric& metric, const ItemCounts& items, int samples,
                              std::uint64_t seed, const AnyOptions& options);

/// The difference of two systems' scores, a - b, over the same resampled test sets.
struct PairedDifference {
  double mean = 0;
  // The middle 95 % of the differences lie in [low, high].
  double low = 0;
  double high = 0;
  // The share of sets on which a is better, 0 to 1; a tie counts half.
  double wins = 0;
  /// Whether [low, high] excludes 0: the same system is better on all of the middle 95 %.
  bool significant() const { return low > 0 || high < 0; }
};
/// Throws Error when there are no scores, or not as many of one system as of the other.
PairedDifference paired_difference(std::span<const double> a, std::span<const double> b,
                                   bool higher_is_better = true);

}  // namespace heed
