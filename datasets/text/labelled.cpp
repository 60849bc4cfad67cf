#include "datasets/text/labelled.h"

#include <algorithm>
#include <set>

#include "datasets/corpora/corpora.h"
#include "datasets/text/internal/data_names.h"
#include "datasets/text/internal/first_lines.h"
#include "datasets/text/internal/json_fields.h"
#include "datasets/text/internal/tsv_header.h"

namespace heed {

namespace {

bool repeat(const std::vector<std::string>& lines, std::size_t column) {
  std::set<std::string_view> seen;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string_view> columns = tsv_columns(lines[i]);
    if (columns.size() < column || columns[column - 1].empty()) continue;
    if (!seen.insert(columns[column - 1]).second) return true;
  }
  return false;
}

bool tsv_names_label(const std::vector<std::string>& lines) {
  if (lines.empty()) return false;
  const std::vector<std::string_view> columns = tsv_columns(lines[0]);
  const std::vector<std::size_t> labels = columns_named(columns, label_name);
  if (labels.size() != 1 || columns.size() < 2) return false;
  const auto has = [&](const std::string& name) { return !columns_named(columns, name).empty(); };
  const bool names_text =
      std::ranges::any_of(text_names(), has) || std::ranges::any_of(picture_names(), has);
  return names_text || columns.size() > 2 || repeat(lines, labels[0]);
}

bool field_names_label(const std::vector<std::string>& lines, const std::string& field) {
  const std::vector<std::size_t> label = columns_named({field}, label_name);
  if (!label.empty()) return true;
  if (lines.empty()) return false;
  const std::vector<std::size_t> numbers = columns_named(tsv_columns(lines[0]), label_name);
  return std::ranges::any_of(numbers, [&](std::size_t n) { return std::to_string(n) == field; });
}

bool json_names_label(const std::vector<std::string>& lines) {
  const auto first = std::ranges::find_if(lines, [](const auto& line) { return !line.empty(); });
  if (first == lines.end()) return false;
  JsonFields found;
  for (const char* key : {"source", "target", "document", "summary"})
    found.fields.push_back({.key = key});
  found.fields.push_back({.key = std::string(label_name)});
  read_json_fields(*first, found);
  const auto has = [&](std::size_t i) { return found.fields[i].times > 0; };
  return found.error == 0 && found.is_object && has(4) && !(has(0) && has(1)) &&
         !(has(2) && has(3));
}

}  // namespace

const std::vector<std::string>& text_names() {
  static const std::vector<std::string> names = {"text", "source", "document", "sentence",
                                                 "review"};
  return names;
}

const std::vector<std::string>& picture_names() {
  static const std::vector<std::string> names = {"image", "picture", "file"};
  return names;
}

bool names_label(const std::vector<std::string>& data, const std::vector<std::string>& fields) {
  if (data.size() != 1) return false;
  const std::string& path = data[0];
  if (path.starts_with(toy_prefix)) {
    const CorpusKind* corpus = corpora().find(path.substr(toy_prefix.size()));
    return corpus && corpus->labelled;
  }
  const std::string end = extension(path);
  if (end != ".tsv" && end != ".jsonl") return false;
  if (!fields.empty()) {
    if (fields.size() != 2) return false;
    return end == ".jsonl" ? fields[1] == label_name
                           : field_names_label(first_lines(path), fields[1]);
  }
  const std::vector<std::string> lines = first_lines(path);
  return end == ".tsv" ? tsv_names_label(lines) : json_names_label(lines);
}

}  // namespace heed
