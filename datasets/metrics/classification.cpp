#include "datasets/metrics/classification.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "datasets/metrics/internal/lines.h"
#include "datasets/metrics/item_counts.h"
#include "datasets/metrics/metrics.h"
#include "datasets/metrics/version.h"
#include "framework/error.h"

namespace heed {

namespace {

using Names = std::span<const std::string>;
using GoldColumns = std::span<const std::vector<std::string>>;

constexpr std::size_t most_table_classes = 20;  // a table of more is hard to read

// A tab is between the columns of a table, such as one of labels and their probabilities.
void check_no_tabs(Names labels, const char* whose) {
  const auto found = std::ranges::find_if(
      labels, [](const std::string& label) { return label.find('\t') != std::string::npos; });
  if (found != labels.end())
    fail("line {} of the {} has a tab: it is no label; keep the first column, as cut -f 1 does",
         found - labels.begin() + 1, whose);
}

void check_labels(Names predicted, Names gold) {
  check(!predicted.empty() && predicted.size() == gold.size(), "labels",
        "expected as many gold labels as predicted ones, at least one; got {} and {}", gold.size(),
        predicted.size());
  check_no_tabs(predicted, "hypotheses");
  check_no_tabs(gold, "references");
}

Names only_column(const char* op, Names predicted, GoldColumns gold) {
  check_aligned(op, predicted, gold);
  check(gold.size() == 1, op, "expected one reference, the gold labels; got {}", gold.size());
  return gold[0];
}

std::vector<std::string> classes_of(Names predicted, Names gold) {
  std::vector<std::string> classes(predicted.begin(), predicted.end());
  classes.insert(classes.end(), gold.begin(), gold.end());
  std::ranges::sort(classes);
  classes.erase(std::ranges::unique(classes).begin(), classes.end());
  return classes;
}

// `name` is one of the classes.
std::size_t place_of(const std::vector<std::string>& classes, const std::string& name) {
  return static_cast<std::size_t>(std::ranges::lower_bound(classes, name) - classes.begin());
}

// The columns of macro_f1: for each class the items that are right, those predicted as it, and
// those of it.
enum Column { right_column, predicted_column, gold_column, class_columns };

std::size_t column_of(std::size_t in_classes, Column column) {
  return class_columns * in_classes + column;
}

ItemCounts count_f1(Names predicted, Names gold) {
  check_labels(predicted, gold);
  const std::vector<std::string> classes = classes_of(predicted, gold);
  ItemCounts counts(class_columns * classes.size(), 1, classes);
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    const std::size_t guess = place_of(classes, predicted[i]);
    const std::size_t truth = place_of(classes, gold[i]);
    const double right = guess == truth ? 1 : 0;
    counts.add_entries(std::array<ItemCounts::Entry, 3>{{
        {column_of(guess, right_column), right},
        {column_of(guess, predicted_column), 1},
        {column_of(truth, gold_column), 1},
    }});
  }
  return counts;
}

// Of a class.
struct ClassScore {
  double precision = 0;
  double recall = 0;
  double fmeasure = 0;
  bool present = false;
};

ClassScore class_score(std::span<const double> sum, std::size_t in_classes) {
  const double right = sum[column_of(in_classes, right_column)];
  const double predicted = sum[column_of(in_classes, predicted_column)];
  const double gold = sum[column_of(in_classes, gold_column)];
  const auto ratio = [](double a, double b) { return b > 0 ? a / b : 0; };
  return {ratio(right, predicted), ratio(right, gold), ratio(2 * right, predicted + gold),
          predicted + gold > 0};
}

double macro_f1_of(std::span<const double> sum) {
  double total = 0;
  int present = 0;
  for (std::size_t c = 0; c < sum.size() / class_columns; ++c) {
    const ClassScore score = class_score(sum, c);
    total += score.fmeasure;
    present += score.present;
  }
  return present > 0 ? total / present : 0;
}

std::size_t widest(const std::vector<std::string>& names, std::size_t least) {
  for (const std::string& name : names)
    least = std::max(least, name.size());
  return least;
}

std::string table_text(const Confusion& found) {
  const std::size_t width = widest(found.labels, 8);
  std::string text = fmt::format("{:<{}}", "gold", width);
  for (const std::string& name : found.labels)
    text += fmt::format(" {:>{}}", name, width);
  text += '\n';
  for (const std::string& gold : found.labels) {
    text += fmt::format("{:<{}}", gold, width);
    for (const std::string& predicted : found.labels)
      text += fmt::format(" {:>{}}", found.count(gold, predicted), width);
    text += '\n';
  }
  return text;
}

// The cells off the diagonal with the most items.
std::string list_text(const Confusion& found) {
  std::vector<std::pair<Index, std::pair<std::size_t, std::size_t>>> wrong;
  for (const auto& [cell, count] : found.cells)
    if (cell.first != cell.second) wrong.emplace_back(count, cell);
  std::ranges::stable_sort(wrong, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  for (std::size_t i = 0; i < std::min(wrong.size(), most_table_classes); ++i) {
    const auto& [count, cell] = wrong[i];
    text += fmt::format("{:>8} of {} as {}\n", count, found.labels[cell.first],
                        found.labels[cell.second]);
  }
  return text;
}

}  // namespace

Index Confusion::count(const std::string& gold, const std::string& predicted) const {
  const auto found = cells.find({place_of(labels, gold), place_of(labels, predicted)});
  const bool named =
      std::ranges::binary_search(labels, gold) && std::ranges::binary_search(labels, predicted);
  return named && found != cells.end() ? found->second : 0;
}

std::vector<std::vector<Index>> Confusion::counts() const {
  std::vector<std::vector<Index>> table(labels.size(), std::vector<Index>(labels.size()));
  for (const auto& [cell, count] : cells)
    table[cell.first][cell.second] = count;
  return table;
}

Index Confusion::right() const {
  Index right = 0;
  for (const auto& [cell, count] : cells)
    if (cell.first == cell.second) right += count;
  return right;
}

Confusion confusion(Names predicted, Names gold) {
  check_labels(predicted, gold);
  Confusion found{classes_of(predicted, gold), {}, std::ssize(predicted)};
  for (std::size_t i = 0; i < predicted.size(); ++i)
    ++found.cells[{place_of(found.labels, gold[i]), place_of(found.labels, predicted[i])}];
  return found;
}

double accuracy(Names predicted, Names gold) {
  const Confusion found = confusion(predicted, gold);
  return static_cast<double>(found.right()) / static_cast<double>(found.items);
}

double macro_f1(Names predicted, Names gold) {
  return macro_f1_of(count_f1(predicted, gold).sum());
}

ItemCounts accuracy_counts(Names predicted, GoldColumns gold) {
  const Names column = only_column("accuracy", predicted, gold);
  check_labels(predicted, column);
  ItemCounts counts(2);
  for (std::size_t i = 0; i < predicted.size(); ++i)
    counts.add(std::array<double, 2>{predicted[i] == column[i] ? 1.0 : 0.0, 1.0});
  return counts;
}

ItemCounts macro_f1_counts(Names predicted, GoldColumns gold) {
  return count_f1(predicted, only_column("macro_f1", predicted, gold));
}

MetricScore accuracy_score(std::span<const double> sum, const ItemCounts& of) {
  const double share = sum[0] / sum[1];
  return {.figures = {{"score", share}},
          .signature = fmt::format("nrefs:{}|version:{}", of.references(), metrics_version),
          .text = fmt::format("accuracy {:.4f}   {} of {} labels\n", share,
                              static_cast<Index>(sum[0]), static_cast<Index>(sum[1]))};
}

MetricScore macro_f1_score(std::span<const double> sum, const ItemCounts& of) {
  const std::size_t width = widest(of.classes(), 10);
  MetricScore result{.figures = {{"score", macro_f1_of(sum)}},
                     .signature = fmt::format("nrefs:{}|classes:present|version:{}",
                                              of.references(), metrics_version),
                     .text = fmt::format("{:<{}} {:>9} {:>9} {:>9} {:>9}\n", "", width, "precision",
                                         "recall", "F", "labels")};
  for (std::size_t c = 0; c < of.classes().size(); ++c) {
    const ClassScore score = class_score(sum, c);
    if (!score.present) continue;
    result.text += fmt::format("{:<{}} {:9.4f} {:9.4f} {:9.4f} {:9}\n", of.classes()[c], width,
                               score.precision, score.recall, score.fmeasure,
                               static_cast<Index>(sum[column_of(c, gold_column)]));
  }
  result.text += fmt::format("macro F1 {:.4f}\n", result.figures[0].value);
  return result;
}

MetricScore confusion_score(Names predicted, GoldColumns gold) {
  Confusion found = confusion(predicted, only_column("confusion", predicted, gold));
  const bool table = found.labels.size() <= most_table_classes;
  MetricScore result{
      .figures = {{"right", static_cast<double>(found.right())}},
      .signature = fmt::format("nrefs:1|version:{}", metrics_version),
      .text = fmt::format("{} of {} labels are right\n", found.right(), found.items) +
              (table ? table_text(found) : list_text(found))};
  result.confusion = std::move(found);
  return result;
}

}  // namespace heed
