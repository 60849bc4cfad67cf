#include "experiments/comparison/page.h"

#include "experiments/comparison/internal/compared_outputs.h"
#include "experiments/comparison/internal/figure_texts.h"
#include "experiments/comparison/internal/tuning.h"
#include "experiments/report/chart.h"
#include "experiments/report/page.h"
#include "experiments/run_metrics.h"

namespace heed {

namespace {

report::LineChart learning_curves(const std::vector<Curve>& curves, const char* x_label,
                                  std::vector<double> Curve::*xs) {
  report::LineChart chart{.title = fmt::format("Validation loss by {}", x_label),
                          .x_label = x_label,
                          .y_label = "cross entropy in nats",
                          .log_y = true};
  for (const Curve& c : curves)
    chart.series.push_back({.name = fmt::format("{} seed {}", c.model, c.seed),
                            .model = c.model,
                            .xs = c.*xs,
                            .ys = c.loss});
  return chart;
}

report::BarChart by_groups(const Comparison& c, std::size_t number) {
  const ComparedFigure& figure = c.figures[0];
  const Grouping& grouping = c.groupings[number];
  report::BarChart chart{.title = fmt::format("Test {} {}", figure.title, grouping.title),
                         .x_label = grouping.axis,
                         .y_label = figure.title};
  for (const LineGroup& group : grouping.groups)
    chart.categories.push_back(group.title);
  for (const ModelSummary& m : c.models) {
    report::BarSeries series{.model = m.model};
    for (const Spread& s : m.grouped[number]) {
      series.values.push_back(figure.factor * s.mean);
      series.errors.push_back(figure.factor * s.deviation.value_or(0));
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

report::Table models_table(const Comparison& comparison) {
  report::Table table{.caption = "Mean ± standard deviation over seeds",
                      .header = {"model", "parameters", "width", "steps", "tokens/s", "seconds",
                                 "peak MB", "valid ppl"}};
  for (const std::string& title : figure_titles(comparison))
    table.header.push_back(title);
  for (const ModelSummary& m : comparison.models) {
    table.rows.push_back({m.model, fmt::format("{}", m.parameters), fmt::format("{}", m.d),
                          fmt::format("{:.0f}", m.steps.mean),
                          fmt::format("{:.0f}", m.tokens_per_s.mean),
                          fmt::format("{:.0f}", m.seconds.mean),
                          fmt::format("{:.0f}", m.peak_mb.mean), to_text(m.perplexity, 3)});
    for (const std::string& text : figure_texts(comparison, m))
      table.rows.back().push_back(text);
  }
  return table;
}

report::Table costs_table(const Comparison& comparison) {
  auto rows = cost_rows(comparison);
  report::Table table{
      .caption =
          "What a model costs: parameters without a row for each token, floating-point "
          "operations of the first step, writing one text at a time, and what is kept of it",
      .header = rows.front()};
  table.rows.assign(rows.begin() + 1, rows.end());
  return table;
}

report::Table pairs_table(const Comparison& comparison) {
  report::Table table{
      .caption = fmt::format("Paired bootstrap (Koehn 2004): {} test sets drawn with replacement. "
                             "p is adjusted for the number of pairs (Holm 1979)",
                             comparison.resamples),
      .header = {"better", "worse", comparison.figures[0].title, "95 % of test sets", "better on",
                 "verdict", "Holm p"}};
  for (const ModelPair& pair : comparison.pairs) {
    const PairText text = pair_text(comparison, pair);
    table.rows.push_back(
        {pair.better, pair.worse, text.mean, text.range, text.wins, text.verdict, text.holm});
  }
  return table;
}

report::Table tuning_table(const Comparison& comparison) {
  auto rows = tuning_rows(comparison.tunings);
  report::Table table{.caption = tuning_note(comparison.tunings), .header = rows.front()};
  table.rows.assign(rows.begin() + 1, rows.end());
  return table;
}

}  // namespace

Curve read_curve(const std::filesystem::path& run, const std::string& model, Index seed) {
  const std::vector<MetricsRow> rows = read_metrics(run).valid;
  return {.model = model,
          .seed = seed,
          .steps = column_of(rows, "step"),
          .seconds = column_of(rows, "seconds"),
          .loss = column_of(rows, "loss")};
}

report::Page comparison_page(const std::string& title, const Comparison& comparison,
                             const TestSet& test, const std::vector<Curve>& curves,
                             const std::vector<std::string>& budget) {
  report::Page page(title);
  page.notes(budget);
  page.table(models_table(comparison));
  if (!comparison.pairs.empty()) page.table(pairs_table(comparison));
  page.heading("What they cost");
  page.table(costs_table(comparison));
  if (!comparison.tunings.empty()) page.table(tuning_table(comparison));
  page.heading("How they learnt");
  page.choices(
      {{"by step", report::line_chart(learning_curves(curves, "step", &Curve::steps))},
       {"by second", report::line_chart(learning_curves(curves, "second", &Curve::seconds))}},
      "Thin lines: one run each. Thick lines: the mean of a model's runs. Seconds are those "
      "of training.");
  std::vector<report::FigureChoice> groups;
  for (std::size_t i = 0; i < comparison.groupings.size(); ++i)
    groups.push_back({comparison.groupings[i].title, report::bar_chart(by_groups(comparison, i))});
  if (!groups.empty()) {
    page.heading("Where they are good");
    page.choices(groups, "Mean over seeds; the bars are a standard deviation.");
  }
  add_compared_outputs(page, comparison, test);
  return page;
}

}  // namespace heed
