#include "optim/metrics_log.h"

#include <system_error>

#include <nlohmann/json.hpp>

#include "framework/error.h"

namespace heed {

namespace {

bool belongs(const std::string& line, Index step) {
  const auto row = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  return row.is_object() && row.contains("step") && row["step"].is_number_integer() && row["step"].get<Index>() <= step;
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& path, Index step) : path_(path) {
  const std::filesystem::path partial = path.string() + ".partial";
  {
    std::ifstream in(path);
    std::ofstream kept(partial);
    for (std::string line; std::getline(in, line);)
      if (belongs(line, step)) kept << line << '\n';
    if (!kept.flush()) fail("{}: cannot be written", partial.string());
  }
  std::error_code error;
  std::filesystem::rename(partial, path, error);
  if (error) fail("{}: cannot be replaced: {}", path.string(), error.message());
  out_.open(path, std::ios::app);
}

void MetricsLog::write(Index step, std::string_view split, std::initializer_list<Column> columns,
                       const std::map<std::string, double>& more) {
  nlohmann::ordered_json row{{"step", step}, {"split", split}};
  for (const auto& [name, value] : columns) row[std::string(name)] = value;
  for (const auto& [name, value] : more) row[name] = value;
  out_ << row.dump() << '\n';
  if (!out_.flush()) fail("{}: cannot be written", path_.string());
}

}  // namespace heed
