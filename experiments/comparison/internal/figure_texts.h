#pragma once

#include <string>
#include <vector>

#include "experiments/comparison/result.h"

// The cells that comparison.txt and comparison.html have in common.

namespace heed {

/// The titles of the columns: "test BLEU", "exact %".
std::vector<std::string> figure_titles(const Comparison& comparison);
/// The cells of a model: "95.38 ± 1.12".
std::vector<std::string> figure_texts(const Comparison& comparison, const ModelSummary& model);

/// What each model costs, below a row of titles.
std::vector<std::vector<std::string>> cost_rows(const Comparison& comparison);

/// How two models differ in the first figure.
struct PairText {
  std::string mean;     // "+1.20"
  std::string range;    // "+0.80 to +1.60"
  std::string wins;     // "97.5 %"
  std::string verdict;  // "significant", "may be chance" or "too few lines"
  std::string holm;     // "0.004": p, adjusted for the number of pairs
};
PairText pair_text(const Comparison& comparison, const ModelPair& pair);

}  // namespace heed
