#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/types.h"

namespace heed {

class Fields;        // framework/fields.h
class ItemCounts;    // item_counts.h
struct MetricScore;  // metrics.h

struct BleuOptions {
  std::string tokenize = "13a";          // one of bleu_tokenizers()
  std::string smooth = "exp";            // "exp", "floor", "add-k", "none" (Chen and Cherry 2014)
  std::optional<double> smooth_value{};  // for floor (default 0.1) and add-k (default 1)
  bool lowercase = false;
  bool effective_order = false;  // ignore orders longer than the hypothesis; sentence_bleu sets it

  void list(Fields& f);
};

/// The counts of one or more lines from which BLEU is computed. The score of a corpus depends on
/// the sum of the counts of its lines alone.
struct BleuCounts {
  static constexpr int orders = 4;
  // In words. Of several references, the one closest in length counts; of equally close ones, the
  // shorter.
  Index sys_len = 0;
  Index ref_len = 0;
  // For n = 1 to 4: the n-grams of the hypotheses that a reference holds too, each counted at most
  // as often as it occurs in one reference; and all n-grams of the hypotheses.
  std::array<Index, orders> matches{};
  std::array<Index, orders> totals{};
  BleuCounts& operator+=(const BleuCounts& other);
};

/// BLEU (Papineni et al. 2002) as sacrebleu 2.6.0 computes it (Post 2018):
///
///   score = bp exp(mean over n of log p_n),  p_n = 100 matches_n / totals_n, smoothed
///   bp = min(1, exp(1 - ref_len / sys_len))
struct BleuScore : BleuCounts {
  double score = 0;                         // 0 to 100
  std::array<double, orders> precisions{};  // 0 to 100, smoothed
  double bp = 0;                            // brevity penalty, 0 to 1
  BleuOptions options{};
  Index references = 1;  // the number of references for each line

  /// "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:heed-0.1.0"
  std::string signature() const;
};

/// references[r][i] is the r-th reference of hypotheses[i].
///
/// Throws Error when
/// - there are no lines or no references;
/// - the numbers of lines differ;
/// - an option is unknown or out of range.
BleuScore corpus_bleu(std::span<const std::string> hypotheses,
                      std::span<const std::vector<std::string>> references,
                      const BleuOptions& options = {});

/// The counts of each line. corpus_bleu(hypotheses, references) is the bleu_score of their sum.
std::vector<BleuCounts> bleu_counts(std::span<const std::string> hypotheses,
                                    std::span<const std::vector<std::string>> references,
                                    const BleuOptions& options = {});
BleuScore bleu_score(const BleuCounts& counts, Index references = 1,
                     const BleuOptions& options = {});

/// One line against its references, with effective order.
BleuScore sentence_bleu(const std::string& hypothesis, std::span<const std::string> references,
                        BleuOptions options = {});

/// The figure "score".
MetricScore metric_score(const BleuScore& score);

/// The counts of each line as rows (sys_len, ref_len, 4 matches, 4 totals), and the score of a sum
/// of such rows. Throws Error as corpus_bleu().
ItemCounts bleu_items(std::span<const BleuCounts> lines, Index references = 1);
BleuScore bleu_of_sum(std::span<const double> sum, Index references = 1,
                      const BleuOptions& options = {});

}  // namespace heed
