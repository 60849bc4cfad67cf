#pragma once

#include <vector>

#include "experiments/inference/attended_line.h"
#include "experiments/inference/run.h"
#include "experiments/internal/evaluations.h"
#include "experiments/report/page.h"
#include "experiments/run_metrics.h"
#include "experiments/run_report/run_report.h"

// The parts of a report. Each adds its heading and what stands below it.

namespace heed {

/// The loss by step, second and token, and the rate, norm and speed by step. `unit`: of the loss,
/// "a token".
void add_curves(report::Page& page, const RunMetrics& metrics, const std::vector<RunEvent>& events,
                const std::string& unit);
/// What happened: warnings, stops, resumes, the end.
void add_events(report::Page& page, const std::vector<RunEvent>& events);

/// Figures of an evaluation as a table.
void add_figures(report::Page& page, const std::vector<EvaluationFigure>& figures);

/// TaskWork::report of each task.
void add_translations(report::Page& page, const Run& run, const ReportOptions& options,
                      const ShouldStop& should_stop);
void add_labels(report::Page& page, const Run& run, const ReportOptions& options,
                const ShouldStop& should_stop);
void add_continued_text(report::Page& page, const Run& run, const ReportOptions& options,
                        const ShouldStop& should_stop);

/// The pairs that a report looks at. Throws Error where they cannot be read.
std::unique_ptr<PairSource> open_report_pairs(const Run& run, const ReportOptions& options);
/// What was evaluated, for people.
std::string evaluated_text(const ReportOptions& options, const PairSource& pairs);
/// Options of an evaluation on the same.
EvaluationData evaluation_data(const ReportOptions& options);

/// Pictures of the attention for each line, folded, until they would make the page too large. Says
/// how they are read before the first, and at the end what is left out.
class AttentionPictures {
 public:
  /// `any`: whether there are any; else it says nothing.
  AttentionPictures(report::Page& page, bool any);

  /// The element of a line, to be added to the page; "" where there is nothing to show.
  std::string of(const AttendedLine& line);
  void end();

 private:
  report::Page& page_;
  std::size_t bytes_ = 0;
  Index number_ = 0;
  bool left_out_ = false;
};
/// What each head attends to on average.
void add_heads(report::Page& page, const std::vector<AttendedLine>& lines);

/// How the weights of each parameter are distributed.
void add_weights(report::Page& page, Model& model);

}  // namespace heed
