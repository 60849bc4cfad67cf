#include "datasets/metrics/exact.h"

#include <algorithm>

#include "datasets/metrics/internal/lines.h"
#include "datasets/metrics/metrics.h"
#include "datasets/metrics/version.h"

namespace heed {

MetricScore exact_score(std::span<const std::string> hypotheses,
                        std::span<const std::vector<std::string>> references) {
  check_aligned("exact", hypotheses, references);
  Index equal = 0;
  for (std::size_t i = 0; i < hypotheses.size(); ++i)
    equal += std::any_of(references.begin(), references.end(),
                         [&](const auto& reference) { return reference[i] == hypotheses[i]; });
  const double share = static_cast<double>(equal) / static_cast<double>(hypotheses.size());
  return {.figures = {{"score", share}},
          .signature = fmt::format("nrefs:{}|version:{}", references.size(), metrics_version),
          .text = fmt::format("exact {:.4f}   {} of {} lines\n", share, equal, hypotheses.size())};
}

}  // namespace heed
