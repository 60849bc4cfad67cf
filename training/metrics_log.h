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

/// metrics.jsonl: one JSON object a row, {"step", "split", ...}, appended during training. Numbers
/// that are not finite become null.
class MetricsLog {
 public:
  using Column = std::pair<std::string_view, double>;

  /// Opens `path` and removes from it the rows that are computed again:
  /// - rows of training after step `trained`;
  /// - rows of validation after step `evaluated`;
  /// - lines that are no rows, such as one that was cut short.
  MetricsLog(const std::filesystem::path& path, Index trained, Index evaluated);
  void write(Index step, std::string_view split, std::initializer_list<Column> columns,
             const std::map<std::string, double>& more = {});
  /// Returns when the rows are on the disk.
  void sync() { file_.sync(); }
  /// The largest "seconds" of the rows that stayed; 0 where there is none.
  double seconds() const { return seconds_; }

 private:
  double seconds_ = 0;
  FileAppender file_;
};

}  // namespace heed
