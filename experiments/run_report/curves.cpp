#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "experiments/report/chart.h"
#include "experiments/run_report/internal/sections.h"

namespace heed {

namespace {

using Values = std::vector<double>;

/// Where steps are on another axis.
struct Axis {
  std::string name;
  // Known steps, ascending, and where they are.
  Values steps = {};
  Values places = {};

  /// Between known steps linear, from (0, 0) on; behind the last as between the last two.
  double at(double step) const {
    if (steps.empty()) return std::numeric_limits<double>::quiet_NaN();
    const auto next = std::lower_bound(steps.begin(), steps.end() - 1, step) - steps.begin();
    const auto to = static_cast<std::size_t>(next);
    const double from_step = to > 0 ? steps[to - 1] : 0;
    const double from = to > 0 ? places[to - 1] : 0;
    return from + (places[to] - from) * (step - from_step) / (steps[to] - from_step);
  }
};

/// The tokens read up to each row; no places where rows do not say, as those of earlier versions.
Axis token_axis(const std::vector<MetricsRow>& rows) {
  Axis axis{"token read"};
  double sum = 0;
  for (const MetricsRow& row : rows) {
    sum += row.at("tokens");
    if (!std::isfinite(sum)) return {"token read"};
    axis.steps.push_back(static_cast<double>(row.step));
    axis.places.push_back(sum);
  }
  return axis;
}

/// The seconds of training at each row of either kind.
Axis second_axis(const RunMetrics& metrics) {
  std::map<Index, double> seconds;
  for (const auto* rows : {&metrics.train, &metrics.valid})
    for (const MetricsRow& row : *rows)
      if (std::isfinite(row.at("seconds"))) seconds.emplace(row.step, row.at("seconds"));
  Axis axis{"second"};
  for (const auto& [step, second] : seconds) {
    axis.steps.push_back(static_cast<double>(step));
    axis.places.push_back(second);
  }
  return axis;
}

/// The row with the lowest loss; null where no loss is a number.
const MetricsRow* best_of(const std::vector<MetricsRow>& rows) {
  const MetricsRow* best = nullptr;
  for (const MetricsRow& row : rows)
    if (std::isfinite(row.at("loss")) && (!best || row.at("loss") < best->at("loss"))) best = &row;
  return best;
}

std::string name_of(const RunEvent& event) {
  switch (event.kind) {
    case RunEvent::Kind::resumed:
      return "resumed";
    case RunEvent::Kind::stopped:
      return "stopped";
    case RunEvent::Kind::warned:
      return "warning";
    case RunEvent::Kind::ended:
      return "done";
  }
  return "";
}

/// Marks by step. What happened before the first step or at the end needs none.
std::vector<report::Mark> marks_of(const RunMetrics& metrics, const std::vector<RunEvent>& events) {
  std::vector<report::Mark> marks;
  if (const MetricsRow* best = best_of(metrics.valid))
    marks.push_back({static_cast<double>(best->step), "best",
                     fmt::format("the lowest validation loss, {:.4f}, at step {}", best->at("loss"),
                                 best->step)});
  for (const RunEvent& event : events) {
    if (event.kind == RunEvent::Kind::ended || event.step == 0) continue;
    marks.push_back({static_cast<double>(event.step), name_of(event),
                     fmt::format("{} at step {}{}{}", name_of(event), event.step,
                                 event.text.empty() ? "" : ": ", event.text)});
  }
  std::stable_sort(marks.begin(), marks.end(),
                   [](const auto& a, const auto& b) { return a.x < b.x; });
  return marks;
}

/// Draws charts of the rows of a training along several axes.
class Curves {
 public:
  Curves(const RunMetrics& metrics, const std::vector<RunEvent>& events)
      : metrics_(metrics),
        steps_(column_of(metrics.train, "step")),
        marks_(marks_of(metrics, events)) {}

  std::string losses(const Axis& axis, const std::string& unit) const {
    report::LineChart chart{.title = "Loss by " + axis.name,
                            .x_label = axis.name,
                            .y_label = "cross entropy in nats " + unit,
                            .log_y = true};
    const auto add = [&](const char* name, const std::vector<MetricsRow>& rows) {
      report::Series series{.name = name, .model = name, .ys = column_of(rows, "loss")};
      for (const MetricsRow& row : rows)
        series.xs.push_back(axis.at(static_cast<double>(row.step)));
      if (!rows.empty()) chart.series.push_back(std::move(series));
    };
    add("training", metrics_.train);
    add("validation", metrics_.valid);
    chart.marks = marks_;
    for (report::Mark& mark : chart.marks)
      mark.x = axis.at(mark.x);
    return report::line_chart(chart);
  }

  std::string of_column(const char* title, const char* column, const char* unit, bool log) const {
    return report::line_chart({.title = title,
                               .x_label = "step",
                               .y_label = unit,
                               .log_y = log,
                               .series = {{.name = column,
                                           .model = title,
                                           .xs = steps_,
                                           .ys = column_of(metrics_.train, column)}},
                               .marks = marks_});
  }

 private:
  const RunMetrics& metrics_;
  Values steps_;
  std::vector<report::Mark> marks_;
};

}  // namespace

void add_curves(report::Page& page, const RunMetrics& metrics, const std::vector<RunEvent>& events,
                const std::string& unit) {
  page.heading("How it learnt");
  if (metrics.train.empty() && metrics.valid.empty()) {
    page.paragraph("No step is logged yet.");
    return;
  }
  const Curves curves(metrics, events);
  const Axis by_step{"step", {1}, {1}};  // a step is where its number is
  const Axis by_second = second_axis(metrics);
  const Axis by_token = token_axis(metrics.train);
  page.choices({{"by step", curves.losses(by_step, unit)},
                {"by second", curves.losses(by_second, unit)},
                {"by token", curves.losses(by_token, unit)}},
               "A dashed line marks where the validation loss was lowest, and where the run was "
               "stopped, resumed or warned of something. Seconds are those of training: a pause "
               "takes none.");
  page.choices({{"speed", curves.of_column("Speed", "tokens_per_s", "tokens a second", false)},
                {"learning rate", curves.of_column("Learning rate", "lr", "learning rate", false)},
                {"gradient", curves.of_column("Norm of the gradient", "gradient_norm",
                                              "L2 norm before clipping", true)}});
}

void add_events(report::Page& page, const std::vector<RunEvent>& events) {
  if (events.empty()) return;
  report::Table table{.caption = "What happened, from log.txt", .header = {"step", "event"}};
  for (const RunEvent& event : events)
    table.rows.push_back({fmt::format("{}", event.step),
                          name_of(event) + (event.text.empty() ? "" : ": ") + event.text});
  page.table(table);
}

}  // namespace heed
