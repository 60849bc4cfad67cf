#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/types.h"

namespace heed {

class Fields;        // framework/fields.h
class ItemCounts;    // item_counts.h
struct MetricScore;  // metrics.h

struct RougeOptions {
  bool stem = false;  // replace words of more than three letters by their stems (porter.h)

  void list(Fields& f);
};

/// All from 0 to 1.
struct PrecisionRecall {
  double precision = 0;  // P = matches / words or n-grams of the hypothesis
  double recall = 0;     // R = matches / words or n-grams of the reference
  double fmeasure = 0;   // F = 2 P R / (P + R)
};

/// ROUGE (Lin 2004, "ROUGE: a package for automatic evaluation of summaries") as Google's
/// rouge_score computes it. Text is put into lower case. Words are runs of a-z and 0-9; all other
/// characters separate words.
struct RougeScore {
  // n-grams of 1, 2 and 3 words (section 2)
  PrecisionRecall rouge1;
  PrecisionRecall rouge2;
  PrecisionRecall rouge3;
  // the longest common subsequence of the texts (section 3.1)
  PrecisionRecall rougeL;
  // for each sentence of the reference, the union of its longest common subsequences with all
  // sentences of the hypothesis (section 3.2); \n ends a sentence
  PrecisionRecall rougeLsum;
};

/// The score of one line. Each of the five scores uses the reference that gives it the highest F.
/// Throws Error when there are no references.
RougeScore rouge(const std::string& hypothesis, std::span<const std::string> references,
                 const RougeOptions& options = {});

/// The means over lines. references[r][i] is the r-th reference of hypotheses[i].
///
/// Throws Error when
/// - there are no lines or no references;
/// - the numbers of lines differ.
RougeScore mean_rouge(std::span<const std::string> hypotheses,
                      std::span<const std::vector<std::string>> references,
                      const RougeOptions& options = {});
RougeScore mean(std::span<const RougeScore> scores);

/// The score of each line as rows (precision, recall and F of each part, and 1), and the mean from
/// a sum of such rows.
ItemCounts rouge_items(std::span<const RougeScore> lines, Index references = 1);
RougeScore rouge_of_sum(std::span<const double> sum);
/// The score of each line. Throws Error as mean_rouge().
std::vector<RougeScore> rouge_lines(std::span<const std::string> hypotheses,
                                    std::span<const std::vector<std::string>> references,
                                    const RougeOptions& options = {});

/// "nrefs:1|stem:no|version:heed-0.1.0". rouge_score itself defines no signature.
std::string rouge_signature(Index references, const RougeOptions& options);

/// The figures "rouge1.precision", "rouge1.recall", "rouge1.fmeasure", "rouge2.precision", ...
MetricScore metric_score(const RougeScore& score, Index references, const RougeOptions& options);

/// The words that ROUGE counts.
std::vector<std::string> rouge_words(std::string_view text, const RougeOptions& options = {});

}  // namespace heed
