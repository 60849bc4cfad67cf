#pragma once

#include <span>
#include <string>
#include <vector>

#include "framework/types.h"

namespace heed {

/// What a metric counts on each item of a test set: on a line of text, or on a label. A row an
/// item. The score of any items, one as often as wanted, depends on the sum of their rows alone
/// (sufficient statistics). Zeros take no memory.
class ItemCounts {
 public:
  /// An element of a row that is not zero.
  struct Entry {
    std::size_t column = 0;
    double value = 0;
  };

  /// `width`: the columns of a row. `classes`: the names of the classes, where columns are theirs.
  explicit ItemCounts(std::size_t width, Index references = 1,
                      std::vector<std::string> classes = {});

  /// Throws Error when the row has another width.
  void add(std::span<const double> row);
  /// Columns may come in any order, and more than once. Throws Error when there is no such column.
  void add_entries(std::span<const Entry> entries);

  std::size_t size() const { return ends_.size(); }  // items
  std::size_t width() const { return width_; }
  Index references() const { return references_; }  // of each item
  const std::vector<std::string>& classes() const { return classes_; }

  /// The sum of all rows, added in their order.
  std::vector<double> sum() const;
  /// The sum of these rows, in the order given. Throws Error when there is no such row.
  std::vector<double> sum(std::span<const std::size_t> items) const;

 private:
  void add_row(std::size_t item, std::vector<double>& sum) const;

  std::size_t width_;
  Index references_;
  std::vector<std::string> classes_;
  std::vector<Entry> entries_;     // of all rows, one after another
  std::vector<std::size_t> ends_;  // of each row in entries_
};

}  // namespace heed
