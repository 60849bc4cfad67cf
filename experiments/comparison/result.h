#pragma once

#include <optional>
#include <string>
#include <vector>

#include "datasets/metrics/bootstrap.h"
#include "experiments/comparison/line_groups.h"
#include "experiments/comparison/settings.h"
#include "experiments/decoding_cost.h"
#include "experiments/inference/test_set.h"
#include "experiments/tuning.h"

namespace heed {

/// How runs are judged: by the first main figure of a row of metrics().
struct ComparedFigure {
  std::string metric;
  MetricOptions options = {};
  std::string title = {};  // of a column: "BLEU"
  int digits = 2;
  double factor = 1;  // tables hold the figure times this

  /// "BLEU 98.76", "accuracy 87.50 %"
  std::string text(double value) const;
};

/// The figures of outputs for a test set, in the order of `figures`.
std::vector<double> score_on(const TestSet& test, const std::vector<std::string>& hypotheses,
                             const std::vector<ComparedFigure>& figures);

/// The result of one run: one model trained with one seed.
struct RunResult {
  std::string model;        // by its name in the comparison
  std::string family = {};  // a row of model_families()
  Index seed = 0;
  Index d = 0;
  Index parameters = 0;
  Index outside_vocabulary = 0;  // parameters without a row for each token; 0: not measured
  Index flops = 0;               // of a step, without the optimizer's update; 0: not measured
  Index steps = 0;
  Index best_step = 0;
  double seconds = 0;                   // of training
  double tokens_per_s = 0;              // of training
  double peak_mb = 0;                   // the most memory that tensors took at once, in MiB
  DecodingCost decoding = {};           // on this test set; 0: not measured
  double valid_loss = 0;                // nats per token
  std::vector<std::string> hypotheses;  // outputs for the test set
  std::vector<double> scores = {};      // of the outputs, by Comparison::figures
  std::string folder = {};              // of the run, within that of the comparison

  double valid_perplexity() const;
};

/// Mean and sample standard deviation (divisor n - 1) over the seeds.
struct Spread {
  double mean = 0;
  std::optional<double> deviation = {};  // none for a single value
};
Spread spread_of(const std::vector<double>& values);
/// "95.38 ± 1.12"; values are multiplied by `factor`.
std::string to_text(const Spread& spread, int digits, double factor = 1);

struct ModelSummary {
  std::string model;
  Index d = 0;
  Index parameters = 0;
  Index outside_vocabulary = 0;
  Index flops = 0;
  Spread steps;
  Spread tokens_per_s;
  Spread seconds;
  Spread peak_mb;
  Spread decoded_tokens_per_s;
  double state_kib = 0;
  Spread perplexity;
  std::vector<Spread> scores;                // by Comparison::figures
  std::vector<std::vector<Spread>> grouped;  // the first figure, by Comparison::groupings
};

struct ModelPair {
  std::string better;
  std::string worse;
  // Of the first figure: the mean over the seeds on each resampled test set.
  PairedDifference difference;
  double holm_p = 1;  // difference.p, adjusted for the number of pairs

  /// Whether it still excludes chance when all pairs of the comparison are looked at.
  bool significant_after_holm() const { return holm_p < 0.05; }
};

/// What a model chose before its runs.
struct ModelTuning {
  std::string model;
  Tuning tuning;
};

/// With fewer lines or parts of a text, drawing some with replacement says little about others.
inline constexpr Index fewest_judged_lines = 20;

/// What a comparison found.
struct Comparison {
  /// Whether the test set is large enough for a verdict.
  bool decides() const { return lines >= fewest_judged_lines; }
  std::vector<ComparedFigure> figures;    // models are ranked by the first
  std::vector<ModelSummary> models;       // in the order of ComparisonSettings::models
  std::vector<Grouping> groupings;        // of the test lines
  std::vector<ModelPair> pairs;           // best first
  std::string signature;                  // of the first figure
  Index lines = 0;                        // of the test set
  int resamples = 0;                      // test sets of the bootstrap
  std::vector<RunResult> runs;            // in the order in which they were trained
  std::vector<ModelTuning> tunings = {};  // in the order of the models; empty: nothing was tuned
};

/// Summarises `runs`, which must hold every run of the comparison, and scores their outputs, those
/// of each group of the test lines too. Throws Error where a run is missing.
Comparison summarise(const ComparisonSettings& settings, const TestSet& test,
                     const std::vector<Grouping>& groupings,
                     const std::vector<ComparedFigure>& figures, std::vector<RunResult> runs);

/// Tables: the models, their costs, quality by groups of lines, and which differences are
/// significant.
std::string to_text(const Comparison& comparison);
/// A row for each run with all its figures, below a row of their names. Cells are quoted where RFC
/// 4180 asks for it; lines end in \n.
std::string to_csv(const Comparison& comparison);

}  // namespace heed
