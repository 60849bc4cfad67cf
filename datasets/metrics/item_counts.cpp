#include "datasets/metrics/item_counts.h"

#include <utility>

#include "framework/error.h"

namespace heed {

ItemCounts::ItemCounts(std::size_t width, Index references, std::vector<std::string> classes)
    : width_(width), references_(references), classes_(std::move(classes)) {}

void ItemCounts::add(std::span<const double> row) {
  check(row.size() == width_, "item_counts", "expected a row of {} columns; got {}", width_,
        row.size());
  for (std::size_t column = 0; column < row.size(); ++column)
    if (row[column] != 0) entries_.push_back({column, row[column]});
  ends_.push_back(entries_.size());
}

void ItemCounts::add_entries(std::span<const Entry> entries) {
  for (const Entry& entry : entries)
    check(entry.column < width_, "item_counts", "expected a column below {}; got {}", width_,
          entry.column);
  entries_.insert(entries_.end(), entries.begin(), entries.end());
  ends_.push_back(entries_.size());
}

void ItemCounts::add_row(std::size_t item, std::vector<double>& sum) const {
  for (std::size_t i = item == 0 ? 0 : ends_[item - 1]; i < ends_[item]; ++i)
    sum[entries_[i].column] += entries_[i].value;
}

std::vector<double> ItemCounts::sum() const {
  std::vector<double> sum(width_);
  for (std::size_t item = 0; item < size(); ++item)
    add_row(item, sum);
  return sum;
}

std::vector<double> ItemCounts::sum(std::span<const std::size_t> items) const {
  std::vector<double> sum(width_);
  for (const std::size_t item : items) {
    check(item < size(), "item_counts", "expected an item below {}; got {}", size(), item);
    add_row(item, sum);
  }
  return sum;
}

}  // namespace heed
