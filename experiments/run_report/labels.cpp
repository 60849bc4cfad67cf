#include <algorithm>

#include "experiments/inference/prediction.h"
#include "experiments/line_choice.h"
#include "experiments/report/attention_page.h"
#include "experiments/report/heat_map.h"
#include "experiments/report/picture_map.h"
#include "experiments/report/text.h"
#include "experiments/run_report/internal/sections.h"
#include "models/classifier.h"

namespace heed {

namespace {

constexpr LineCounts shown_items{4, 4, 4};
constexpr std::size_t most_classes = 40;  // of a drawn table of confusions
constexpr std::size_t shown_classes = 3;  // of a line
constexpr int shown_columns = 2000;

/// The confusion matrix as a map: a row for each gold label, in shares of its items.
void add_confusion(report::Page& page, const Confusion& confusion) {
  if (confusion.labels.size() > most_classes) return;
  const std::vector<std::vector<Index>> counts = confusion.counts();
  std::vector<float> shares;
  for (const std::vector<Index>& row : counts) {
    Index sum = 0;
    for (const Index count : row)
      sum += count;
    for (const Index count : row)
      shares.push_back(static_cast<float>(count) / static_cast<float>(std::max<Index>(1, sum)));
  }
  const auto classes = static_cast<Index>(counts.size());
  const report::HeatMap map{.source = confusion.labels,
                            .target = confusion.labels,
                            .weights = shares,
                            .cell = report::fitting_cell(classes, classes, 560, 12, 40)};
  page.figure(report::heat_map(map).element("confusion matrix"),
              "Which labels are mistaken for which: a row is a true label, a column the predicted "
              "one. Shares of the items of a row.");
}

std::string candidates_text(const std::vector<Prediction>& found) {
  std::string text;
  for (std::size_t i = 0; i < std::min(shown_classes, found.size()); ++i)
    text += fmt::format("{}{} {:.4f}", i > 0 ? ", " : "", found[i].label, found[i].probability);
  return text;
}

/// What was attended to, or where that is not known, the picture that was read.
std::string picture_of(const AttendedLine& line, AttentionPictures& pictures) {
  if (!line.picture || !line.layers.empty()) return pictures.of(line);
  return report::picture_alone(*line.picture).element("the picture");
}

std::string element_of(const ChosenLine& chosen, const TestSet& test,
                       const std::vector<Prediction>& found, const AttendedLine& attended,
                       AttentionPictures& pictures) {
  const auto text = [](const std::string& of) {
    return report::escape(report::readable(report::shortened(of, shown_columns)));
  };
  return fmt::format(
      "<section class=\"output\" id=\"output-{0}\">\n<h3>item {0}, {1}</h3>\n"
      "<div class=\"scroll\"><table class=\"sides\">\n<tr><th>source</th><td "
      "dir=\"auto\">{2}</td></tr>\n<tr><th>label</th><td>{3}</td></tr>\n"
      "<tr><th>predicted</th><td>{4}</td></tr>\n</table></div>\n{5}</section>\n",
      chosen.line + 1, chosen.reason(), text(test.sources[chosen.line]),
      text(test.references[chosen.line]), text(candidates_text(found)),
      picture_of(attended, pictures));
}

double probability_of(const std::vector<Prediction>& found, const std::string& label) {
  for (const Prediction& prediction : found)
    if (prediction.label == label) return prediction.probability;
  return 0;
}

}  // namespace

void add_labels(report::Page& page, const Run& run, const ReportOptions& options,
                const ShouldStop& should_stop) {
  const auto& model = model_as<Classifier>(*run.model);
  const auto pairs = open_report_pairs(run, options);
  const EvaluatedOutputs evaluated = evaluate_labels(run, *pairs, should_stop);
  page.heading("How good its labels are");
  page.paragraph(evaluated_text(options, *pairs));
  add_figures(page, evaluated.figures);
  for (const EvaluationFigure& figure : evaluated.figures)
    if (figure.confusion) add_confusion(page, *figure.confusion);

  const std::vector<std::string>& sources = evaluated.test.sources;
  const auto all = predict(model, run.tokenizers, sources);
  std::vector<double> scores;
  for (std::size_t i = 0; i < all.size(); ++i)
    scores.push_back(probability_of(all[i], evaluated.test.references[i]));
  const std::vector<ChosenLine> chosen = choose_lines(scores, sources, shown_items, options.seed);
  std::vector<std::string> shown;
  for (const ChosenLine& line : chosen)
    shown.push_back(sources[line.line]);
  std::vector<AttendedLine> attended(shown.size());
  const auto found = predict(model, run.tokenizers, shown, &attended);
  page.heading("Items");
  page.paragraph(
      fmt::format("Those whose true label was the least probable, those where it was the most, and "
                  "some drawn at random (seed {}).",
                  options.seed));
  AttentionPictures pictures(page, model.attends());
  for (std::size_t i = 0; i < chosen.size(); ++i)
    page.element(element_of(chosen[i], evaluated.test, found[i], attended[i], pictures));
  pictures.end();
}

}  // namespace heed
