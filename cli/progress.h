#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "framework/files.h"
#include "optim/trainer.h"

namespace heed::cli {

/// One line on stderr that is drawn again and again: a bar and some text. Shows nothing where
/// stderr is no terminal.
class LiveLine {
 public:
  LiveLine();
  ~LiveLine() { clear(); }
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  bool terminal() const { return terminal_; }
  /// `done` in [0, 1]; redrawn at most ten times a second of `now`.
  void show(const std::string& text, double done, double now);
  void clear();

 private:
  bool terminal_;
  bool live_ = false;
  double shown_ = -1;
};

/// Shows how training goes on stderr: one live line on a terminal, a line now and then elsewhere.
/// Lines also go to a log file; training goes on where that cannot be written.
class Progress {
 public:
  enum class Shown { on_stderr, in_log };  // in_log: somebody else speaks to the user
  Progress(const std::string& log_path, Index log_every, Shown shown = Shown::on_stderr);

  void step(const StepReport& report);
  /// A line that stays, above the live one.
  void line(const std::string& text);
  /// Several, where the log has another, longer wording.
  void lines(const std::vector<std::string>& shown, const std::vector<std::string>& logged);

 private:
  void log(const std::string& text);

  std::string log_path_;
  std::optional<FileAppender> log_;
  bool without_log_ = false;  // it cannot be written, and that was said
  Index log_every_;
  Shown shown_;
  LiveLine live_;
};

/// A live line that says what is being done before anything is to be told, and for how long, once
/// that takes longer than a second. Nothing where stderr is no terminal.
class Preparing {
 public:
  Preparing();
  ~Preparing();
  Preparing(const Preparing&) = delete;
  Preparing& operator=(const Preparing&) = delete;

  void now(std::string what);  // the next thing
  void done(double part);      // of it, in [0, 1]

 private:
  void show();  // in a thread, until stop_

  LiveLine live_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string what_;
  double done_ = 0;
  std::chrono::steady_clock::time_point begin_;  // of what_
  bool stop_ = false;
  std::thread thread_;
};

std::string step_text(const StepReport& report);  // "step 12/1600  loss 3.2  ppl 24.5  9000 tok/s"
std::string duration_text(double seconds);        // "42 s", "3 min 05 s", "2 h 10 min"

}  // namespace heed::cli
