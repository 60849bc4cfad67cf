#include "datasets/metrics/metrics.h"
#include "datasets/text/batching.h"
#include "experiments/corpus.h"
#include "experiments/inference/prediction.h"
#include "experiments/inference/test_set.h"
#include "experiments/internal/evaluations.h"
#include "experiments/text_objective.h"
#include "models/classifier.h"

namespace heed {

namespace {

using Figures = std::vector<EvaluationFigure>;

/// Adds what every metric of labels says of the predicted ones.
void add_scores(Figures& figures, const std::vector<std::string>& predicted, const TestSet& test) {
  for (const Metric& metric : metrics().rows()) {
    if (metric.scored != Scored::labels) continue;
    const MetricScore found = score(metric.name, predicted, {test.references});
    if (metric.counts)
      figures.push_back({metric.name, found.at(metric.main.front()), metric.in_percent});
    else if (found.confusion)
      figures.push_back({metric.name, found.text, false, found.confusion});
  }
}

}  // namespace

std::vector<EvaluationFigure> evaluate_labels(const Run& run, const EvaluationData& on,
                                              const ShouldStop& should_stop) {
  if (on.data.empty())
    fail("nothing to evaluate on; give labelled {}, or a built-in corpus such as {}",
         run.settings.source.row().items, run.tokenizers.reader ? "toy:shapes" : "toy:reviews");
  const auto& model = model_as<Classifier>(*run.model);
  const DataSettings& of_run = run.settings.data;
  const auto pairs = open_evaluation_pairs(
      on.data, on.fields.empty() ? of_run.fields : on.fields, on.lines, on.split,
      {.blank_is_error = of_run.blank == "error", .labelled = true}, run.settings.source.row());
  const TestSet test = read_test_set(*pairs);
  const BatchOptions batches{.batch_tokens = of_run.batch_tokens,
                             .max_length = std::max<Index>(0, model.longest() - 1),
                             .cut = true};
  const TotalLoss loss =
      total_loss(batch_loss(model), all_batches(*pairs, run.tokenizers, batches), should_stop);
  const std::vector<std::string> predicted =
      best_labels(model, run.tokenizers, test.sources, should_stop);
  Figures figures{
      {run.tokenizers.reader ? run.settings.source.row().items : "lines", pairs->size()}};
  if (pairs->skipped() > 0) figures.push_back({"skipped", pairs->skipped()});
  figures.push_back({"loss", loss.per_token()});
  add_scores(figures, predicted, test);
  return figures;
}

}  // namespace heed
