#pragma once

#include <chrono>
#include <condition_variable>
#include <iosfwd>
#include <mutex>
#include <string>
#include <thread>

#include "experiments/distillation.h"
#include "experiments/observers.h"
#include "experiments/progress.h"

namespace heed {

/// Where progress is shown: a stream, and the file descriptor that it writes to.
struct Terminal {
  std::ostream* out;
  int descriptor;
};

/// One line of a terminal that is redrawn in place: a bar and a text. Shows nothing where the
/// stream does not go to a terminal. One thread uses an object.
class LiveLine {
 public:
  explicit LiveLine(Terminal terminal);
  ~LiveLine() { clear(); }
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  bool terminal() const { return terminal_; }
  /// `done`: the part that is done, in [0, 1]. `now`: seconds on any clock; the line is redrawn at
  /// most ten times a second.
  void show(const std::string& text, double done, double now);
  void clear();

 private:
  Terminal to_;
  bool terminal_;
  bool live_ = false;
  double shown_ = -1;
};

/// Shows a training: its lines, and its steps as a live line on a terminal, else as a
/// line every `log_every` steps.
class TrainingDisplay {
 public:
  TrainingDisplay(Terminal terminal, Index log_every)
      : to_(terminal), log_every_(log_every), live_(terminal) {}
  /// They refer to this display.
  TrainingObservers observers();
  void clear() { live_.clear(); }

 private:
  Terminal to_;
  Index log_every_;
  LiveLine live_;
};

/// Shows a teacher that translates: its lines, and how far it is as a live line on a terminal, else
/// as a line every tenth.
class DistillationDisplay {
 public:
  explicit DistillationDisplay(Terminal terminal) : to_(terminal), live_(terminal) {}
  /// They refer to this display.
  DistillationObservers observers();

 private:
  void show(Index done, Index lines, double left);

  Terminal to_;
  LiveLine live_;
  double next_ = 0.1;  // the part at which the next line is due, where there is no terminal
};

/// A live line for the preparation before training: what is being done, and for how long. It
/// appears once a task takes longer than a second, and only on a terminal. Its thread redraws the
/// line.
class PreparationDisplay {
 public:
  explicit PreparationDisplay(Terminal terminal);
  ~PreparationDisplay();
  PreparationDisplay(const PreparationDisplay&) = delete;
  PreparationDisplay& operator=(const PreparationDisplay&) = delete;

  /// It refers to this display.
  PreparationObserver observer(ShouldStop should_stop = {});
  /// Prints a line in place of the live one. Any thread may call it.
  void print(const std::string& line);

 private:
  void begin(std::string task);
  void done(double part);  // of the task, in [0, 1]
  void show();             // runs in thread_ until stop_

  Terminal to_;
  LiveLine live_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string task_;
  double done_ = 0;
  std::chrono::steady_clock::time_point begin_;  // of the task
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace heed
