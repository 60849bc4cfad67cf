#include "datasets/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "framework/error.h"
#include "framework/random.h"

namespace heed {

std::vector<double> bootstrap(const Metric& metric, const ItemCounts& items, int samples,
                              std::uint64_t seed, const AnyOptions& options) {
  check(metric.of_sum != nullptr, "bootstrap",
        "expected a metric with counts of each item; {} has none", metric.name);
  check(items.size() > 0 && samples > 0, "bootstrap", "expected lines and samples; got {} and {}",
        items.size(), samples);
  std::vector<double> scores;
  std::vector<std::size_t> drawn(items.size());
  for (int i = 0; i < samples; ++i) {
    Random random(seed, static_cast<std::uint64_t>(i));
    for (std::size_t& item : drawn)
      item = random.below(items.size());
    scores.push_back(metric.main_of_sum(items.sum(drawn), items, options));
  }
  return scores;
}

PairedDifference paired_difference(std::span<const double> a, std::span<const double> b,
                                   bool higher_is_better) {
  check(!a.empty() && a.size() == b.size(), "bootstrap",
        "expected as many scores of either system; got {} and {}", a.size(), b.size());
  PairedDifference result;
  std::vector<double> differences;
  double not_above = 0;
  double not_below = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = a[i] - b[i];
    differences.push_back(difference);
    result.mean += difference;
    if (higher_is_better ? difference > 0 : difference < 0) result.wins += 1;
    if (difference == 0) result.wins += 0.5;
    not_above += difference <= 0;
    not_below += difference >= 0;
  }
  const auto n = static_cast<double>(a.size());
  result.mean /= n;
  result.wins /= n;
  result.p = std::min(1.0, 2 * (1 + std::min(not_above, not_below)) / (1 + n));
  std::sort(differences.begin(), differences.end());
  const auto at = [&](double share) {
    return differences[static_cast<std::size_t>(std::lround(share * (n - 1)))];
  };
  result.low = at(0.025);
  result.high = at(0.975);
  return result;
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double most = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    most = std::max(most, static_cast<double>(order.size() - i) * p[order[i]]);
    adjusted[order[i]] = std::min(1.0, most);
  }
  return adjusted;
}

}  // namespace heed
