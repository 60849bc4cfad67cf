#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "datasets/metrics/bleu.h"

namespace heed {

/// The BLEU of `samples` resampled test sets (Koehn 2004, "Statistical significance tests for
/// machine translation evaluation", section 4). Each has as many lines as the original, drawn with
/// replacement.
///
/// The lines of set i depend on the number of lines, the seed and i alone. So the scores i of two
/// systems are of the same lines and can be compared.
///
/// Throws Error when there are no lines or no samples.
std::vector<double> bootstrap_bleu(std::span<const BleuCounts> lines, int samples,
                                   std::uint64_t seed, const BleuOptions& options = {});

/// The difference of two systems' scores, a - b, over the same resampled test sets.
struct PairedDifference {
  double mean = 0;
  // The middle 95 % of the differences lie in [low, high].
  double low = 0;
  double high = 0;
  double wins = 0;  // the share of sets on which a is better, 0 to 1; a tie counts half
  /// Whether [low, high] excludes 0: the same system is better on all of the middle 95 %.
  bool significant() const { return low > 0 || high < 0; }
};
/// Throws Error when there are no scores, or not as many of one system as of the other.
PairedDifference paired_difference(std::span<const double> a, std::span<const double> b);

}  // namespace heed
