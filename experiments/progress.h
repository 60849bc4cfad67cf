#pragma once

#include <iosfwd>
#include <string>

#include "training/trainer.h"

namespace heed {

std::string duration_text(double seconds);        // "42 s", "3 min 05 s", "2 h 10 min"
std::string step_text(const StepReport& report);  // "step 12/1600  loss 3.2  ppl 24.5  9000 tok/s"
/// step_text() and the time that is left.
std::string progress_text(const StepReport& report);
/// "step 400  validation loss 1.2345  ppl 3.437  (best)"
std::string evaluation_text(const EvaluationReport& report);
/// "best: the mean of the last 4 checkpoints, validation loss 1.2340 (1.2500 alone)"
std::string average_text(const AverageReport& report);

/// What a training tells beside the numbers of Observers.
struct TrainingObservers : Observers {
  /// Gets each line about the run: its data, its plan, warnings, validations, sample outputs.
  std::function<void(const std::string&)> on_line = {};
};

/// Observers that write lines to a stream: those of on_line, and one every `every` steps. The
/// stream must outlive them.
TrainingObservers progress_to(std::ostream& out, Index every = 50);

}  // namespace heed
