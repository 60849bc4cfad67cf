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
  // Two-sided: 2 (1 + k) / (1 + sets), at most 1, where k is the number of sets on which a is not
  // better, or on which it is not worse, whichever is smaller (Davison and Hinkley 1997, section
  // 4.2.3: the observed value counts too).
  double p = 1;
  /// Whether [low, high] excludes 0: the same system is better on all of the middle 95 %.
  bool significant() const { return low > 0 || high < 0; }
};
/// Throws Error when there are no scores, or not as many of one system as of the other.
PairedDifference paired_difference(std::span<const double> a, std::span<const double> b,
                                   bool higher_is_better = true);

/// p values of several tests, adjusted so that the chance of any false positive among them stays
/// below the level with which they are compared (Holm 1979). With p_1 <= ... <= p_m,
///
///     adjusted p_i = min(1, max over j <= i of (m - j + 1) p_j)
///
/// They come in the order of `p`.
std::vector<double> holm(std::span<const double> p);

}  // namespace heed
