#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "datasets/metrics/bleu.h"

namespace heed {

/// The BLEU of `samples` test sets, each of as many lines, drawn with replacement. Set i holds the
/// same lines for every system with as many lines and the same seed, so two systems' scores are
/// pairs (Koehn 2004, "Statistical significance tests for machine translation evaluation", section
/// 4).
std::vector<double> bootstrap_bleu(std::span<const BleuCounts> lines, int samples,
                                   std::uint64_t seed, const BleuOptions& options = {});

/// How two systems compare over the same resampled test sets.
struct PairedDifference {
  double mean = 0;  // of a - b
                    // the middle 95 % of a - b
  double low = 0;
  double high = 0;
  double wins = 0;  // share of the sets on which a is better; ties count half
  /// The middle 95 % of the sets agree which of the two is better.
  bool significant() const { return low > 0 || high < 0; }
};
PairedDifference paired_difference(std::span<const double> a, std::span<const double> b);

}  // namespace heed
