#include "experiments/evaluation.h"

#include <string_view>

#include "datasets/metrics/metrics.h"
#include "datasets/metrics/perplexity.h"
#include "datasets/text/batching.h"
#include "datasets/text/text_file.h"
#include "datasets/text/text_windows.h"
#include "datasets/text/utf8.h"
#include "experiments/corpus.h"
#include "experiments/inference/test_set.h"

namespace heed {

namespace {

using Figures = std::vector<EvaluationFigure>;

void add_perplexities(Figures& figures, const TotalLoss& loss, Index characters) {
  const Perplexity p{.nats = loss.sum, .tokens = loss.tokens, .characters = characters};
  figures.push_back({"loss", loss.per_token()});
  figures.push_back({"perplexity", p.per_token()});
  figures.push_back({"perplexity_per_character", p.per_character()});
}

Index context_of(const Run& run) { return run.settings.value_or("model.context", Index{64}); }

/// A text of which the tokens from `begin` on are evaluated.
struct EvaluatedText {
  std::string text;
  Index begin = 0;
};

/// Reads the text of the run's data.train or data.valid (`key`). Throws Error where it has another
/// fingerprint than the checkpoint says; older checkpoints do not say.
std::string text_of_run(const Run& run, const std::string& key, const std::string& path) {
  std::string text = read_text(path);
  const auto then = run.text.find(key);
  if (then != run.text.end() && then->second != fmt::format("{:016x}", hash_of(text, {})))
    fail(
        "{}: has changed since this run began; give the text it was trained on, or name another "
        "text to evaluate on",
        path);
  return text;
}

/// The text that the run was validated on.
EvaluatedText validation_text(const Run& run, Index batch) {
  const auto& d = run.settings.data;
  if (!d.valid.empty()) return {text_of_run(run, "data.valid", d.valid[0])};
  std::string text = text_of_run(run, "data.train", d.train[0]);
  const TextOptions options{
      .context = context_of(run), .batch = batch, .valid_fraction = d.valid_fraction};
  const TextWindows windows = TextWindows::of_texts(text, "", *run.tokenizers.target, options);
  const auto begin = static_cast<Index>(windows.train().size());
  return {std::move(text), begin};
}

Figures evaluate_text(const Run& run, const EvaluationData& on, const ShouldStop& should_stop) {
  if (on.data.size() > 1) fail("a language model is evaluated on one text file");
  const Tokenizer& tokenizer = *run.tokenizers.target;
  const Index context = context_of(run);
  const Index batch = std::max<Index>(1, run.settings.data.batch_tokens / context);
  const EvaluatedText chosen =
      on.data.empty() ? validation_text(run, batch) : EvaluatedText{read_text(on.data[0])};
  const std::vector<Id> ids = tokenizer.encode(chosen.text);
  const auto evaluated = std::span(ids).subspan(static_cast<std::size_t>(chosen.begin));
  const TotalLoss loss =
      total_loss(*run.model, consecutive_windows(evaluated, context, batch), should_stop);
  if (loss.tokens == 0) fail("nothing to evaluate: the text has fewer than two tokens");
  // The first token is given; all tokens after it are predicted.
  const std::size_t given = end_of_tokens(tokenizer, chosen.text, chosen.begin + 1);
  const std::size_t characters = utf8::length(std::string_view(chosen.text).substr(given));
  Figures figures{{"tokens", loss.tokens}};
  add_perplexities(figures, loss, static_cast<Index>(characters));
  return figures;
}

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

/// The scores of the model's outputs for the sources of the test set, by every metric.
void add_scores(Figures& figures, const Run& run, const TestSet& test, const DecodeOptions& options,
                const ShouldStop& should_stop) {
  const std::vector<std::string> hypotheses =
      best_translations(run.decoder(), run.tokenizers, test, options, should_stop);
  for (const Metric& metric : metrics().rows()) {
    const MetricScore found = score(metric.name, hypotheses, {test.references});
    for (const std::string& figure : metric.main)
      figures.push_back({figure_name(metric, figure), found.at(figure)});
    const bool first = &metric == &metrics().rows().front();
    if (first) figures.push_back({"signature", found.signature});
  }
}

Figures evaluate_pairs(const Run& run, const EvaluationData& on, const ShouldStop& should_stop) {
  if (on.data.empty())
    fail("nothing to evaluate on; give files or a built-in corpus such as toy:translation");
  const DataSettings& of_run = run.settings.data;
  const auto pairs =
      open_evaluation_pairs(on.data, on.fields.empty() ? of_run.fields : on.fields, on.lines,
                            on.split, {.blank_is_error = of_run.blank == "error"});
  const TestSet test = read_test_set(*pairs);
  const Index longest = std::max<Index>(0, run.model->longest() - 1);
  const BatchOptions batches{.batch_tokens = of_run.batch_tokens,
                             .max_length = longest,
                             .cut = true,
                             .widen = run.model->copies()};
  const TotalLoss loss =
      total_loss(*run.model, all_batches(*pairs, run.tokenizers, batches), should_stop);
  Figures figures{{"lines", pairs->size()}};
  if (pairs->skipped() > 0) figures.push_back({"skipped", pairs->skipped()});
  add_perplexities(figures, loss, predicted_characters(test, *run.tokenizers.target, longest));
  DecodeOptions options = run.decode_options();
  if (on.beam > 0) options.beam = on.beam;
  add_scores(figures, run, test, options, should_stop);
  return figures;
}

}  // namespace

void EvaluationData::list(Fields& f) {
  f("data", data, any_value(),
    "what to evaluate on, as data.train (language model: one text; default: its validation part)")
      .option("data", 1, 2);
  f("fields", fields, any_value(), "source and target: keys of a .jsonl, or columns of a .tsv")
      .option("fields", 2, 2);
  f("lines", lines, between(Index{1}), "built-in corpora: number of lines (default: 1000)")
      .option("lines");
  f("split", split, splits(), "built-in corpora: train, valid or test (default)").option("split");
  f("beam", beam, between(Index{0}, Index{1000}),
    "beam width; 1: greedy (default: the run's decode.beam)")
      .option("beam")
      .option_range(between(Index{1}, Index{1000}));
}

TotalLoss total_loss(const Seq2Seq& model, const std::vector<Batch>& batches,
                     const ShouldStop& should_stop) {
  TotalLoss total;
  for (const Batch& batch : batches) {
    stop_if(should_stop);
    const CrossEntropy summed{.ignore = batch.ignored, .divisor = 1};
    total.sum += static_cast<double>(model.loss(batch, summed).item());
    total.tokens += batch.weight();
  }
  return total;
}

std::vector<EvaluationFigure> evaluate(const Run& run, const EvaluationData& on,
                                       const ShouldStop& should_stop) {
  return run.model->reads_source() ? evaluate_pairs(run, on, should_stop)
                                   : evaluate_text(run, on, should_stop);
}

}  // namespace heed
