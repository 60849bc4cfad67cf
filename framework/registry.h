#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/ranges.h>

#include "framework/error.h"
#include "framework/nearest.h"

namespace heed {

/// A table of named things that can be chosen by name: models, attentions, optimizers, metrics.
/// A row has a member `name`. Each table is a function that fills it at its first call:
///
///     Registry<OptimizerKind>& optimizers();
///     optimizers().add({.name = "lion", ...});  // a program's own
///
/// Any number of threads may read; add() may not run meanwhile. References to rows stay valid.
template <class Row>
class Registry {
 public:
  /// `what`: what a row is, for messages: "optimizer".
  Registry(std::string what, std::vector<Row> rows) : what_(std::move(what)) {
    for (Row& row : rows)
      add(std::move(row));
  }

  /// Throws Error where the name is taken or empty.
  void add(Row row) {
    if (row.name.empty()) fail("[{}] expected a name; got none", what_);
    if (find(row.name)) fail("[{}] there is one of the name {} already", what_, row.name);
    rows_.push_back(std::move(row));
  }

  /// Null where there is no such row.
  const Row* find(std::string_view name) const {
    for (const Row& row : rows_)
      if (row.name == name) return &row;
    return nullptr;
  }

  /// Throws ArgumentError that lists all names where there is no such row.
  const Row& at(std::string_view name) const {
    if (const Row* row = find(name)) return *row;
    const std::vector<std::string> all = names();
    const std::string range = fmt::format("of {}", fmt::join(all, ", "));
    throw ArgumentError(fmt::format("[{}] expected a name {}; got '{}'{}", what_, range, name,
                                    did_you_mean(name, all)),
                        what_, "name", std::string(name), range);
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const Row& row : rows_)
      names.emplace_back(row.name);
    return names;
  }
  const std::deque<Row>& rows() const { return rows_; }

 private:
  std::string what_;
  std::deque<Row> rows_;  // references stay valid while rows are added
};

}  // namespace heed
