#pragma once

#include <fstream>
#include <string>

#include "optim/trainer.h"

namespace heed::cli {

/// Shows how training goes on stderr: one live line on a terminal, a line now and then elsewhere. Lines also go to a log file.
class Progress {
 public:
  Progress(const std::string& log_path, Index log_every);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void step(const StepReport& report);
  /// A line that stays, above the live one.
  void line(const std::string& text);

 private:
  void clear();
  std::ofstream log_;
  Index log_every_;
  bool terminal_, live_ = false;
  double shown_ = -1;  // seconds at the last redraw
};

std::string duration_text(double seconds);  // "42 s", "3 min 05 s", "2 h 10 min"

}  // namespace heed::cli
