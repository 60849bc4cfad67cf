#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/types.h"

namespace heed {

/// The columns of a line, between tabs, without white space at their ends.
std::vector<std::string_view> tsv_columns(std::string_view line);

/// The numbers, from 1, of the columns of this name, in upper or lower case.
std::vector<std::size_t> columns_named(const std::vector<std::string_view>& columns,
                                       std::string_view name);

/// The number that a field of a .tsv is; none if it is a name. Throws FieldsError for 0.
std::optional<std::size_t> column_number(const std::string& field);

/// "1 column", "2 columns".
std::string counted_columns(std::size_t count);

/// Throws FieldsError, `FILE:LINE: ...`, for a line of fewer columns than `fields` ask for.
[[noreturn]] void fail_few_columns(const std::string& file, Index line, std::size_t columns,
                                   const std::vector<std::string>& fields, std::size_t asked);

/// The columns, from 1, of a .tsv of pairs or of texts and labels.
struct TsvColumns {
  std::size_t source = 1;
  std::size_t target = 2;
  std::size_t of_header = 0;  // the number of columns of the header; 0: the first line is none
};

/// Finds them in the first line of a file: see tsv_format. Throws FieldsError, `FILE:1: ...`, where
/// the line
/// - lacks a column that it must name, or names two alike;
/// - is a header with fewer columns than `fields` ask for.
TsvColumns read_tsv_header(std::string_view line, const std::vector<std::string>& fields,
                           bool labelled, const std::string& file);

}  // namespace heed
