#include "experiments/run_metrics.h"

#include <charconv>
#include <fstream>
#include <limits>
#include <optional>

#include <nlohmann/json.hpp>

namespace heed {

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

/// The row of a line; nothing where it is none.
std::optional<MetricsRow> row_of(const nlohmann::json& json) {
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) return {};
  MetricsRow row{json["step"].get<Index>(), {}};
  for (const auto& [name, value] : json.items())
    if (value.is_number() || value.is_null())
      row.columns[name] = value.is_number() ? value.get<double>() : missing;
  return row;
}

/// The number that follows `before` in the line; nothing where the line has no such text.
std::optional<Index> number_after(std::string_view line, std::string_view before) {
  const std::size_t at = line.find(before);
  if (at == std::string_view::npos) return {};
  Index number = 0;
  const char* begin = line.data() + at + before.size();
  const auto [end, error] = std::from_chars(begin, line.data() + line.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace

double MetricsRow::at(const std::string& column) const {
  const auto found = columns.find(column);
  return found == columns.end() ? missing : found->second;
}

RunMetrics read_metrics(const std::filesystem::path& folder) {
  RunMetrics metrics;
  std::ifstream in(folder / "metrics.jsonl");
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    std::optional<MetricsRow> row = row_of(json);
    if (!row || !json.contains("split")) continue;
    if (json["split"] == "train")
      metrics.train.push_back(std::move(*row));
    else if (json["split"] == "valid")
      metrics.valid.push_back(std::move(*row));
  }
  return metrics;
}

std::vector<double> column_of(const std::vector<MetricsRow>& rows, const std::string& column) {
  std::vector<double> values;
  for (const MetricsRow& row : rows)
    values.push_back(row.at(column));
  return values;
}

std::vector<RunEvent> read_events(const std::filesystem::path& folder) {
  using Kind = RunEvent::Kind;
  std::vector<RunEvent> events;
  Index step = 0;
  std::ifstream in(folder / "log.txt");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("step ")) step = number_after(line, "step ").value_or(step);
    if (line.starts_with("run ")) {
      if (const auto from = number_after(line, ", resumed at step ")) {
        step = *from;
        events.push_back({Kind::resumed, step});
      }
    }
    if (line.starts_with("stopped at step "))
      events.push_back({Kind::stopped, number_after(line, "stopped at step ").value_or(step)});
    if (line.starts_with("warning: ")) events.push_back({Kind::warned, step, line.substr(9)});
    if (line.starts_with("done: ")) events.push_back({Kind::ended, step, line.substr(6)});
  }
  return events;
}

}  // namespace heed
