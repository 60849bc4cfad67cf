#include "datasets/text/labelled.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "datasets/corpora/corpora.h"
#include "datasets/text/internal/data_names.h"
#include "datasets/text/internal/gzip.h"
#include "datasets/text/internal/json_fields.h"
#include "datasets/text/internal/line_reader.h"
#include "datasets/text/internal/tsv_header.h"
#include "datasets/text/utf8.h"
#include "framework/error.h"

namespace heed {

namespace {

constexpr std::size_t most_lines = 100;

// The first bytes of a file, decompressed, until they hold `most_lines` lines or as many bytes as
// the longest line of a corpus.
class Beginning {
 public:
  explicit Beginning(const std::string& path) : file_(path, std::ios::binary) {
    std::string start(2, '\0');
    start.resize(read(start));
    file_.clear();
    file_.seekg(0);
    if (is_gzip(start)) {
      unpack(path);
    } else {
      std::string chunk(1 << 16, '\0');
      while (const std::size_t count = enough() ? 0 : read(chunk))
        add(std::string_view(chunk).substr(0, count));
    }
  }

  // Whole lines, and the last one if the file ends with it; none from the first malformed one on.
  std::vector<std::string> lines() const {
    std::string_view rest = text_;
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (rest.starts_with(byte_order_mark)) rest.remove_prefix(byte_order_mark.size());
    std::vector<std::string> lines;
    while (!rest.empty() && lines.size() < most_lines) {
      const std::size_t end = rest.find('\n');
      if (end == std::string_view::npos && enough()) break;
      const std::string_view line = rest.substr(0, end);
      if (utf8::find_invalid(line) != std::string_view::npos) break;
      lines.emplace_back(utf8::trim(line).empty() ? "" : line);
      rest.remove_prefix(std::min(end, rest.size() - 1) + 1);
    }
    return lines;
  }

 private:
  std::size_t read(std::span<char> into) {
    file_.read(into.data(), static_cast<std::streamsize>(into.size()));
    return static_cast<std::size_t>(file_.gcount());
  }
  bool enough() const { return text_.size() >= LineReader::most_bytes || ends_ >= most_lines; }
  void add(std::string_view text) {
    text = text.substr(0, LineReader::most_bytes - std::min(text_.size(), LineReader::most_bytes));
    ends_ += static_cast<std::size_t>(std::ranges::count(text, '\n'));
    text_ += text;
  }
  void unpack(const std::string& path) {
    try {
      gunzip([&](std::span<char> into) { return enough() ? 0 : read(into); },
             [&](std::string_view text) { add(text); }, path);
    } catch (const Error&) {
      // Stopped in the middle, or damaged: what was read counts, and open_pairs tells of damage.
    }
  }

  std::ifstream file_;
  std::string text_;
  std::size_t ends_ = 0;
};

// None where the file cannot be read a second time.
std::vector<std::string> first_lines(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return {};
  return Beginning(path).lines();
}

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
  const bool names_text = std::ranges::any_of(
      text_names(), [&](const std::string& name) { return !columns_named(columns, name).empty(); });
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
