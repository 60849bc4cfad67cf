#include "datasets/metrics/metrics.h"

#include "datasets/metrics/bleu.h"
#include "datasets/metrics/chrf.h"
#include "datasets/metrics/classification.h"
#include "datasets/metrics/exact.h"
#include "datasets/metrics/internal/lines.h"
#include "datasets/metrics/perplexity.h"
#include "datasets/metrics/rouge.h"
#include "framework/error.h"
#include "framework/nearest.h"

namespace heed {

namespace {

using Lines = std::span<const std::string>;
using References = std::span<const std::vector<std::string>>;
using Sum = std::span<const double>;

Index count(References references) { return std::ssize(references); }

Metric bleu_row() {
  return by_counts({
      .name = "bleu",
      .help = "BLEU, 0 to 100: n-grams of words, as sacrebleu counts them",
      .options = BleuOptions{},
      .overall = {"score"},
      .line =
          [](const std::string& hypothesis, Lines references, const AnyOptions& o) {
            return metric_score(sentence_bleu(hypothesis, references, o.as<BleuOptions>()));
          },
      .counts =
          [](Lines hypotheses, References references, const AnyOptions& o) {
            return bleu_items(bleu_counts(hypotheses, references, o.as<BleuOptions>()),
                              count(references));
          },
      .of_sum =
          [](Sum sum, const ItemCounts& of, const AnyOptions& o) {
            return metric_score(bleu_of_sum(sum, of.references(), o.as<BleuOptions>()));
          },
  });
}

Metric chrf_row() {
  return by_counts({
      .name = "chrf",
      .help = "chrF or chrF++, 0 to 100: n-grams of characters, as sacrebleu counts them",
      .options = ChrfOptions{},
      .overall = {"score"},
      .counts =
          [](Lines hypotheses, References references, const AnyOptions& o) {
            return chrf_items(chrf_counts(hypotheses, references, o.as<ChrfOptions>()),
                              count(references));
          },
      .of_sum =
          [](Sum sum, const ItemCounts& of, const AnyOptions& o) {
            return metric_score(chrf_of_sum(sum, of.references(), o.as<ChrfOptions>()));
          },
  });
}

Metric rouge_row() {
  return by_counts({
      .name = "rouge",
      .help = "ROUGE-1, 2, 3, L and Lsum, 0 to 1: means over lines, for summaries",
      .options = RougeOptions{},
      .main = {"rouge1.fmeasure", "rouge2.fmeasure", "rouge3.fmeasure", "rougeL.fmeasure",
               "rougeLsum.fmeasure"},
      .overall = {"rouge1.fmeasure", "rouge2.fmeasure", "rougeL.fmeasure"},
      .counts =
          [](Lines hypotheses, References references, const AnyOptions& o) {
            return rouge_items(rouge_lines(hypotheses, references, o.as<RougeOptions>()),
                               count(references));
          },
      .of_sum =
          [](Sum sum, const ItemCounts& of, const AnyOptions& o) {
            return metric_score(rouge_of_sum(sum), of.references(), o.as<RougeOptions>());
          },
  });
}

Metric exact_row() {
  return by_counts({
      .name = "exact",
      .help = "the share of lines that equal a reference, 0 to 1",
      .in_percent = true,
      .counts = [](Lines hypotheses, References references,
                   const AnyOptions&) { return exact_items(hypotheses, references); },
      .of_sum = [](Sum sum, const ItemCounts& of,
                   const AnyOptions&) { return exact_of_sum(sum, of.references()); },
  });
}

Metric accuracy_row() {
  return by_counts({
      .name = "accuracy",
      .help = "the share of labels that are right, 0 to 1",
      .scored = Scored::labels,
      .in_percent = true,
      .counts = [](Lines predicted, References gold,
                   const AnyOptions&) { return accuracy_counts(predicted, gold); },
      .of_sum = [](Sum sum, const ItemCounts& of,
                   const AnyOptions&) { return accuracy_score(sum, of); },
  });
}

Metric macro_f1_row() {
  return by_counts({
      .name = "macro_f1",
      .help = "F1 of labels, 0 to 1: the mean over classes, as scikit-learn computes it",
      .scored = Scored::labels,
      .in_percent = true,
      .counts = [](Lines predicted, References gold,
                   const AnyOptions&) { return macro_f1_counts(predicted, gold); },
      .of_sum = [](Sum sum, const ItemCounts& of,
                   const AnyOptions&) { return macro_f1_score(sum, of); },
  });
}

Metric confusion_row() {
  return {
      .name = "confusion",
      .help = "how many labels of each class were taken for each",
      .scored = Scored::labels,
      .main = {"right"},
      .corpus = [](Lines predicted, References gold,
                   const AnyOptions&) { return confusion_score(predicted, gold); },
  };
}

Metric bits_row() {
  return by_counts({
      .name = "bits_per_character",
      .help = "bits a character, of nats that a model needs for each line of the reference",
      .scored = Scored::nats,
      .higher_is_better = false,
      .counts = [](Lines nats, References texts,
                   const AnyOptions&) { return bits_items(nats, texts); },
      .of_sum = [](Sum sum, const ItemCounts&, const AnyOptions&) { return bits_of_sum(sum); },
  });
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
  static Registry<Metric> table(
      "metric", {bleu_row(), chrf_row(), rouge_row(), exact_row(), accuracy_row(), macro_f1_row(),
                 confusion_row(), bits_row()});
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

std::vector<double> Metric::item_scores(Lines hypotheses, References references,
                                        const AnyOptions& with) const {
  check_aligned(name.c_str(), hypotheses, references);
  std::vector<double> scores;
  std::vector<std::string> of_item(references.size());
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    for (std::size_t r = 0; r < references.size(); ++r)
      of_item[r] = references[r][i];
    scores.push_back(score_line(hypotheses[i], of_item, with).at(main.at(0)));
  }
  return scores;
}

double Metric::main_of_sum(std::span<const double> sum, const ItemCounts& of,
                           const AnyOptions& with) const {
  return of_sum(sum, of, with).at(main.at(0));
}

Metric by_counts(Metric metric) {
  metric.corpus = [counts = metric.counts, of_sum = metric.of_sum](
                      Lines hypotheses, References references, const AnyOptions& options) {
    const ItemCounts items = counts(hypotheses, references, options);
    return of_sum(items.sum(), items, options);
  };
  return metric;
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
