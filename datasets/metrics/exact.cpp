#include "datasets/metrics/exact.h"

#include <algorithm>
#include <array>

#include "datasets/metrics/internal/lines.h"
#include "datasets/metrics/item_counts.h"
#include "datasets/metrics/metrics.h"
#include "datasets/metrics/version.h"

namespace heed {

ItemCounts exact_items(std::span<const std::string> hypotheses,
                       std::span<const std::vector<std::string>> references) {
  check_aligned("exact", hypotheses, references);
  ItemCounts items(2, std::ssize(references));
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    const bool equal = std::ranges::any_of(
        references, [&](const auto& reference) { return reference[i] == hypotheses[i]; });
    items.add(std::array<double, 2>{equal ? 1.0 : 0.0, 1.0});
  }
  return items;
}

MetricScore exact_of_sum(std::span<const double> sum, Index references) {
  const double share = sum[0] / sum[1];
  return {.figures = {{"score", share}},
          .signature = fmt::format("nrefs:{}|version:{}", references, metrics_version),
          .text = fmt::format("exact {:.4f}   {} of {} lines\n", share, static_cast<Index>(sum[0]),
                              static_cast<Index>(sum[1]))};
}

MetricScore exact_score(std::span<const std::string> hypotheses,
                        std::span<const std::vector<std::string>> references) {
  return exact_of_sum(exact_items(hypotheses, references).sum(), std::ssize(references));
}

}  // namespace heed
