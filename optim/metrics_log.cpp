#include "optim/metrics_log.h"

#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

namespace heed {

namespace {

/// The column "seconds" of a row of `step` or before it (0 where it has none); -1 for any other line.
double seconds_of(const std::string& line, Index step) {
  const auto row = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  const bool belongs = row.is_object() && row.contains("step") && row["step"].is_number_integer() && row["step"].get<Index>() <= step;
  if (!belongs) return -1;
  return row.contains("seconds") && row["seconds"].is_number() ? std::max(0.0, row["seconds"].get<double>()) : 0;
}

/// Takes away what follows `step`; returns the path.
const std::filesystem::path& cut(const std::filesystem::path& path, Index step, double& seconds) {
  std::ifstream in(path, std::ios::binary);
  std::string kept;
  bool all = true;
  for (std::string line; std::getline(in, line);) {
    const double found = in.eof() ? -1 : seconds_of(line, step);  // a row without its line end was cut short
    if (found < 0)
      all = false;
    else
      kept += line + '\n', seconds = std::max(seconds, found);
  }
  if (!all) replace_file(path, kept);
  return path;
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& path, Index step) : file_(cut(path, step, seconds_)) {}

void MetricsLog::write(Index step, std::string_view split, std::initializer_list<Column> columns,
                       const std::map<std::string, double>& more) {
  nlohmann::ordered_json row{{"step", step}, {"split", split}};
  for (const auto& [name, value] : columns) row[std::string(name)] = value;
  for (const auto& [name, value] : more) row[name] = value;
  file_.write(row.dump() + '\n');
}

}  // namespace heed
