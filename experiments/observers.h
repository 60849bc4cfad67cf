#pragma once

#include <functional>
#include <string>

#include "experiments/inference/interrupted.h"

namespace heed {

/// What a long preparation tells while it runs, and whether it should end: reading data, learning a
/// vocabulary. Every function may be left out.
struct PreparationObserver {
  std::function<void(const std::string& task)> on_task = {};  // "reading train.de train.en"
  std::function<void(double part)> on_progress = {};          // of the task, in [0, 1]
  ShouldStop should_stop = {};

  void begin(const std::string& task) const {
    if (on_task) on_task(task);
  }
  void done(double part) const {
    if (on_progress) on_progress(part);
  }
};

}  // namespace heed
