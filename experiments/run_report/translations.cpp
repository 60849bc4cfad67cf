#include <algorithm>
#include <array>
#include <span>

#include "datasets/metrics/metrics.h"
#include "experiments/comparison/line_groups.h"
#include "experiments/corpus.h"
#include "experiments/inference/attention.h"
#include "experiments/inference/confidence.h"
#include "experiments/inference/nbest.h"
#include "experiments/line_choice.h"
#include "experiments/report/attention_page.h"
#include "experiments/report/chart.h"
#include "experiments/report/text.h"
#include "experiments/report/token_text.h"
#include "experiments/run_report/internal/sections.h"
#include "experiments/task_works.h"

namespace heed {

namespace {

constexpr LineCounts shown_lines{3, 3, 3};
constexpr std::size_t fewest_lines = 20;  // of a test set, to say something of its groups
constexpr int shown_columns = 2000;       // of a source or a reference
constexpr std::array<const char*, 3> ranks{"output", "second best", "third best"};

/// The figure by which lines are chosen: the one that decides comparisons of this task.
const ComparedFigure& figure_of(const Run& run) {
  return task_works().at(run.settings.task.name).compared.front();
}

/// What a report shows of one line.
struct ShownLine {
  ChosenLine chosen;
  double score = 0;
  std::string source;
  std::string reference;
  std::vector<Translation> found = {};                        // the best outputs, best first
  std::vector<std::vector<TokenConfidence>> confidence = {};  // of each of them
  AttendedLine attended = {};
};

std::string text_row(const char* name, const std::string& text) {
  return fmt::format("<tr><th>{}</th><td dir=\"auto\">{}</td></tr>\n", name,
                     report::escape(report::readable(report::shortened(text, shown_columns))));
}

std::string output_row(const std::string& name, const Translation& found,
                       const std::vector<TokenConfidence>& tokens) {
  return fmt::format(
      "<tr><th>{}</th><td dir=\"auto\">{}<br/><span class=\"quiet\">score {:.3f}, log probability "
      "{:.3f}, {} tokens{}</span></td></tr>\n",
      name, report::token_text(tokens), found.score, found.log_probability, tokens.size(),
      found.ended ? "" : ", cut");
}

std::string element_of(const ShownLine& line, const ComparedFigure& figure,
                       AttentionPictures& pictures) {
  std::string html =
      fmt::format("<section class=\"output\" id=\"output-{0}\">\n<h3>line {0}, {1}: {2}</h3>\n",
                  line.chosen.line + 1, line.chosen.reason(), figure.text(line.score));
  html += "<div class=\"scroll\"><table class=\"sides\">\n";
  html += text_row("source", line.source) + text_row("reference", line.reference);
  for (std::size_t i = 0; i < line.found.size(); ++i)
    html += output_row(ranks.at(i), line.found[i], line.confidence[i]);
  if (line.found.empty()) html += text_row("output", "");
  return html + "</table></div>\n" + pictures.of(line.attended) + "</section>\n";
}

/// The lines that are shown, by their scores.
std::vector<ShownLine> chosen_lines(const Run& run, const EvaluatedOutputs& evaluated, Index seed) {
  const ComparedFigure& figure = figure_of(run);
  const Metric& metric = metrics().at(figure.metric);
  const TestSet& test = evaluated.test;
  const std::vector<double> scores = metric.item_scores(
      evaluated.outputs, std::span(&test.references, 1), metric_options(metric, figure.options));
  std::vector<ShownLine> shown;
  for (const ChosenLine& chosen : choose_lines(scores, test.sources, shown_lines, seed)) {
    const std::size_t i = chosen.line;
    shown.push_back({chosen, scores[i], test.sources[i], test.references[i]});
  }
  return shown;
}

/// Adds how sure the model was of the output of each line that has this rank.
void add_confidences(const Run& run, const std::vector<std::string>& sources, std::size_t rank,
                     std::vector<ShownLine>& shown) {
  std::vector<std::vector<Translation>> ranked(shown.size());
  for (std::size_t i = 0; i < shown.size(); ++i)
    if (shown[i].found.size() > rank) ranked[i] = {shown[i].found[rank]};
  const auto found = confidences(run.decoder(), run.tokenizers, sources, ranked);
  for (std::size_t i = 0; i < shown.size(); ++i)
    if (!ranked[i].empty()) shown[i].confidence.push_back(found[i]);
}

/// The lines with their best outputs and what there is to see of these.
std::vector<ShownLine> look_at(const Run& run, const EvaluatedOutputs& evaluated,
                               const ReportOptions& options, const ShouldStop& should_stop) {
  std::vector<ShownLine> shown = chosen_lines(run, evaluated, options.seed);
  std::vector<std::string> sources;
  for (const ShownLine& line : shown)
    sources.push_back(line.source);
  DecodeOptions decoding = run.decode_options();
  decoding.nbest = std::min(static_cast<int>(ranks.size()), decoding.beam);
  const auto found = translate_nbest(run.decoder(), run.tokenizers, sources, decoding, 0);
  for (std::size_t i = 0; i < shown.size(); ++i)
    shown[i].found = found[i];
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    stop_if(should_stop);
    add_confidences(run, sources, rank, shown);
  }
  if (!attends(run.decoder())) return shown;
  const auto attended = attend(run.decoder(), run.tokenizers, sources, found);
  for (std::size_t i = 0; i < shown.size(); ++i)
    shown[i].attended = attended[i];
  return shown;
}

/// A chart of the figure for each group of lines.
std::string chart_of(const Grouping& grouping, const ComparedFigure& figure,
                     const EvaluatedOutputs& evaluated) {
  report::BarChart chart{.title = fmt::format("{} {}", figure.title, grouping.title),
                         .x_label = grouping.axis,
                         .y_label = figure.title,
                         .series = {{.model = figure.title}},
                         .bars = true};
  for (const LineGroup& group : grouping.groups) {
    std::vector<std::string> outputs;
    std::vector<std::string> references;
    for (const std::size_t line : group.lines) {
      outputs.push_back(evaluated.outputs[line]);
      references.push_back(evaluated.test.references[line]);
    }
    const MetricScore found = score(figure.metric, outputs, {references}, figure.options);
    const double value = found.at(metrics().at(figure.metric).main.front());
    chart.categories.push_back(fmt::format("{} (n = {})", group.title, group.lines.size()));
    chart.series[0].values.push_back(figure.factor * value);
  }
  return report::bar_chart(chart);
}

/// How good outputs are by the length of the source, and by how rare its words are.
void add_groups(report::Page& page, const Run& run, const EvaluatedOutputs& evaluated) {
  if (evaluated.outputs.size() < fewest_lines) return;
  std::vector<Grouping> groupings{by_length(evaluated.test.sources)};
  try {
    groupings.push_back(
        SeenSources(*open_pair_parts(run.settings).train).by_rarity(evaluated.test.sources));
  } catch (const Error& error) {
    page.paragraph(fmt::format("Rarity of words is not known: {}.", error.what()));
  }
  std::vector<report::FigureChoice> charts;
  for (const Grouping& grouping : groupings)
    charts.push_back({grouping.title, chart_of(grouping, figure_of(run), evaluated)});
  page.choices(charts);
}

}  // namespace

void add_translations(report::Page& page, const Run& run, const ReportOptions& options,
                      const ShouldStop& should_stop) {
  const auto pairs = open_report_pairs(run, options);
  const EvaluatedOutputs evaluated =
      evaluate_translations(run, *pairs, evaluation_data(options), should_stop);
  page.heading("How good its outputs are");
  page.paragraph(evaluated_text(options, *pairs));
  add_figures(page, evaluated.figures);
  add_groups(page, run, evaluated);
  page.heading("Outputs");
  page.paragraph(fmt::format(
      "The lines with the lowest and the highest score, and some drawn at random (seed {}). The "
      "stronger the line below a token, the less probable it was; rest the pointer on it for the "
      "candidates. A search returns the output with the highest score, which is the log "
      "probability over a penalty for short outputs, so the second best lost by the difference "
      "of the scores.",
      options.seed));
  std::vector<AttendedLine> attended;
  AttentionPictures pictures(page, attends(run.decoder()));
  for (const ShownLine& line : look_at(run, evaluated, options, should_stop)) {
    page.element(element_of(line, figure_of(run), pictures));
    attended.push_back(line.attended);
  }
  pictures.end();
  add_heads(page, attended);
}

}  // namespace heed
