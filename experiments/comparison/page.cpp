#include "experiments/comparison/page.h"

#include <fstream>

#include <nlohmann/json.hpp>

#include "experiments/report/chart.h"
#include "experiments/report/number_text.h"
#include "experiments/report/page.h"
#include "framework/error.h"

namespace heed::cli {

namespace {

plots::LineChart learning_curves(const std::vector<Curve>& curves, const char* x_label,
                                 std::vector<double> Curve::*xs) {
  plots::LineChart chart{.title = fmt::format("Validation loss by {}", x_label),
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

plots::BarChart by_length(const ComparisonResult& c) {
  plots::BarChart chart{
      .title = "Test BLEU by length of the source", .x_label = "words", .y_label = "BLEU"};
  for (const LengthBucket& b : c.buckets)
    chart.categories.push_back(b.text());
  for (const ModelSummary& m : c.models) {
    plots::BarSeries series{.model = m.model};
    for (const Spread& s : m.by_length) {
      series.values.push_back(s.mean);
      series.errors.push_back(s.deviation.value_or(0));
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

plots::Table models_table(const std::vector<ModelSummary>& models) {
  plots::Table table{.caption = "Mean ± standard deviation over seeds",
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

plots::Table pairs_table(const std::vector<ModelPair>& pairs) {
  plots::Table table{
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
                           const ComparisonResult& result, const std::vector<Curve>& curves,
                           const std::vector<std::string>& notes) {
  plots::Page page(title);
  page.table(models_table(result.models));
  page.figure(plots::line_chart(learning_curves(curves, "step", &Curve::steps)),
              "Thin lines: one run each. Thick lines: the mean of a model's runs.");
  page.figure(plots::line_chart(learning_curves(curves, "second", &Curve::seconds)),
              "The same by time of training.");
  page.figure(plots::bar_chart(by_length(result)),
              "Mean over seeds; the bars are a standard deviation.");
  if (!result.pairs.empty()) page.table(pairs_table(result.pairs));
  page.notes(notes);
  page.write(path);
}

}  // namespace heed::cli
