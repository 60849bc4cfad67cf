#include "experiments/comparison/page.h"

#include <fstream>

#include <nlohmann/json.hpp>

#include "experiments/report/chart.h"
#include "experiments/report/number_text.h"
#include "experiments/report/page.h"

namespace heed {

namespace {

using report::signed_fixed;

report::LineChart learning_curves(const std::vector<Curve>& curves, const char* x_label,
                                  std::vector<double> Curve::*xs) {
  report::LineChart chart{.title = fmt::format("Validation loss by {}", x_label),
                          .x_label = x_label,
                          .y_label = "nats a token",
                          .log_y = true};
  for (const Curve& c : curves)
    chart.series.push_back({.name = fmt::format("{} seed {}", c.model, c.seed),
                            .model = c.model,
                            .xs = c.*xs,
                            .ys = c.loss});
  return chart;
}

report::BarChart by_length(const Comparison& c) {
  report::BarChart chart{
      .title = "Test BLEU by length of the source", .x_label = "words", .y_label = "BLEU"};
  for (const LengthBucket& b : c.buckets)
    chart.categories.push_back(b.text());
  for (const ModelSummary& m : c.models) {
    report::BarSeries series{.model = m.model};
    for (const Spread& s : m.by_length) {
      series.values.push_back(s.mean);
      series.errors.push_back(s.deviation.value_or(0));
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

report::Table models_table(const std::vector<ModelSummary>& models) {
  report::Table table{.caption = "Mean ± standard deviation over seeds",
                      .header = {"model", "parameters", "width", "steps", "tokens/s", "seconds",
                                 "peak MB", "valid ppl", "test BLEU", "exact %"}};
  for (const ModelSummary& m : models)
    table.rows.push_back(
        {m.model, fmt::format("{}", m.parameters), fmt::format("{}", m.d),
         fmt::format("{:.0f}", m.steps.mean), fmt::format("{:.0f}", m.tokens_per_s.mean),
         fmt::format("{:.0f}", m.seconds.mean), fmt::format("{:.0f}", m.peak_mb.mean),
         to_text(m.perplexity, 3), to_text(m.bleu, 2), to_text(m.exact, 1, 100)});
  return table;
}

report::Table pairs_table(const std::vector<ModelPair>& pairs) {
  report::Table table{
      .caption = "Paired bootstrap (Koehn 2004): 1,000 test sets drawn with replacement",
      .header = {"better", "worse", "BLEU", "95 % of test sets", "better on", "verdict"}};
  for (const ModelPair& p : pairs) {
    const PairedDifference& d = p.difference;
    table.rows.push_back({p.better, p.worse, signed_fixed(d.mean, 2),
                          fmt::format("{} to {}", signed_fixed(d.low, 2), signed_fixed(d.high, 2)),
                          fmt::format("{:.1f} %", 100 * d.wins),
                          d.significant() ? "significant" : "may be chance"});
  }
  return table;
}

}  // namespace

Curve read_curve(const std::filesystem::path& run, const std::string& model, Index seed) {
  Curve curve{model, seed, {}, {}, {}};
  std::ifstream in(run / "metrics.jsonl");
  for (std::string line; std::getline(in, line);) {
    const auto row = nlohmann::json::parse(line, nullptr, false);
    if (!row.is_object() || row.value("split", "") != "valid" || !row["loss"].is_number()) continue;
    curve.steps.push_back(row["step"]);
    curve.seconds.push_back(row["seconds"]);
    curve.loss.push_back(row["loss"]);
  }
  return curve;
}

void write_comparison_page(const std::string& path, const std::string& title,
                           const Comparison& comparison, const std::vector<Curve>& curves,
                           const std::vector<std::string>& notes) {
  report::Page page(title);
  page.table(models_table(comparison.models));
  page.figure(report::line_chart(learning_curves(curves, "step", &Curve::steps)),
              "Thin lines: one run each. Thick lines: the mean of a model's runs.");
  page.figure(report::line_chart(learning_curves(curves, "second", &Curve::seconds)),
              "The same by time of training.");
  page.figure(report::bar_chart(by_length(comparison)),
              "Mean over seeds; the bars are a standard deviation.");
  if (!comparison.pairs.empty()) page.table(pairs_table(comparison.pairs));
  page.notes(notes);
  page.write(path);
}

}  // namespace heed
