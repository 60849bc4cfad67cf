#include "datasets/text/labels.h"

#include <algorithm>
#include <set>

#include <fmt/ranges.h>

#include "datasets/text/utf8.h"
#include "framework/error.h"
#include "framework/files.h"
#include "framework/nearest.h"

namespace heed {

namespace {

constexpr Index pairs_of_endless = 20'000;
constexpr Index surely_labels = 20;  // however few lines there are

// 5,310 for 5310
std::string grouped(Index n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

// What a name lacks, as in "expected a label of 1 to 200 bytes"; "" if it is good.
std::string lacking(const std::string& name) {
  if (name.empty() || name.size() > Labels::most_bytes)
    return fmt::format("of 1 to {} bytes", Labels::most_bytes);
  if (utf8::trim(name) != name) return "without blanks around";
  if (name.find_first_of("\t\n\r") != std::string::npos) return "without tabs and ends of lines";
  return "";
}

// A name in quotes, without its control characters. Of a long one, the beginning and the length.
std::string in_quotes(std::string_view name) {
  constexpr std::size_t most_shown = 60;
  std::size_t end = name.size();
  if (name.size() > Labels::most_bytes) {
    const auto within_character = [&](std::size_t at) { return (name[at] & '\xC0') == '\x80'; };
    for (end = most_shown; end > 0 && within_character(end);)
      --end;
  }
  std::string text;
  for (const char c : name.substr(0, end)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\t')
      text += "\\t";
    else if (byte < 0x20 || byte == 0x7F)
      text += fmt::format("\\x{:02X}", byte);
    else
      text += c;
  }
  if (end == name.size()) return fmt::format("'{}'", text);
  return fmt::format("'{}...' of {} bytes", text, name.size());
}

Index pairs_to_read(const PairSource& pairs) {
  return pairs.size() < 0 ? pairs_of_endless : pairs.size();
}

}  // namespace

Labels::Labels(std::vector<std::string> names) : names_(std::move(names)) {
  std::ranges::sort(names_);
  names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
  for (const std::string& name : names_)
    if (const std::string lacks = lacking(name); !lacks.empty())
      fail("[labels] expected names {}; got {}", lacks, in_quotes(name));
  if (size() < 2 || size() > most)
    fail("[labels] expected from 2 to {} names; got {}{}", most, size(),
         size() == 1 ? fmt::format(", '{}'", names_[0]) : "");
}

Labels Labels::of(const PairSource& pairs) {
  std::set<std::string> names;
  const Index end = pairs_to_read(pairs);
  Index read = 0;
  for (; read < end && static_cast<Index>(names.size()) <= most; ++read) {
    const auto [name, is_new] = names.insert(pairs.at(read).target);
    if (!is_new) continue;
    if (const std::string lacks = lacking(*name); !lacks.empty())
      fail("{}: expected a label {}; got {}", pairs.place(read), lacks, in_quotes(*name));
  }
  const auto found = static_cast<Index>(names.size());
  if (found > most || (found > surely_labels && 2 * found > read))
    fail("{}: has {} labels in {} lines; is this column a label?", pairs.name(), grouped(found),
         grouped(read));
  if (found < 2)
    fail("{}: has {} in {} lines, and a classifier needs two labels or more", pairs.name(),
         found == 0 ? "no label" : fmt::format("the label '{}' alone", *names.begin()),
         grouped(read));
  return Labels({names.begin(), names.end()});
}

const std::string& Labels::name(Id id) const {
  check(id >= 0 && id < size(), "labels", "expected a class in [0, {}); got {}", size(), id);
  return names_[static_cast<std::size_t>(id)];
}

std::optional<Id> Labels::find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(names_, name);
  if (found == names_.end() || *found != name) return std::nullopt;
  return static_cast<Id>(found - names_.begin());
}

Id Labels::id_of(std::string_view name) const {
  if (const std::optional<Id> id = find(name)) return *id;
  constexpr std::size_t most_listed = 10;
  const std::size_t listed = std::min(names_.size(), most_listed);
  throw UnknownLabel(fmt::format(
      "unknown label {}: expected {}{}{}", in_quotes(name),
      fmt::join(names_.begin(), names_.begin() + static_cast<std::ptrdiff_t>(listed), ", "),
      listed < names_.size() ? fmt::format(" or {} others", names_.size() - listed) : "",
      name.size() <= most_bytes ? did_you_mean(name, names_) : ""));
}

std::uint64_t Labels::fingerprint() const {
  Fingerprint all;
  for (const std::string& name : names_)
    all.add(name, "");
  return all.of(size());
}

void Labels::save(const std::filesystem::path& path) const {
  replace_file(path, fmt::format("{}\n", fmt::join(names_, "\n")));
}

Labels Labels::load(const std::filesystem::path& path) {
  constexpr std::uint64_t largest = std::uint64_t{1} << 30;
  return of_text(read_file(path, largest), path.string());
}

Labels Labels::of_text(std::string_view text, const std::string& name) {
  const auto damaged = [&](const std::string& why) {
    fail("{}: is damaged ({}); take it from the run it belongs to", name, why);
  };
  std::vector<std::string> names;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) damaged("its last line has no end");
    names.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  // Ids are places in the file.
  if (std::ranges::adjacent_find(names, std::ranges::greater_equal()) != names.end())
    damaged("its names are not in order");
  try {
    return Labels(std::move(names));
  } catch (const Error& error) {
    damaged(error.what());
    throw;
  }
}

Id class_of(const PairSource& pairs, Index i, std::string_view name, const Labels& labels) {
  try {
    return labels.id_of(name);
  } catch (const UnknownLabel& error) {
    throw UnknownLabel(fmt::format("{}: {}", pairs.place(i), error.what()));
  }
}

void check_labels(const PairSource& pairs, const Labels& labels) {
  const Index end = pairs_to_read(pairs);
  for (Index i = 0; i < end; ++i)
    class_of(pairs, i, pairs.at(i).target, labels);
}

}  // namespace heed
