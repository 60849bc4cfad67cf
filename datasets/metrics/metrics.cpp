#include "datasets/metrics/metrics.h"

#include "datasets/metrics/bleu.h"
#include "datasets/metrics/chrf.h"
#include "datasets/metrics/exact.h"
#include "datasets/metrics/internal/lines.h"
#include "datasets/metrics/rouge.h"
#include "framework/error.h"
#include "framework/nearest.h"

namespace heed {

namespace {

using Lines = std::span<const std::string>;
using References = std::span<const std::vector<std::string>>;

std::vector<Metric> rows() {
  return {
      {.name = "bleu",
       .help = "BLEU, 0 to 100: n-grams of words, as sacrebleu counts them",
       .options = BleuOptions{},
       .corpus =
           [](Lines hypotheses, References references, const AnyOptions& o) {
             return metric_score(corpus_bleu(hypotheses, references, o.as<BleuOptions>()));
           },
       .line =
           [](const std::string& hypothesis, Lines references, const AnyOptions& o) {
             return metric_score(sentence_bleu(hypothesis, references, o.as<BleuOptions>()));
           }},
      {.name = "chrf",
       .help = "chrF or chrF++, 0 to 100: n-grams of characters, as sacrebleu counts them",
       .options = ChrfOptions{},
       .corpus =
           [](Lines hypotheses, References references, const AnyOptions& o) {
             return metric_score(corpus_chrf(hypotheses, references, o.as<ChrfOptions>()));
           }},
      {.name = "rouge",
       .help = "ROUGE-1, 2, 3, L and Lsum, 0 to 1: means over lines, for summaries",
       .options = RougeOptions{},
       .main = {"rouge1.fmeasure", "rouge2.fmeasure", "rouge3.fmeasure", "rougeL.fmeasure",
                "rougeLsum.fmeasure"},
       .corpus =
           [](Lines hypotheses, References references, const AnyOptions& o) {
             const auto& options = o.as<RougeOptions>();
             return metric_score(mean_rouge(hypotheses, references, options),
                                 static_cast<Index>(references.size()), options);
           }},
      {.name = "exact",
       .help = "the share of lines that equal a reference, 0 to 1",
       .corpus = [](Lines hypotheses, References references,
                    const AnyOptions&) { return exact_score(hypotheses, references); }},
  };
}

[[noreturn]] void refuse_option(const Metric& metric, const std::string& name,
                                const std::vector<std::string>& all) {
  const std::string range =
      all.empty() ? "no options" : fmt::format("an option of {}", fmt::join(all, ", "));
  throw ArgumentError(fmt::format("[{}] expected {}; got '{}'{}", metric.name, range, name,
                                  did_you_mean(name, all)),
                      metric.name, "option", name, range);
}

/// Throws FieldError where a value that was given has no effect because of another one.
void check_effect(const Fields& fields, const MetricOptions& values) {
  for (const auto& [key, value] : values) {
    const std::string& because = fields.find(key)->without_effect_because();
    if (because.empty()) continue;
    const Field* other = fields.find(because);
    const std::string with = other ? because + " " + to_text(other->value()) : because;
    throw FieldError(key, "no value with " + with, to_text(value));
  }
}

}  // namespace

Registry<Metric>& metrics() {
  static Registry<Metric> table("metric", rows());
  return table;
}

double MetricScore::at(std::string_view name) const {
  std::vector<std::string> names;
  for (const Figure& figure : figures) {
    if (figure.name == name) return figure.value;
    names.push_back(figure.name);
  }
  fail("[metric] expected a figure of {}; got '{}'{}", fmt::join(names, ", "), name,
       did_you_mean(name, names));
}

MetricScore Metric::score_line(const std::string& hypothesis,
                               std::span<const std::string> references,
                               const AnyOptions& with) const {
  if (line) return line(hypothesis, references, with);
  return corpus(std::span(&hypothesis, 1), columns(references), with);
}

AnyOptions metric_options(const Metric& metric, const MetricOptions& values) {
  AnyOptions options = metric.options;
  const Fields fields = fields_of(options);
  for (const auto& [key, value] : values) {
    const Field* field = fields.find(key);
    if (!field) refuse_option(metric, key, fields.keys());
    field->set(value);
  }
  check_effect(fields_of(options), values);  // listed again: what has an effect may have changed
  return options;
}

MetricScore score(std::string_view metric, const std::vector<std::string>& hypotheses,
                  const std::vector<std::vector<std::string>>& references,
                  const MetricOptions& options) {
  const Metric& row = metrics().at(metric);
  return row.corpus(hypotheses, references, metric_options(row, options));
}

}  // namespace heed
