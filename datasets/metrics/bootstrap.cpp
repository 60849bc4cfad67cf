#include "datasets/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "framework/error.h"
#include "framework/random.h"

namespace heed {

std::vector<double> bootstrap_bleu(std::span<const BleuCounts> lines, int samples,
                                   std::uint64_t seed, const BleuOptions& options) {
  check(!lines.empty() && samples > 0, "bootstrap", "expected lines and samples; got {} and {}",
        lines.size(), samples);
  std::vector<double> scores;
  for (int i = 0; i < samples; ++i) {
    Random random(seed, static_cast<std::uint64_t>(i));
    BleuCounts sum;
    for (std::size_t j = 0; j < lines.size(); ++j)
      sum += lines[random.below(lines.size())];
    scores.push_back(bleu_score(sum, 1, options).score);
  }
  return scores;
}

PairedDifference paired_difference(std::span<const double> a, std::span<const double> b) {
  check(!a.empty() && a.size() == b.size(), "bootstrap",
        "expected as many scores of either system; got {} and {}", a.size(), b.size());
  PairedDifference result;
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = a[i] - b[i];
    differences.push_back(difference);
    result.mean += difference;
    if (difference > 0) result.wins += 1;
    if (difference == 0) result.wins += 0.5;
  }
  const auto n = static_cast<double>(a.size());
  result.mean /= n;
  result.wins /= n;
  std::sort(differences.begin(), differences.end());
  const auto at = [&](double share) {
    return differences[static_cast<std::size_t>(std::lround(share * (n - 1)))];
  };
  result.low = at(0.025);
  result.high = at(0.975);
  return result;
}

}  // namespace heed
