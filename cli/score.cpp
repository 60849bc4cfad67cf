#include <algorithm>
#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/field_options.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "datasets/metrics/metrics.h"
#include "experiments/scored_lines.h"

namespace heed::cli {

namespace {

struct Options {
  std::string metric;
  std::string hyp;
  std::vector<std::string> refs;
  GivenOptions given;                                  // options of metrics
  std::map<std::string, CLI::Option*> metric_options;  // by the keys of their fields
  bool sentence_level = false;
  bool json = false;
};

void print_corpus(const Metric& metric, const AnyOptions& with, const ScoredLines& lines,
                  bool json) {
  const MetricScore score = metric.corpus(lines.hypotheses, lines.references, with);
  stop_if_interrupted();
  if (json)
    std::cout << to_json(metric, score) << '\n';
  else
    std::cout << score.text << "signature " << score.signature << '\n';
}

void print_lines(const Metric& metric, const AnyOptions& with, const ScoredLines& lines,
                 bool json) {
  for (std::size_t i = 0; i < lines.hypotheses.size(); ++i) {
    stop_if_interrupted();
    const MetricScore score = metric.score_line(lines.hypotheses[i], lines.references_of(i), with);
    if (json) {
      std::cout << (i == 0 ? "[\n" : ",\n") << to_json(metric, score);
    } else {
      std::cout << main_figures(metric, score) << '\n';
      if (i == 0) std::cerr << "signature " << score.signature << '\n';
    }
  }
  if (json) std::cout << "\n]\n";
}

/// The metrics that have the field of this key.
std::string metrics_with(const std::string& key) {
  std::vector<std::string> names;
  for (const Metric& metric : metrics().rows()) {
    AnyOptions options = metric.options;
    if (fields_of(options).has(key)) names.push_back(metric.name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

/// Adds the options of all metrics. One that several have serves all of them.
void add_metric_options(CLI::App* command, Options& o) {
  for (const Metric& metric : metrics().rows()) {
    AnyOptions options = metric.options;
    const Fields fields = fields_of(options);
    for (const auto& [key, option] : add_field_options(command, fields, o.given)) {
      option->description(metrics_with(key) + ": " + fields.find(key)->help());
      o.metric_options[key] = option;
    }
  }
}

/// The options of the metric. Throws where an option does not fit the metric or another option.
AnyOptions chosen_options(const Options& o, const Metric& metric) {
  AnyOptions defaults = metric.options;
  const Fields fields = fields_of(defaults);
  for (const auto& [key, value] : o.given)
    if (!fields.find(key))
      throw CLI::ValidationError(
          o.metric_options.at(key)->get_name(),
          fmt::format("does not go with --metric {}; it is for {}", o.metric, metrics_with(key)));
  try {
    return metric_options(metric, o.given);
  } catch (const FieldError& error) {
    throw CLI::ValidationError(o.metric_options.at(error.key)->get_name(), error.reason);
  }
}

void run_score(const Options& o) {
  const Metric& metric = metrics().at(o.metric);
  const AnyOptions with = chosen_options(o, metric);
  if ((o.hyp == "-") + std::count(o.refs.begin(), o.refs.end(), "-") > 1)
    throw CLI::ValidationError("-", "standard input can be read only once");
  const ScoredLines lines = read_scored_lines(o.hyp, o.refs, interrupted);
  if (o.sentence_level)
    print_lines(metric, with, lines, o.json);
  else
    print_corpus(metric, with, lines, o.json);
}

}  // namespace

void add_score(CLI::App& app) {
  auto* command = app.add_subcommand(
      "score",
      "Compute BLEU, chrF or ROUGE of lines, or accuracy and F1 of labels, given their references");
  auto o = std::make_shared<Options>();
  command->add_option("--metric", o->metric, fmt::format("{}", fmt::join(metrics().names(), ", ")))
      ->required()
      ->check(checked(one_of(metrics().names()), std::string()));
  command->add_option("--hyp", o->hyp, "FILE with the lines to score; -: standard input")
      ->required();
  command
      ->add_option("--ref", o->refs,
                   "FILE with a reference for each line; several files: several references")
      ->required()
      ->expected(1, -1);
  add_metric_options(command, *o);
  command->add_flag("--sentence-level", o->sentence_level, "print a score for each line");
  command->add_flag("--json", o->json, "print JSON with all digits");
  command->footer(
      "Examples:\n  heed score --metric bleu --hyp out.txt --ref test.fr\n  heed translate --run "
      "RUN < test.en | heed score --metric chrf --hyp - --ref test.fr --json");
  command->callback([o] { run_score(*o); });
}

}  // namespace heed::cli
