#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "datasets/metrics/overlap.h"
#include "framework/types.h"

namespace heed {

class Fields;        // framework/fields.h
class ItemCounts;    // item_counts.h
struct MetricScore;  // metrics.h

struct ChrfOptions {
  int word_order = 0;  // 0: chrF (Popović 2015), 2: chrF++ (Popović 2017)
  bool lowercase = false;

  void list(Fields& f);
};

/// The counts of one or more lines from which chrF is computed: n-grams of 1 to 6 characters,
/// without white space, then of 1 and 2 words.
struct ChrfCounts {
  static constexpr int char_orders = 6;
  static constexpr int word_orders = 2;
  std::array<Overlap, char_orders + word_orders> orders{};
  ChrfCounts& operator+=(const ChrfCounts& other);
};

/// chrF2 and chrF2++ as sacrebleu 2.6.0 computes them by default:
///
///   score = 100 (1 + 2^2) P R / (2^2 P + R)
///
/// P (precision) and R (recall) are means over the orders that both sides have (effective order).
struct ChrfScore : ChrfCounts {
  double score = 0;  // 0 to 100
  ChrfOptions options{};
  Index references = 1;  // the number of references for each line

  /// "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:heed-0.1.0"
  std::string signature() const;
};

/// references[r][i] is the r-th reference of hypotheses[i]. For each line the reference that gives
/// the highest score counts, the first one of equals.
///
/// Throws Error when
/// - there are no lines or no references;
/// - the numbers of lines differ;
/// - word_order is neither 0 nor 2.
ChrfScore corpus_chrf(std::span<const std::string> hypotheses,
                      std::span<const std::vector<std::string>> references,
                      const ChrfOptions& options = {});

/// The counts of each line. corpus_chrf(hypotheses, references) is the chrf_score of their sum.
std::vector<ChrfCounts> chrf_counts(std::span<const std::string> hypotheses,
                                    std::span<const std::vector<std::string>> references,
                                    const ChrfOptions& options = {});
ChrfScore chrf_score(const ChrfCounts& counts, Index references = 1,
                     const ChrfOptions& options = {});

/// One line against its references.
ChrfScore sentence_chrf(const std::string& hypothesis, std::span<const std::string> references,
                        const ChrfOptions& options = {});

/// The figure "score".
MetricScore metric_score(const ChrfScore& score);

/// The counts of each line as rows (hypothesis, reference and matches of each order), and the score
/// of a sum of such rows.
ItemCounts chrf_items(std::span<const ChrfCounts> lines, Index references = 1);
ChrfScore chrf_of_sum(std::span<const double> sum, Index references = 1,
                      const ChrfOptions& options = {});

}  // namespace heed
