#include "training/metrics_log.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include <nlohmann/json.hpp>

namespace heed {

namespace {

/// The column "seconds" of a row that stays, 0 where it has none; -1 for a line to remove.
double seconds_of(const std::string& line, Index trained, Index evaluated) {
  const auto row = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!row.is_object() || !row.contains("step") || !row["step"].is_number_integer()) return -1;
  const bool valid = row.contains("split") && row["split"] == "valid";
  if (row["step"].get<Index>() > (valid ? evaluated : trained)) return -1;
  if (!row.contains("seconds") || !row["seconds"].is_number()) return 0;
  return std::max(0.0, row["seconds"].get<double>());
}

/// Removes from the file what MetricsLog() says, and sets `seconds`. Returns the path.
const std::filesystem::path& cut(const std::filesystem::path& path, Index trained, Index evaluated,
                                 double& seconds) {
  if (!std::filesystem::exists(path)) return path;
  const std::string rows = read_file(path, std::numeric_limits<std::uint64_t>::max());
  std::string kept;
  std::size_t begin = 0;
  // What follows the last line end was cut short.
  for (std::size_t end = rows.find('\n'); end != std::string::npos; end = rows.find('\n', begin)) {
    const std::string line = rows.substr(begin, end - begin);
    begin = end + 1;
    const double found = seconds_of(line, trained, evaluated);
    if (found < 0) continue;
    kept += line + '\n';
    seconds = std::max(seconds, found);
  }
  if (kept.size() != rows.size()) replace_file(path, kept);
  return path;
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& path, Index trained, Index evaluated)
    : file_(cut(path, trained, evaluated, seconds_)) {}

void MetricsLog::write(Index step, std::string_view split, std::initializer_list<Column> columns,
                       const std::map<std::string, double>& more) {
  nlohmann::ordered_json row{{"step", step}, {"split", split}};
  for (const auto& [name, value] : columns)
    row[std::string(name)] = value;
  for (const auto& [name, value] : more)
    row[name] = value;
  file_.write(row.dump() + '\n');
}

}  // namespace heed
