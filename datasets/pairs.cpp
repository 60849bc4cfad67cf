#include "datasets/pairs.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "datasets/nearest.h"
#include "datasets/text_file.h"
#include "datasets/toy/toy.h"
#include "datasets/utf8.h"
#include "framework/error.h"

namespace heed {

namespace {

constexpr std::string_view toy_prefix = "toy:";
constexpr const char* accepted = "expected two line-aligned files, one .tsv, one .jsonl or toy:NAME";

bool is_blank(std::string_view text) {
  for (std::size_t at = 0; at < text.size();)
    if (!utf8::is_space(utf8::next(text, at))) return false;
  return true;
}

// Collects pairs, leaving out those that teach nothing.
struct Collector {
  std::vector<Pair> pairs;
  Index skipped = 0;

  void add(std::string_view source, std::string_view target) {
    if (is_blank(source) || is_blank(target))
      ++skipped;
    else
      pairs.push_back({std::string(source), std::string(target)});
  }
  std::unique_ptr<PairSource> finish(const std::string& name) {
    if (pairs.empty()) fail("{}: no line has text on both sides ({} skipped); check that these are the right files", name, skipped);
    return std::make_unique<MemoryPairs>(std::move(pairs), name, skipped);
  }
};

std::unique_ptr<PairSource> open_aligned(const std::string& source, const std::string& target) {
  const std::vector<std::string> sources = read_lines(source), targets = read_lines(target);
  if (sources.size() != targets.size())
    fail("{}: has {} lines and {} has {}; line n of one must belong to line n of the other", source, sources.size(), target,
         targets.size());
  Collector collector;
  for (std::size_t i = 0; i < sources.size(); ++i) collector.add(sources[i], targets[i]);
  return collector.finish(source + " " + target);
}

std::size_t column_number(const std::string& field) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
  if (error != std::errc() || end != field.data() + field.size() || number == 0)
    fail("--fields of a .tsv are column numbers, as --fields 1 2; got '{}'", field);
  return number;
}

std::unique_ptr<PairSource> open_tsv(const std::string& path, const std::vector<std::string>& fields) {
  const std::size_t source = fields.empty() ? 1 : column_number(fields[0]), target = fields.empty() ? 2 : column_number(fields[1]);
  const std::vector<std::string> lines = read_lines(path);
  Collector collector;
  std::vector<std::string_view> columns;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (is_blank(lines[i])) {
      ++collector.skipped;
      continue;
    }
    columns.clear();
    for (std::string_view rest = lines[i];;) {
      const std::size_t tab = rest.find('\t');
      columns.push_back(rest.substr(0, tab));
      if (tab == std::string_view::npos) break;
      rest.remove_prefix(tab + 1);
    }
    if (fields.empty() && columns.size() != 2)
      fail("{}:{}: expected 2 tab-separated columns, got {}; {}", path, i + 1, columns.size(),
           columns.size() > 2 ? "choose two, as --fields 1 2" : "put a tab between source and target");
    if (const std::size_t last = std::max(source, target); columns.size() < last)
      fail("{}:{}: has {} columns, --fields {} {} asks for column {}; correct the line or the fields", path, i + 1, columns.size(),
           source, target, last);
    collector.add(columns[source - 1], columns[target - 1]);
  }
  return collector.finish(path);
}

// The two keys of an object: those the user named, else the first couple of known ones that is there.
std::pair<std::string, std::string> keys_of(const nlohmann::json& object, const std::vector<std::string>& fields) {
  if (!fields.empty()) return {fields[0], fields[1]};
  if (!object.contains("source") && !object.contains("target") && (object.contains("document") || object.contains("summary")))
    return {"document", "summary"};
  return {"source", "target"};
}

std::unique_ptr<PairSource> open_jsonl(const std::string& path, const std::vector<std::string>& fields) {
  const std::vector<std::string> lines = read_lines(path);
  Collector collector;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (is_blank(lines[i])) {
      ++collector.skipped;
      continue;
    }
    const nlohmann::json object = nlohmann::json::parse(lines[i], nullptr, false);
    if (!object.is_object())
      fail("{}:{}: {}; write one object a line, as {{\"source\": \"...\", \"target\": \"...\"}}", path, i + 1,
           object.is_discarded() ? "is not valid JSON" : "is not a JSON object");
    const auto [source, target] = keys_of(object, fields);
    const auto text = [&](const std::string& key) {
      if (!object.contains(key)) {
        std::vector<std::string> keys;
        for (const auto& item : object.items()) keys.push_back(item.key());
        const std::string near = did_you_mean(key, keys);
        fail("{}:{}: has no \"{}\"{}", path, i + 1, key,
             near.empty() ? "; add it, or name the two fields by --fields SOURCE TARGET" : near);
      }
      if (!object[key].is_string())
        fail("{}:{}: \"{}\" is of type {}; make it a string", path, i + 1, key, object[key].type_name());
      const std::string& value = object[key].get_ref<const std::string&>();
      check_line(value, path, i + 1);
      return std::string_view(value);
    };
    collector.add(text(source), text(target));
  }
  return collector.finish(path);
}

std::unique_ptr<PairSource> open_toy(const std::string& data, Split split, std::uint64_t seed) {
  const std::string name = data.substr(toy_prefix.size());
  const std::vector<std::string> names = toy::names();
  if (std::find(names.begin(), names.end(), name) == names.end())
    fail("unknown corpus '{}': expected toy:{}{}", data, fmt::join(names, ", toy:"), did_you_mean(name, names));
  return toy::open(name, split, seed);
}

std::string extension(const std::string& path) { return std::filesystem::path(path).extension().string(); }

}  // namespace

std::unique_ptr<PairSource> first_pairs(const PairSource& source, Index n) {
  std::vector<Pair> pairs;
  for (Index i = 0, end = source.size() < 0 ? n : std::min(n, source.size()); i < end; ++i) pairs.push_back(source.at(i));
  return std::make_unique<MemoryPairs>(std::move(pairs), source.name(), source.skipped());
}

std::unique_ptr<PairSource> open_pairs(const std::vector<std::string>& data, const std::vector<std::string>& fields, Split split,
                                       std::uint64_t seed) {
  if (data.empty() || data.size() > 2) fail("{}; got {} names", accepted, data.size());
  if (!fields.empty() && fields.size() != 2) fail("--fields takes two, the source and the target; got {}", fields.size());
  const auto without_fields = [&] {
    if (!fields.empty()) fail("--fields belongs to a .tsv or a .jsonl; got '{}'", fmt::join(data, " "));
  };
  if (data.size() == 2) {
    for (const std::string& path : data)
      if (const std::string end = extension(path); path.starts_with(toy_prefix) || end == ".tsv" || end == ".jsonl")
        fail("{}: holds both sides, so it stands alone; got '{}'", path, fmt::join(data, " "));
    without_fields();
    return open_aligned(data[0], data[1]);
  }
  const std::string& path = data[0];
  if (path.starts_with(toy_prefix)) return without_fields(), open_toy(path, split, seed);
  const std::string end = extension(path);
  if (end == ".tsv") return open_tsv(path, fields);
  if (end == ".jsonl") return open_jsonl(path, fields);
  if (end == ".txt") fail("{}: a single .txt is for a language model (--model lm); {}", path, accepted);
  fail("{}: cannot tell what is in it; {}{}", path, accepted, end.empty() ? "" : did_you_mean(end, {".tsv", ".jsonl"}));
}

}  // namespace heed
