#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "framework/files.h"
#include "training/trainer.h"

namespace heed::cli {

/// One line on stderr that is redrawn in place: a bar and a text. Shows nothing where stderr is not
/// a terminal.
class LiveLine {
 public:
  LiveLine();
  ~LiveLine() { clear(); }
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  bool terminal() const { return terminal_; }
  /// `done`: the part that is done, in [0, 1]. `now`: seconds on any clock; the line is redrawn at
  /// most ten times a second.
  void show(const std::string& text, double done, double now);
  void clear();

 private:
  bool terminal_;
  bool live_ = false;
  double shown_ = -1;
};

/// Shows the progress of a training on stderr: a live line on a terminal, else a line every
/// `log_every` steps. Lines also go to a log file. Where that file cannot be written, training goes
/// on without it.
class ProgressDisplay {
 public:
  enum class Shown { on_stderr, in_log };  // in_log: the caller itself writes to stderr
  ProgressDisplay(const std::string& log_path, Index log_every, Shown shown = Shown::on_stderr);

  void step(const StepReport& report);
  /// "step 400  validation loss 1.2345  ppl 3.437  (best)"
  void evaluation(const EvaluationReport& report);
  /// Prints a line above the live line.
  void line(const std::string& text);
  /// Prints `shown` and writes `logged`, which may say more, to the log.
  void lines(const std::vector<std::string>& shown, const std::vector<std::string>& logged);

 private:
  void log(const std::string& text);

  std::string log_path_;
  std::optional<FileAppender> log_;
  bool without_log_ = false;  // the log cannot be written; the user has been told
  Index log_every_;
  Shown shown_;
  LiveLine live_;
};

/// A live line for the preparation before training: what is being done, and for how long. It
/// appears once a task takes longer than a second, and only where stderr is a terminal.
class PreparationDisplay {
 public:
  PreparationDisplay();
  ~PreparationDisplay();
  PreparationDisplay(const PreparationDisplay&) = delete;
  PreparationDisplay& operator=(const PreparationDisplay&) = delete;

  void begin(std::string task);
  void done(double part);  // of the task, in [0, 1]

 private:
  void show();  // runs in thread_ until stop_

  LiveLine live_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string task_;
  double done_ = 0;
  std::chrono::steady_clock::time_point begin_;  // of the task
  bool stop_ = false;
  std::thread thread_;
};

std::string step_text(const StepReport& report);  // "step 12/1600  loss 3.2  ppl 24.5  9000 tok/s"
std::string duration_text(double seconds);        // "42 s", "3 min 05 s", "2 h 10 min"

}  // namespace heed::cli
