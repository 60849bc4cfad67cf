#include "experiments/progress.h"

#include <algorithm>
#include <cmath>
#include <ostream>

namespace heed {

std::string duration_text(double seconds) {
  const auto whole = static_cast<Index>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string step_text(const StepReport& r) {
  const std::string count =
      r.steps > 0 ? fmt::format("step {}/{}", r.step, r.steps) : fmt::format("step {}", r.step);
  const std::string perplexity =
      r.perplexity >= 1e4 ? ">10000" : fmt::format("{:.2f}", r.perplexity);
  const std::string skipped = r.skipped > 0 ? fmt::format("  {} skipped", r.skipped) : "";
  return fmt::format("{}  loss {:.4f}  ppl {}  {:.0f} tok/s{}", count, r.loss, perplexity,
                     r.tokens_per_s, skipped);
}

std::string progress_text(const StepReport& r) {
  return fmt::format("{}  {} left", step_text(r), duration_text(r.seconds_left));
}

std::string evaluation_text(const EvaluationReport& r) {
  const double loss = r.evaluation.loss;
  return fmt::format("step {}  validation loss {:.4f}  ppl {:.3f}{}", r.step, loss, std::exp(loss),
                     r.best ? "  (best)" : "");
}

std::string average_text(const AverageReport& r) {
  if (r.chosen > 1)
    return fmt::format(
        "best: the mean of the last {} checkpoints, validation loss {:.4f} ({:.4f} "
        "alone)",
        r.chosen, r.best_loss, r.alone_loss);
  const auto lower = [](const AverageReport::Try& a, const AverageReport::Try& b) {
    return a.evaluation.loss < b.evaluation.loss;
  };
  const auto mean = std::min_element(r.tries.begin(), r.tries.end(), lower);
  if (mean == r.tries.end()) return "";
  return fmt::format(
      "best: step {}, validation loss {:.4f} ({:.4f} as the mean of the last {} checkpoints)",
      r.best_step, r.best_loss, mean->evaluation.loss, mean->weights);
}

TrainingObservers progress_to(std::ostream& out, Index every) {
  TrainingObservers observers;
  observers.on_line = [&out](const std::string& line) { out << line << '\n' << std::flush; };
  observers.on_step = [&out, every](const StepReport& report) {
    if (report.step % every == 0) out << progress_text(report) << '\n' << std::flush;
  };
  return observers;
}

}  // namespace heed
