#include "experiments/inference/toml.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include <toml++/toml.h>

#include "framework/error.h"
#include "framework/files.h"

namespace heed {

namespace {

constexpr std::ptrdiff_t most_dots = 100;
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 18;

/// A literal string of TOML ('...'), or a basic string ("...") where the text has quotes or control
/// characters.
std::string quoted(const std::string& text) {
  const auto control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7F'; };
  if (text.find('\'') == std::string::npos && std::none_of(text.begin(), text.end(), control))
    return "'" + text + "'";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (control(c)) {
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

struct TomlText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(Index value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const {
    std::string text = fmt::format("{}", value);
    return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
  }
  std::string operator()(const std::string& value) const { return quoted(value); }
  std::string operator()(const std::vector<std::string>& value) const {
    std::string list;
    for (const std::string& item : value)
      list += (list.empty() ? "" : ", ") + quoted(item);
    return "[" + list + "]";
  }
};

/// A key such as a.a.a.a makes tables within tables. toml++ destroys them recursively, so thousands
/// of them would overflow the stack.
void check_depth(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  Index number = 1;
  for (std::string line; std::getline(lines, line); ++number)
    if (std::count(line.begin(), line.end(), '.') > most_dots)
      fail("{}:{}: has more than {} dots; settings are written section.name = value", name, number,
           most_dots);
}

/// The texts of a list; none where it holds anything else.
std::optional<std::vector<std::string>> texts_of(const toml::array& list) {
  std::vector<std::string> texts;
  for (const toml::node& item : list) {
    const auto text = item.value_exact<std::string>();
    if (!text) return std::nullopt;
    texts.push_back(*text);
  }
  return texts;
}

std::optional<FieldValue> value_of(const toml::node& node) {
  if (const auto value = node.value_exact<bool>()) return *value;
  if (const auto value = node.value_exact<std::int64_t>()) return Index{*value};
  if (const auto value = node.value_exact<double>()) return *value;
  if (const auto value = node.value_exact<std::string>()) return *value;
  if (const auto* list = node.as_array())
    if (const auto texts = texts_of(*list)) return *texts;
  return std::nullopt;
}

/// Appends the values of a table and of the tables within it. `prefix`: the key of the table, with
/// a dot; "" for the file.
void read_table(const toml::table& table, const std::string& prefix, const std::string& name,
                std::vector<TomlEntry>& entries) {
  for (const auto& [key, node] : table) {
    const std::string whole = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table()) {
      read_table(*inner, whole + ".", name, entries);
      continue;
    }
    const auto line = static_cast<Index>(node.source().begin.line);
    const std::optional<FieldValue> value = value_of(node);
    if (!value)
      fail("{}:{}: {} is neither a number, a text in quotes, true or false, nor a list of texts",
           name, line, whole);
    entries.push_back({whole, *value, line});
  }
}

}  // namespace

std::vector<TomlEntry> read_toml(const std::string& text, const std::string& name) {
  check_depth(text, name);
  std::vector<TomlEntry> entries;
  try {
    read_table(toml::parse(text, name), "", name, entries);
  } catch (const toml::parse_error& error) {
    fail("{}:{}: {}", name, error.source().begin.line, error.description());
  }
  const auto by_line = [](const TomlEntry& a, const TomlEntry& b) { return a.line < b.line; };
  std::stable_sort(entries.begin(), entries.end(), by_line);
  return entries;
}

std::string read_toml_file(const std::string& path) {
  if (!std::filesystem::exists(path)) fail("{}: no such file; check the name", path);
  if (std::filesystem::is_directory(path)) fail("{}: is a folder; name a file of settings", path);
  return read_file(path, most_bytes);
}

std::string toml_text(const FieldValue& value) { return std::visit(TomlText(), value); }

std::string to_toml(const Fields& fields) {
  std::string out = "# Every setting of this run, resolved.\n";
  std::string section;
  for (const Field& field : fields) {
    const std::string& key = field.key();
    const std::string head = key.substr(0, key.find('.'));
    if (head != section) out += fmt::format("\n[{}]\n", head);
    section = head;
    const std::string line = key.substr(head.size() + 1) + " = " + toml_text(field.value());
    out += fmt::format("{:<32} # {}\n", line, field.help());
  }
  return out;
}

}  // namespace heed
