#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "framework/types.h"

namespace heed {

/// A row of a run's metrics.jsonl.
struct MetricsRow {
  Index step = 0;
  std::map<std::string, double> columns;  // a null is not a number

  /// The value of a column; not a number where the row has none.
  double at(const std::string& column) const;
};

/// What a training wrote while it went on, in the order of its steps.
struct RunMetrics {
  std::vector<MetricsRow> train;
  std::vector<MetricsRow> valid;
};

/// Reads metrics.jsonl of a run's folder. A run without the file has no rows; lines that are no
/// rows, such as one that is being written, are left out.
RunMetrics read_metrics(const std::filesystem::path& folder);

/// A column of rows, as the y of a curve; "step" is one too.
std::vector<double> column_of(const std::vector<MetricsRow>& rows, const std::string& column);

/// What happened to a training, beside its steps.
struct RunEvent {
  enum class Kind { resumed, stopped, warned, ended };
  Kind kind;
  Index step = 0;
  std::string text = {};  // of a warning or an end: its line
};
/// Reads log.txt of a run's folder, in its order. A run without the file has no events.
std::vector<RunEvent> read_events(const std::filesystem::path& folder);

}  // namespace heed
