#pragma once

#include <filesystem>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "framework/files.h"
#include "framework/types.h"

namespace heed {

/// metrics.jsonl: a JSON object a row, {"step", "split", ...}, appended as training goes on.
/// Numbers that are not finite become null.
class MetricsLog {
 public:
  using Column = std::pair<std::string_view, double>;

  /// Opens `path`, without its rows of training after step `trained`, of validation after step
  /// `evaluated`, and without a row that was cut short: those are computed again.
  MetricsLog(const std::filesystem::path& path, Index trained, Index evaluated);
  void write(Index step, std::string_view split, std::initializer_list<Column> columns,
             const std::map<std::string, double>& more = {});
  /// Brings the rows to the disk.
  void sync() { file_.sync(); }
  /// The column "seconds" of the last row that was there; 0 when there was none.
  double seconds() const { return seconds_; }

 private:
  double seconds_ = 0;
  FileAppender file_;
};

}  // namespace heed
