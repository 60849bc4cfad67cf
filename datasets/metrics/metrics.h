#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/metrics/classification.h"
#include "datasets/metrics/item_counts.h"
#include "framework/fields.h"
#include "framework/registry.h"

// All metrics of lines of text and of labels, by name. To add one is to write it and its row in
// metrics.cpp, or, in a program, metrics().add({.name = "...", ...}).

namespace heed {

/// One number of a score: "score", or "rouge1.recall" for the recall of the part rouge1.
struct Figure {
  std::string name;
  double value = 0;
};

/// What a metric finds.
struct MetricScore {
  std::vector<Figure> figures;  // in the order in which they are printed
  std::string signature;        // how it was computed: options, number of references, version
  std::string text;             // for people: whole lines, each with its end
  std::optional<Confusion> confusion = std::nullopt;  // of the metric of this name

  /// The value of a figure. Throws Error that lists all names where there is none of that name.
  double at(std::string_view name) const;
};

/// The values of options by the names of their fields: {{"tokenize", "char"}, {"lowercase", true}}.
using MetricOptions = std::map<std::string, FieldValue>;

/// What a metric scores: lines of text, or the names of classes, one a line, or the nats that a
/// model needs for the line of the reference.
enum class Scored { texts, labels, nats };

/// A row of metrics(). Any number of threads may use one at the same time.
struct Metric {
  /// references[r][i] is the r-th reference of hypotheses[i]. Throws Error when there are no lines
  /// or no references, or when the numbers of lines differ.
  using Corpus = std::function<MetricScore(std::span<const std::string> hypotheses,
                                           std::span<const std::vector<std::string>> references,
                                           const AnyOptions& options)>;
  using Line = std::function<MetricScore(
      const std::string& hypothesis, std::span<const std::string> references, const AnyOptions&)>;

  /// What the score of any items of a test set can be computed from.
  using Counts = std::function<ItemCounts(std::span<const std::string> hypotheses,
                                          std::span<const std::vector<std::string>> references,
                                          const AnyOptions& options)>;
  /// The score of items whose rows have this sum. `of`: where the rows are from.
  using OfSum = std::function<MetricScore(std::span<const double> sum, const ItemCounts& of,
                                          const AnyOptions& options)>;

  std::string name;
  std::string help;  // one line
  Scored scored = Scored::texts;
  AnyOptions options{};  // the defaults; their type is the one that the functions take
  bool higher_is_better = true;
  bool in_percent = false;  // its main figures are shares, which people read in per cent
  /// The figures that tell most. Systems are compared by the first one.
  std::vector<std::string> main = {"score"};
  /// The figures whose mean says in one number how good outputs are, the higher the better. Ways of
  /// decoding are chosen by it. Empty: not by this metric.
  std::vector<std::string> overall = {};
  Corpus corpus{};
  /// The score of one line. Without it a line is scored as a corpus of one line.
  Line line{};
  /// Without them there is no bootstrap() of the metric.
  Counts counts{};
  OfSum of_sum{};

  MetricScore score_line(const std::string& hypothesis, std::span<const std::string> references,
                         const AnyOptions& with) const;
  /// The first main figure of each line alone.
  std::vector<double> item_scores(std::span<const std::string> hypotheses,
                                  std::span<const std::vector<std::string>> references,
                                  const AnyOptions& with) const;
  /// The first main figure of a sum of rows of `of`.
  double main_of_sum(std::span<const double> sum, const ItemCounts& of,
                     const AnyOptions& with) const;
};

/// A row whose corpus is scored by its counts and of_sum, so that it and bootstrap() agree.
Metric by_counts(Metric metric);

/// Of texts bleu, chrf, rouge and exact; of labels accuracy, macro_f1 and confusion; of nats
/// bits_per_character; and what a program adds.
Registry<Metric>& metrics();

/// The options of a metric: its defaults, with these values.
///
/// Throws
/// - FieldError, "tokenize: expected one of 13a, ...; got 'x'", where a value is outside its range,
///   or has no effect because of another one;
/// - ArgumentError that lists the names of all options where the metric has none of that name.
AnyOptions metric_options(const Metric& metric, const MetricOptions& values);

/// The score of lines of text by the metric of this name. The whole of a program that scores a file
/// against two references:
///
///     const auto bleu = heed::score("bleu", heed::read_lines("out.txt"),
///                                   {heed::read_lines("a.txt"), heed::read_lines("b.txt")},
///                                   {{"tokenize", "char"}});
///     fmt::print("{:.2f} {}\n", bleu.at("score"), bleu.signature);
///
/// references[r][i] is the r-th reference of hypotheses[i].
///
/// Throws Error when
/// - there is no such metric, or the metric has no such option;
/// - the value of an option is outside its range or has no effect;
/// - there are no lines or no references, or the numbers of lines differ.
MetricScore score(std::string_view metric, const std::vector<std::string>& hypotheses,
                  const std::vector<std::vector<std::string>>& references,
                  const MetricOptions& options = {});

}  // namespace heed
