#include <algorithm>
#include <array>
#include <charconv>

#include "datasets/text/internal/file_pairs.h"
#include "datasets/text/internal/json_fields.h"
#include "datasets/text/utf8.h"
#include "framework/error.h"
#include "framework/nearest.h"

namespace heed {

namespace {

struct Aligned final : RecordFormat {
  Record read(std::span<const std::string_view> lines, const std::string&, Index) override {
    return {lines[0], lines[1]};
  }
};

std::size_t column_number(const std::string& field) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
  if (error != std::errc() || end != field.data() + field.size() || number == 0)
    throw FieldsError(
        fmt::format("fields of a .tsv are column numbers, such as 1 and 2; got '{}'", field));
  return number;
}

struct Tsv final : RecordFormat {
  bool any_count;  // whether a line may have more than two columns
  std::size_t source = 1;
  std::size_t target = 2;

  explicit Tsv(const std::vector<std::string>& fields) : any_count(!fields.empty()) {
    if (any_count) {
      source = column_number(fields[0]);
      target = column_number(fields[1]);
    }
  }
  Record read(std::span<const std::string_view> lines, const std::string& file,
              Index line) override {
    if (utf8::trim(lines[0]).empty()) return {};
    Record record;
    std::size_t columns = 0;
    for (std::string_view rest = lines[0];;) {
      const std::size_t tab = rest.find('\t');
      ++columns;
      if (columns == source) record.source = rest.substr(0, tab);
      if (columns == target) record.target = rest.substr(0, tab);
      if (tab == std::string_view::npos) break;
      rest.remove_prefix(tab + 1);
    }
    if (!any_count && columns != 2)
      throw FieldsError(fmt::format("{}:{}: expected 2 tab-separated columns, got {}; {}", file,
                                    line, columns,
                                    columns > 2 ? "choose two fields, such as 1 and 2"
                                                : "put a tab between source and target"));
    if (const std::size_t last = std::max(source, target); columns < last)
      throw FieldsError(fmt::format(
          "{}:{}: has {} columns, and fields {} and {} ask for column {}; correct the line or the "
          "fields",
          file, line, columns, source, target, last));
    return record;
  }
};

struct Jsonl final : RecordFormat {
  std::vector<std::string> names;  // of source and target, then the other names of these
  JsonFields found;

  explicit Jsonl(const std::vector<std::string>& fields) : names(fields) {
    if (names.empty()) names = {"source", "target", "document", "summary"};
    for (const std::string& name : names)
      if (std::ranges::find(found.fields, name, &JsonFields::Field::key) == found.fields.end())
        found.fields.push_back({.key = name});
  }
  JsonFields::Field& field(std::size_t name) {
    return *std::ranges::find(found.fields, names[name], &JsonFields::Field::key);
  }

  Record read(std::span<const std::string_view> lines, const std::string& file,
              Index line) override {
    if (utf8::trim(lines[0]).empty()) return {};
    read_json_fields(lines[0], found);
    constexpr const char* form =
        R"(write one object a line, as {"source": "...", "target": "..."})";
    if (found.error > 0)
      fail("{}:{}: is not valid JSON at byte {}; {}", file, line, found.error, form);
    if (!found.is_object) fail("{}:{}: is not a JSON object; {}", file, line, form);
    const bool other_names = names.size() == 4 && field(0).times + field(1).times == 0 &&
                             field(2).times + field(3).times > 0;
    const std::size_t first = other_names ? 2 : 0;
    return {text(field(first), file, line), text(field(first + 1), file, line)};
  }

  std::string_view text(JsonFields::Field& field, const std::string& file, Index line) const {
    if (field.times == 0) fail_missing(field, file, line);
    if (field.times > 1)
      fail("{}:{}: has \"{}\" {} times; keep one", file, line, field.key, field.times);
    if (field.type != std::string_view("string"))
      fail("{}:{}: \"{}\" is of type {}; make it a string", file, line, field.key, field.type);
    if (field.text.find('\0') != std::string::npos)
      fail("{}:{}: \"{}\" holds a NUL (\\u0000); take it out", file, line, field.key);
    // A side of a pair is one line.
    std::ranges::replace_if(
        field.text, [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return field.text;
  }

  [[noreturn]] void fail_missing(const JsonFields::Field& field, const std::string& file,
                                 Index line) const {
    std::vector<std::string> keys = found.others;
    for (const JsonFields::Field& other : found.fields)
      if (other.times > 0) keys.push_back(other.key);
    const std::string near = did_you_mean(field.key, keys);
    throw FieldsError(
        fmt::format("{}:{}: has no \"{}\"{}", file, line, field.key,
                    near.empty() ? "; add it, or name the two fields to read" : near));
  }
};

}  // namespace

std::unique_ptr<RecordFormat> aligned_format() { return std::make_unique<Aligned>(); }
std::unique_ptr<RecordFormat> tsv_format(const std::vector<std::string>& fields) {
  return std::make_unique<Tsv>(fields);
}
std::unique_ptr<RecordFormat> jsonl_format(const std::vector<std::string>& fields) {
  return std::make_unique<Jsonl>(fields);
}

}  // namespace heed
