#include <algorithm>
#include <utility>

#include <fmt/ranges.h>

#include "datasets/text/internal/file_pairs.h"
#include "datasets/text/internal/json_fields.h"
#include "datasets/text/internal/tsv_header.h"
#include "datasets/text/labelled.h"
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

struct Tsv final : RecordFormat {
  std::vector<std::string> fields;
  bool labelled;
  TsvColumns at;

  Tsv(const std::vector<std::string>& fields_given, bool labelled_data)
      : fields(fields_given), labelled(labelled_data) {}

  bool is_header(std::span<const std::string_view> lines, const std::string& file) override {
    at = read_tsv_header(lines[0], fields, labelled, file);
    return at.of_header > 0;
  }

  Record read(std::span<const std::string_view> lines, const std::string& file,
              Index line) override {
    if (utf8::trim(lines[0]).empty()) return {};
    Record record;
    std::size_t columns = 0;
    for (std::string_view rest = lines[0];;) {
      const std::size_t tab = rest.find('\t');
      ++columns;
      if (columns == at.source) record.source = rest.substr(0, tab);
      if (columns == at.target) record.target = rest.substr(0, tab);
      if (tab == std::string_view::npos) break;
      rest.remove_prefix(tab + 1);
    }
    check_columns(columns, file, line);
    return record;
  }

  void check_columns(std::size_t columns, const std::string& file, Index line) const {
    const std::size_t last = std::max(at.source, at.target);
    if (at.of_header > 0) {
      if (columns > at.of_header || columns < last)
        throw FieldsError(fmt::format("{}:{}: has {}, and the header has {}; correct it", file,
                                      line, counted_columns(columns), at.of_header));
    } else if (fields.empty() && columns != 2) {
      const char* between =
          labelled ? "put a tab between text and label" : "put a tab between source and target";
      throw FieldsError(fmt::format("{}:{}: expected 2 tab-separated columns, got {}; {}", file,
                                    line, columns,
                                    columns > 2 ? "choose two fields, such as 1 and 2" : between));
    } else if (columns < last) {
      fail_few_columns(file, line, columns, fields, last);
    }
  }
};

struct Jsonl final : RecordFormat {
  std::vector<std::string> names;  // of source and target, then the other names of these
  std::size_t texts = 0;           // how many of them name the text of labelled data
  bool labelled;
  bool named;  // by fields
  JsonFields found;

  Jsonl(const std::vector<std::string>& fields, bool labelled_data)
      : names(fields), labelled(labelled_data), named(!fields.empty()) {
    if (!named && labelled) {
      names = text_names();
      texts = names.size();
      names.emplace_back(label_name);
      names.emplace_back("target");
    } else if (!named) {
      names = {"source", "target", "document", "summary"};
    }
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
    const std::string form =
        fmt::format(R"(write one object a line, as {{"{}": "...", "{}": "..."}})",
                    labelled ? "text" : "source", labelled ? "label" : "target");
    if (found.error > 0)
      fail("{}:{}: is not valid JSON at byte {}; {}", file, line, found.error, form);
    if (!found.is_object) fail("{}:{}: is not a JSON object; {}", file, line, form);
    const auto [source, target] = keys(file, line);
    return {text(field(source), file, line), text(field(target), file, line, labelled)};
  }

  // The names, by number, of source and target in this object.
  std::pair<std::size_t, std::size_t> keys(const std::string& file, Index line) {
    if (labelled && !named) {
      const std::size_t of_text = text_key(file, line);
      const std::size_t label = texts;
      const std::size_t target = texts + 1;
      const bool is_pair =
          names[of_text] == "source" && field(label).times == 0 && field(target).times > 0;
      return {of_text, is_pair ? target : label};
    }
    const bool other_names = names.size() == 4 && field(0).times + field(1).times == 0 &&
                             field(2).times + field(3).times > 0;
    return other_names ? std::pair<std::size_t, std::size_t>{2, 3}
                       : std::pair<std::size_t, std::size_t>{0, 1};
  }

  std::size_t text_key(const std::string& file, Index line) {
    std::vector<std::size_t> present;
    for (std::size_t i = 0; i < texts; ++i)
      if (field(i).times > 0) present.push_back(i);
    if (present.size() == 1) return present[0];
    std::vector<std::string> keys = found.others;
    for (const JsonFields::Field& other : found.fields)
      if (other.times > 0) keys.push_back(other.key);
    throw FieldsError(
        fmt::format("{}:{}: has the keys {}; which one is the text? name the two fields to read",
                    file, line, keys.empty() ? "none" : fmt::format("{}", fmt::join(keys, ", "))));
  }

  // A `scalar` may be a number or a boolean too.
  std::string_view text(JsonFields::Field& field, const std::string& file, Index line,
                        bool scalar = false) const {
    if (field.times == 0) fail_missing(field, file, line);
    if (field.times > 1)
      fail("{}:{}: has \"{}\" {} times; keep one", file, line, field.key, field.times);
    const std::string_view type = field.type;
    if (type != "string" && !(scalar && (type == "number" || type == "boolean")))
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
std::unique_ptr<RecordFormat> tsv_format(const std::vector<std::string>& fields, bool labelled) {
  return std::make_unique<Tsv>(fields, labelled);
}
std::unique_ptr<RecordFormat> jsonl_format(const std::vector<std::string>& fields, bool labelled) {
  return std::make_unique<Jsonl>(fields, labelled);
}

}  // namespace heed
