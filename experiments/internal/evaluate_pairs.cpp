#include <string_view>

#include "datasets/metrics/metrics.h"
#include "datasets/metrics/perplexity.h"
#include "datasets/text/batching.h"
#include "datasets/text/utf8.h"
#include "experiments/corpus.h"
#include "experiments/inference/test_set.h"
#include "experiments/internal/evaluations.h"
#include "experiments/internal/perplexities.h"
#include "experiments/text_objective.h"

namespace heed {

namespace {

using Figures = std::vector<EvaluationFigure>;

/// The number of code points of the references that are predicted. The end of each line counts as
/// one. Of a line of more than `longest` tokens only the first `longest` count; 0: all do.
Index predicted_characters(const TestSet& test, const Tokenizer& tokenizer, Index longest) {
  std::size_t characters = 0;
  for (const std::string& line : test.references) {
    const bool cut = longest > 0 && std::ssize(tokenizer.encode(line)) > longest;
    const std::size_t end = cut ? end_of_tokens(tokenizer, line, longest) : line.size();
    characters += utf8::length(std::string_view(line).substr(0, end)) + 1;
  }
  return static_cast<Index>(characters);
}

/// The name of a metric's figure among others: "bleu" for its score, "rouge1" for rouge1.fmeasure.
std::string figure_name(const Metric& metric, const std::string& figure) {
  return figure == "score" ? metric.name : figure.substr(0, figure.find('.'));
}

/// The scores of outputs, by every metric.
void add_scores(Figures& figures, const std::vector<std::string>& outputs, const TestSet& test) {
  for (const Metric& metric : metrics().rows()) {
    if (metric.scored != Scored::texts) continue;
    const MetricScore found = score(metric.name, outputs, {test.references});
    for (const std::string& figure : metric.main)
      figures.push_back({figure_name(metric, figure), found.at(figure), metric.in_percent});
    const bool first = &metric == &metrics().rows().front();
    if (first) figures.push_back({"signature", found.signature});
  }
}

}  // namespace

std::unique_ptr<PairSource> open_pairs_for(const Run& run, const EvaluationData& on) {
  const DataSettings& of_run = run.settings.data;
  return open_evaluation_pairs(
      on.data, on.fields.empty() ? of_run.fields : on.fields, on.lines, on.split,
      {.blank_is_error = of_run.blank == "error", .labelled = run.settings.task.row().labelled},
      run.settings.source.row());
}

EvaluatedOutputs evaluate_translations(const Run& run, const PairSource& pairs,
                                       const EvaluationData& on, const ShouldStop& should_stop) {
  const auto& model = model_as<Seq2Seq>(*run.model);
  EvaluatedOutputs found{.figures = {{"lines", pairs.size()}}, .test = read_test_set(pairs)};
  const Index longest = std::max<Index>(0, model.longest() - 1);
  const BatchOptions batches{.batch_tokens = run.settings.data.batch_tokens,
                             .max_length = longest,
                             .cut = true,
                             .widen = model.copies()};
  const TotalLoss loss =
      total_loss(batch_loss(model), all_batches(pairs, run.tokenizers, batches), should_stop);
  if (pairs.skipped() > 0) found.figures.push_back({"skipped", pairs.skipped()});
  add_perplexities(found.figures, loss,
                   predicted_characters(found.test, *run.tokenizers.target, longest));
  DecodeOptions options = run.decode_options();
  if (on.beam > 0) options.beam = on.beam;
  if (on.length_penalty >= 0) options.length_penalty = static_cast<Real>(on.length_penalty);
  found.outputs =
      best_translations(run.decoder(), run.tokenizers, found.test, options, should_stop);
  add_scores(found.figures, found.outputs, found.test);
  return found;
}

std::vector<EvaluationFigure> evaluate_pairs(const Run& run, const EvaluationData& on,
                                             const ShouldStop& should_stop) {
  if (on.data.empty())
    fail("nothing to evaluate on; give files or a built-in corpus such as toy:translation");
  return evaluate_translations(run, *open_pairs_for(run, on), on, should_stop).figures;
}

}  // namespace heed
