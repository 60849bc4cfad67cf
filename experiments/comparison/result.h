#pragma once

#include <optional>
#include <string>
#include <vector>

#include "datasets/metrics/bootstrap.h"
#include "experiments/comparison/settings.h"
#include "experiments/inference/test_set.h"

namespace heed {

/// What a run's outputs for the test set are worth.
struct TestScore {
  double bleu = 0;   // 0 to 100, with effective order
  double exact = 0;  // share of lines without a mistake, 0 to 1
};
TestScore score_on(const TestSet& test, const std::vector<std::string>& hypotheses);

/// The result of one run: one model trained with one seed.
struct RunResult {
  std::string model;
  Index seed = 0;
  Index d = 0;
  Index parameters = 0;
  Index steps = 0;
  Index best_step = 0;
  double seconds = 0;                   // of training
  double tokens_per_s = 0;              // of training
  double peak_mb = 0;                   // the most memory that tensors took at once, in MiB
  double valid_loss = 0;                // nats per token
  std::vector<std::string> hypotheses;  // outputs for the test set
  TestScore score = {};                 // of the outputs
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

/// Test lines whose source has `low` to `high` words.
struct LengthBucket {
  Index low = 0;
  Index high = 0;
  std::vector<std::size_t> lines;
  std::string text() const;  // "4-6"
};
/// About five ranges of length, with about the same number of lines each.
std::vector<LengthBucket> length_buckets(const std::vector<std::string>& sources);

struct ModelSummary {
  std::string model;
  Index d = 0;
  Index parameters = 0;
  Spread steps;
  Spread tokens_per_s;
  Spread seconds;
  Spread peak_mb;
  Spread perplexity;
  Spread bleu;
  Spread exact;                   // share of lines without a mistake, 0 to 1
  std::vector<Spread> by_length;  // BLEU in each bucket
};

struct ModelPair {
  std::string better;
  std::string worse;
  // Of BLEU: the mean over the seeds on each resampled test set.
  PairedDifference difference;
};

/// What a comparison found.
struct Comparison {
  std::vector<ModelSummary> models;  // in the order of ComparisonSettings::models
  std::vector<LengthBucket> buckets;
  std::vector<ModelPair> pairs;  // best first
  std::string signature;         // of BLEU
  std::vector<RunResult> runs;   // in the order in which they were trained
};

/// Summarises `runs`, which must hold every run of the comparison, and scores their outputs. Throws
/// Error where a run is missing.
Comparison summarise(const ComparisonSettings& settings, const TestSet& test,
                     std::vector<RunResult> runs);

/// Three tables: the models, quality by length, and which differences are significant.
std::string to_text(const Comparison& comparison);
/// A row for each run with all its figures, below a row of their names. Cells are quoted where RFC
/// 4180 asks for it; lines end in \n.
std::string to_csv(const Comparison& comparison);

}  // namespace heed
