#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "framework/types.h"

namespace heed {

class ItemCounts;    // item_counts.h
struct MetricScore;  // metrics.h

/// How often items of one class were given the label of another one.
struct Confusion {
  std::vector<std::string> labels;  // the classes of gold labels or predictions, sorted
  /// By the places in `labels` of the gold label and of the predicted one. Cells of no items are
  /// left out.
  std::map<std::pair<std::size_t, std::size_t>, Index> cells;
  Index items = 0;

  /// All cells, counts()[gold][predicted] by the places in `labels`. It has the square of their
  /// number.
  std::vector<std::vector<Index>> counts() const;
  Index count(const std::string& gold, const std::string& predicted) const;
  Index right() const;  // on the diagonal
};
/// Throws Error when
/// - there are no labels, or not as many predicted as gold ones;
/// - one has a tab, so that it is a line of a table.
Confusion confusion(std::span<const std::string> predicted, std::span<const std::string> gold);

/// The share of labels that are right, 0 to 1. Throws Error as confusion().
double accuracy(std::span<const std::string> predicted, std::span<const std::string> gold);

/// The mean of F over the classes of gold labels or predictions, 0 to 1:
///   F = 2 P R / (P + R) = 2 right / (predicted + gold), which is 0 where nothing is right
/// as scikit-learn's f1_score(average="macro", zero_division=0) computes it. Throws Error as
/// confusion().
double macro_f1(std::span<const std::string> predicted, std::span<const std::string> gold);

/// For rows of metrics(). `gold` holds one column: labels have one reference each. Throws Error
/// when there are more, and as confusion().
ItemCounts accuracy_counts(std::span<const std::string> predicted,
                           std::span<const std::vector<std::string>> gold);
ItemCounts macro_f1_counts(std::span<const std::string> predicted,
                           std::span<const std::vector<std::string>> gold);
/// The figure "score", from a sum of rows of such counts.
MetricScore accuracy_score(std::span<const double> sum, const ItemCounts& of);
MetricScore macro_f1_score(std::span<const double> sum, const ItemCounts& of);
/// The figure "right", the number of right labels, and MetricScore::confusion. The text is a table;
/// with more than 20 classes, a list of the most frequent errors.
MetricScore confusion_score(std::span<const std::string> predicted,
                            std::span<const std::vector<std::string>> gold);

}  // namespace heed
