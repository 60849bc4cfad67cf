#pragma once

#include <optional>
#include <string>

#include "experiments/progress.h"
#include "framework/files.h"

namespace heed {

/// Writes lines to a log file and passes them on. Where the file cannot be written, what it is for
/// goes on without it.
class RunLog {
 public:
  RunLog(std::string path, const TrainingObservers& observers)
      : path_(std::move(path)), observers_(observers) {}

  /// A line for the file and for people.
  void line(const std::string& text) {
    show(text);
    log(text);
  }
  /// For people alone.
  void show(const std::string& text) {
    if (observers_.on_line) observers_.on_line(text);
  }
  /// For the file alone.
  void log(const std::string& text) {
    if (without_file_) return;
    try {
      if (!file_) file_.emplace(path_);
      file_->write(text + '\n');
    } catch (const Error& error) {
      without_file_ = true;
      show(std::string(error.what()) + "; the run goes on without it");
    }
  }

 private:
  std::string path_;
  const TrainingObservers& observers_;
  std::optional<FileAppender> file_;
  bool without_file_ = false;  // it cannot be written; the user has been told
};

}  // namespace heed
