#include "experiments/run_difference.h"

#include <limits>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "framework/checkpoint.h"
#include "framework/files.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

/// The names of the files of a run, relative to its folder.
std::set<std::string> files_of(const fs::path& run) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(run))
    if (entry.is_regular_file()) names.insert(fs::relative(entry.path(), run).string());
  return names;
}

/// The rows of metrics.jsonl without the times.
std::string timeless(const std::string& rows) {
  std::istringstream in(rows);
  std::string kept;
  for (std::string line; std::getline(in, line);) {
    auto row = nlohmann::ordered_json::parse(line);
    row.erase("seconds");
    row.erase("tokens_per_s");
    kept += row.dump() + '\n';
  }
  return kept;
}

/// How a file differs between two runs; "" where it is the same.
std::string difference_of(const std::string& name, const fs::path& a, const fs::path& b) {
  if (!fs::exists(a / name)) return "only the second run has it";
  if (!fs::exists(b / name)) return "only the first run has it";
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  const std::string first = read_file(a / name, most);
  const std::string second = read_file(b / name, most);
  if (name == "metrics.jsonl") return timeless(first) == timeless(second) ? "" : "a row differs";
  if (first == second) return "";
  const std::string found =
      name.ends_with(".heed") ? difference(load(a / name), load(b / name)) : "";
  return found.empty() ? "bytes differ" : found;
}

}  // namespace

std::vector<RunFileDifference> compare_runs(const fs::path& a, const fs::path& b) {
  std::set<std::string> names = files_of(a);
  names.merge(files_of(b));
  names.erase("log.txt");
  std::vector<RunFileDifference> differences;
  for (const std::string& name : names)
    differences.push_back({.name = name,
                           .bytes = fs::exists(a / name) ? fs::file_size(a / name) : 0,
                           .difference = difference_of(name, a, b)});
  return differences;
}

}  // namespace heed
