#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "datasets/metrics/overlap.h"
#include "framework/types.h"

namespace heed {

struct ChrfOptions {
  int word_order = 0;  // 0: chrF (Popović 2015), 2: chrF++ (Popović 2017)
  bool lowercase = false;
};

/// What chrF adds up, line after line: n-grams of 1 to 6 characters, white space left out, then of
/// 1 and 2 words.
struct ChrfCounts {
  static constexpr int char_orders = 6;
  static constexpr int word_orders = 2;
  std::array<Overlap, char_orders + word_orders> orders{};
  ChrfCounts& operator+=(const ChrfCounts& other);
};

/// chrF2 and chrF2++ as sacrebleu 2.6.0 computes them by default: precision and recall are means
/// over the orders that both sides have (effective order), and the score is 100 (1 + 2^2) P R /
/// (2^2 P + R).
struct ChrfScore : ChrfCounts {
  double score = 0;  // 0 to 100
  ChrfOptions options{};
  Index references = 1;  // a line

  /// "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:heed-0.1.0"
  std::string signature() const;
};

/// references[r][i] is the r-th reference of hypotheses[i]; of several the one counts that gives
/// the line the highest score, the first of equals. Throws Error when the counts of lines differ,
/// there are none, or word_order is neither 0 nor 2.
ChrfScore corpus_chrf(std::span<const std::string> hypotheses,
                      std::span<const std::vector<std::string>> references,
                      const ChrfOptions& options = {});

/// The counts of each line: corpus_chrf(hypotheses, references) is chrf_score of their sum.
std::vector<ChrfCounts> chrf_counts(std::span<const std::string> hypotheses,
                                    std::span<const std::vector<std::string>> references,
                                    const ChrfOptions& options = {});
ChrfScore chrf_score(const ChrfCounts& counts, Index references = 1,
                     const ChrfOptions& options = {});

ChrfScore sentence_chrf(const std::string& hypothesis, std::span<const std::string> references,
                        const ChrfOptions& options = {});

}  // namespace heed
