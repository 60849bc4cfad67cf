#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/types.h"

namespace heed {

struct RougeOptions {
  bool stem = false;  // words longer than three letters become their stems (porter.h)
};

struct PrecisionRecall {
  // 0 to 1; F = 2 P R / (P + R)
  double precision = 0;
  double recall = 0;
  double fmeasure = 0;
};

/// ROUGE (Lin 2004, "ROUGE: a package for automatic evaluation of summaries") as Google's
/// rouge_score computes it: always in lower case, words are runs of a-z and 0-9, all else separates
/// them.
struct RougeScore {
  // n-grams of 1, 2, 3 words, section 2
  PrecisionRecall rouge1;
  PrecisionRecall rouge2;
  PrecisionRecall rouge3;
  PrecisionRecall rougeL;  // longest common subsequence, section 3.1
  // of each sentence with all of the other side's, section 3.2; \n ends a sentence
  PrecisionRecall rougeLsum;
};

/// Of several references the one with the highest F counts, each of the five scores for itself.
/// Throws Error when there is none.
RougeScore rouge(const std::string& hypothesis, std::span<const std::string> references,
                 const RougeOptions& options = {});

/// Means over lines; references[r][i] is the r-th reference of hypotheses[i]. Throws Error when the
/// counts of lines differ or are zero.
RougeScore mean_rouge(std::span<const std::string> hypotheses,
                      std::span<const std::vector<std::string>> references,
                      const RougeOptions& options = {});
RougeScore mean(std::span<const RougeScore> scores);

/// "nrefs:1|stem:no|version:heed-0.1.0"; rouge_score prints none.
std::string rouge_signature(Index references, const RougeOptions& options);

/// The words ROUGE counts.
std::vector<std::string> rouge_words(std::string_view text, const RougeOptions& options = {});

}  // namespace heed
