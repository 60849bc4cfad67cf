#include "datasets/text/internal/tsv_header.h"

#include <algorithm>
#include <charconv>

#include <fmt/ranges.h>

#include "datasets/text/labelled.h"
#include "datasets/text/pairs.h"
#include "datasets/text/utf8.h"
#include "framework/nearest.h"

namespace heed {

namespace {

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string listed_names(const std::vector<std::string_view>& columns) {
  constexpr std::size_t most = 10;
  const std::size_t shown = std::min(columns.size(), most);
  return fmt::format("{}{}", fmt::join(columns.begin(), columns.begin() + shown, ", "),
                     columns.size() > most ? ", ..." : "");
}

std::size_t only_column(const std::vector<std::string_view>& columns, std::string_view name,
                        const std::string& file) {
  const std::vector<std::size_t> found = columns_named(columns, name);
  if (found.size() == 1) return found[0];
  if (found.size() > 1)
    throw FieldsError(fmt::format("{}:1: calls columns {} '{}'; choose two fields by number", file,
                                  fmt::join(found, " and "), name));
  const std::string near =
      did_you_mean(name, std::vector<std::string>(columns.begin(), columns.end()));
  throw FieldsError(fmt::format(
      "{}:1: has no column '{}'{}", file, name,
      near.empty() ? "; fields of a .tsv are column numbers, such as 1 and 2, or names in its "
                     "first line"
                   : near));
}

// The column of the text in a header that names the column `label`.
std::size_t text_column(const std::vector<std::string_view>& columns, std::size_t label,
                        const std::string& file) {
  std::vector<std::size_t> found;
  for (const std::string& name : text_names())
    for (const std::size_t column : columns_named(columns, name))
      found.push_back(column);
  if (found.size() == 1) return found[0];
  if (columns.size() == 2) return 3 - label;
  throw FieldsError(
      fmt::format("{}:1: has the columns {}; which one is the text? choose two "
                  "fields, the text and the label",
                  file, listed_names(columns)));
}

TsvColumns read_fields(const std::vector<std::string_view>& columns,
                       const std::vector<std::string>& fields, bool labelled,
                       const std::string& file) {
  const std::optional<std::size_t> source = column_number(fields[0]);
  const std::optional<std::size_t> target = column_number(fields[1]);
  TsvColumns result;
  result.source = source ? *source : only_column(columns, fields[0], file);
  result.target = target ? *target : only_column(columns, fields[1], file);
  const bool names_target = labelled && result.target <= columns.size() &&
                            same_name(columns[result.target - 1], label_name);
  if (source && target && !names_target) return result;
  result.of_header = columns.size();
  const std::size_t last = std::max(result.source, result.target);
  if (last > columns.size()) fail_few_columns(file, 1, columns.size(), fields, last);
  return result;
}

}  // namespace

std::vector<std::string_view> tsv_columns(std::string_view line) {
  std::vector<std::string_view> columns;
  for (;;) {
    const std::size_t tab = line.find('\t');
    columns.push_back(utf8::trim(line.substr(0, tab)));
    if (tab == std::string_view::npos) return columns;
    line.remove_prefix(tab + 1);
  }
}

std::vector<std::size_t> columns_named(const std::vector<std::string_view>& columns,
                                       std::string_view name) {
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (same_name(columns[i], name)) numbers.push_back(i + 1);
  return numbers;
}

std::optional<std::size_t> column_number(const std::string& field) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
  const bool whole = end == field.data() + field.size();
  if (whole && error == std::errc() && number > 0) return number;
  if (field.empty() || (whole && error != std::errc::invalid_argument))
    throw FieldsError(
        fmt::format("fields of a .tsv are column numbers, such as 1 and 2, or names in its first "
                    "line; got '{}'",
                    field));
  return std::nullopt;
}

std::string counted_columns(std::size_t count) {
  return fmt::format("{} column{}", count, count == 1 ? "" : "s");
}

void fail_few_columns(const std::string& file, Index line, std::size_t columns,
                      const std::vector<std::string>& fields, std::size_t asked) {
  throw FieldsError(
      fmt::format("{}:{}: has {}, and fields {} and {} ask for column {}; correct the line or the "
                  "fields",
                  file, line, counted_columns(columns), fields[0], fields[1], asked));
}

TsvColumns read_tsv_header(std::string_view line, const std::vector<std::string>& fields,
                           bool labelled, const std::string& file) {
  const std::vector<std::string_view> columns = tsv_columns(line);
  if (!fields.empty()) return read_fields(columns, fields, labelled, file);
  TsvColumns result;
  if (!labelled || columns_named(columns, label_name).empty()) return result;
  result.target = only_column(columns, label_name, file);
  if (columns.size() == 1)
    throw FieldsError(fmt::format("{}:1: has the column {} alone; put a tab between text and label",
                                  file, columns[0]));
  result.source = text_column(columns, result.target, file);
  result.of_header = columns.size();
  return result;
}

}  // namespace heed
