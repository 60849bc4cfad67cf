#include "experiments/comparison/internal/compared_outputs.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <span>

#include "datasets/metrics/metrics.h"
#include "experiments/comparison/line_groups.h"
#include "experiments/line_choice.h"
#include "experiments/report/text.h"

namespace heed {

namespace {

constexpr LineCounts shown_lines{4, 0, 4};  // where models differ most, and at random
constexpr Index drawn_seed = 1;
constexpr int shown_columns = 600;

bool repeats(const std::vector<std::string>& words) {
  constexpr std::ptrdiff_t run = 4;
  std::set<std::vector<std::string>> seen;
  for (auto word = words.begin(); words.end() - word >= run; ++word)
    if (!seen.insert({word, word + run}).second) return true;
  return false;
}

/// The first run of each model, which stands for it.
std::vector<const RunResult*> first_runs(const Comparison& comparison) {
  std::vector<const RunResult*> runs;
  for (const ModelSummary& model : comparison.models)
    for (const RunResult& run : comparison.runs)
      if (run.model == model.model && run.seed == 1) runs.push_back(&run);
  return runs;
}

report::Table faults_table(const Comparison& comparison, const TestSet& test) {
  report::Table table{.caption =
                          "Outputs at a glance, as means over the seeds: words to those of "
                          "the references, outputs without a word, outputs in which four "
                          "words in a row occur twice",
                      .header = {"model", "length ratio", "empty %", "repeating %"}};
  for (const ModelSummary& model : comparison.models) {
    OutputFaults mean;
    double runs = 0;
    for (const RunResult& run : comparison.runs) {
      if (run.model != model.model) continue;
      const OutputFaults found = faults_of(run.hypotheses, test.references);
      mean.length_ratio += found.length_ratio;
      mean.empty += found.empty;
      mean.repeating += found.repeating;
      ++runs;
    }
    table.rows.push_back({model.model, fmt::format("{:.3f}", mean.length_ratio / runs),
                          fmt::format("{:.2f}", 100 * mean.empty / runs),
                          fmt::format("{:.2f}", 100 * mean.repeating / runs)});
  }
  return table;
}

report::Table line_table(const ChosenLine& chosen, const TestSet& test,
                         const std::vector<const RunResult*>& runs,
                         const std::vector<std::vector<double>>& scores,
                         const ComparedFigure& figure) {
  const std::size_t line = chosen.line;
  const auto cut = [](const std::string& text) { return report::shortened(text, shown_columns); };
  report::Table table{.caption = fmt::format("Line {}", line + 1),
                      .header = {"", "", figure.title}};
  table.rows.push_back({"source", cut(test.sources[line]), ""});
  table.rows.push_back({"reference", cut(test.references[line]), ""});
  for (std::size_t i = 0; i < runs.size(); ++i)
    table.rows.push_back({runs[i]->model, cut(runs[i]->hypotheses[line]),
                          fmt::format("{:.{}f}", figure.factor * scores[i][line], figure.digits)});
  return table;
}

/// How far apart the models are on each line.
std::vector<double> spreads(const std::vector<std::vector<double>>& scores, std::size_t lines) {
  std::vector<double> found;
  for (std::size_t line = 0; line < lines; ++line) {
    double low = scores.front()[line];
    double high = low;
    for (const std::vector<double>& of_model : scores) {
      low = std::min(low, of_model[line]);
      high = std::max(high, of_model[line]);
    }
    found.push_back(low - high);  // the furthest first
  }
  return found;
}

}  // namespace

OutputFaults faults_of(const std::vector<std::string>& outputs,
                       const std::vector<std::string>& references) {
  OutputFaults found;
  double written = 0;
  double wanted = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::vector<std::string> words = words_of(outputs[i]);
    written += static_cast<double>(words.size());
    wanted += static_cast<double>(words_of(references[i]).size());
    found.empty += words.empty();
    found.repeating += repeats(words);
  }
  const auto lines = static_cast<double>(std::max<std::size_t>(1, outputs.size()));
  return {written / std::max(wanted, 1.0), found.empty / lines, found.repeating / lines};
}

void add_compared_outputs(report::Page& page, const Comparison& comparison, const TestSet& test) {
  const ComparedFigure& figure = comparison.figures.front();
  const Metric& metric = metrics().at(figure.metric);
  const std::vector<const RunResult*> runs = first_runs(comparison);
  if (metric.scored != Scored::texts || runs.empty()) return;
  page.heading("Outputs");
  page.table(faults_table(comparison, test));
  std::vector<std::vector<double>> scores;
  for (const RunResult* run : runs)
    scores.push_back(metric.item_scores(run->hypotheses, std::span(&test.references, 1),
                                        metric_options(metric, figure.options)));
  const auto chosen =
      choose_lines(spreads(scores, test.sources.size()), test.sources, shown_lines, drawn_seed);
  const auto show = [&](ChosenLine::Why why, const std::string& about) {
    const auto is = [why](const ChosenLine& line) { return line.why == why; };
    if (std::none_of(chosen.begin(), chosen.end(), is)) return;
    page.paragraph(about);
    for (const ChosenLine& line : chosen)
      if (line.why == why) page.table(line_table(line, test, runs, scores, figure));
  };
  show(ChosenLine::Why::worst, "Lines on which the models differ most, by their first seeds:");
  show(ChosenLine::Why::random, fmt::format("Lines drawn at random (seed {}):", drawn_seed));
}

}  // namespace heed
