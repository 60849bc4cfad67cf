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

EvaluatedOutputs evaluate_labels(const Run& run, const PairSource& pairs,
                                 const ShouldStop& should_stop) {
  const auto& model = model_as<Classifier>(*run.model);
  const std::string items = run.tokenizers.reader ? run.settings.source.row().items : "lines";
  EvaluatedOutputs found{.figures = {{items, pairs.size()}}, .test = read_test_set(pairs)};
  const BatchOptions batches{.batch_tokens = run.settings.data.batch_tokens,
                             .max_length = std::max<Index>(0, model.longest() - 1),
                             .cut = true};
  const TotalLoss loss =
      total_loss(batch_loss(model), all_batches(pairs, run.tokenizers, batches), should_stop);
  found.outputs = best_labels(model, run.tokenizers, found.test.sources, should_stop);
  if (pairs.skipped() > 0) found.figures.push_back({"skipped", pairs.skipped()});
  found.figures.push_back({"loss", loss.per_token()});
  add_scores(found.figures, found.outputs, found.test);
  return found;
}

std::vector<EvaluationFigure> evaluate_labelled(const Run& run, const EvaluationData& on,
                                                const ShouldStop& should_stop) {
  if (on.data.empty())
    fail("nothing to evaluate on; give labelled {}, or a built-in corpus such as {}",
         run.settings.source.row().items, run.tokenizers.reader ? "toy:shapes" : "toy:reviews");
  return evaluate_labels(run, *open_pairs_for(run, on), should_stop).figures;
}

}  // namespace heed
