#include "experiments/internal/changed_toml.h"

#include <algorithm>
#include <map>

#include "datasets/text/utf8.h"
#include "experiments/inference/toml.h"
#include "framework/error.h"

namespace heed {

namespace {

using Lines = std::vector<std::string>;

Lines lines_with_ends(const std::string& text) {
  Lines lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    const std::size_t next = end == std::string::npos ? text.size() : end + 1;
    lines.push_back(text.substr(begin, next - begin));
    begin = next;
  }
  return lines;
}

/// The line with another number after the "=". A comment keeps its column where there is room.
std::string with_value(const std::string& line, const std::string& value) {
  const std::size_t equals = line.find('=');
  if (equals == std::string::npos) return line;  // the check below refuses it
  const std::size_t begin = std::min(line.find_first_not_of(" \t", equals + 1), line.size());
  const std::size_t end = std::min(line.find_first_of(" \t\r\n#", begin), line.size());
  const std::size_t rest = std::min(line.find_first_not_of(' ', end), line.size());
  std::string changed = line.substr(0, begin) + value;
  const bool comment = rest < line.size() && line[rest] == '#';
  if (comment) changed.resize(std::max(rest, changed.size() + 1), ' ');
  return changed + line.substr(comment ? rest : end);
}

/// Adds a line after the head of the section; where there is none, a section at the end.
void add_line(Lines& lines, const std::string& section, const std::string& line) {
  const std::string head = "[" + section + "]";
  const auto is_head = [&](const std::string& text) {
    return utf8::trim(text.substr(0, text.find('#'))) == head;
  };
  auto at = std::find_if(lines.begin(), lines.end(), is_head);
  if (at == lines.end()) {
    if (!lines.empty() && lines.back().back() != '\n') lines.back() += '\n';
    lines.push_back("\n" + head + "\n");
    at = std::prev(lines.end());
  }
  if (at->back() != '\n') *at += '\n';
  lines.insert(std::next(at), line + "\n");
}

std::map<std::string, FieldValue> values_of(const std::string& text, const std::string& name) {
  std::map<std::string, FieldValue> values;
  for (const TomlEntry& entry : read_toml(text, name))
    values[entry.key] = entry.value;
  return values;
}

}  // namespace

std::string changed_toml(std::string text, const std::string& name,
                         const std::vector<TomlChange>& changes) {
  for (const auto& [key, value] : changes) {
    std::map<std::string, FieldValue> expected = values_of(text, name);
    expected[key] = value;
    Lines lines = lines_with_ends(text);
    const std::vector<TomlEntry> entries = read_toml(text, name);
    const auto entry = std::find_if(entries.begin(), entries.end(),
                                    [&](const TomlEntry& e) { return e.key == key; });
    const std::size_t dot = key.find('.');
    if (entry != entries.end()) {
      std::string& line = lines[static_cast<std::size_t>(entry->line - 1)];
      line = with_value(line, toml_text(value));
    } else {
      add_line(lines, key.substr(0, dot), key.substr(dot + 1) + " = " + toml_text(value));
    }
    std::string changed;
    for (const std::string& line : lines)
      changed += line;
    bool as_expected = false;
    try {
      as_expected = values_of(changed, name) == expected;
    } catch (const Error&) {
      // what was replaced was no value of its own line
    }
    if (!as_expected)
      fail("{}: {} has no line of its own; write it as a line `{} = ...` below [{}]", name, key,
           key.substr(dot + 1), key.substr(0, dot));
    text = std::move(changed);
  }
  return text;
}

}  // namespace heed
