#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "datasets/metrics/bootstrap.h"
#include "experiments/comparison/settings.h"
#include "experiments/inference/test_set.h"

namespace heed::cli {

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
  std::vector<std::string> hypotheses;  // outputs for the test set; kept in a file of their own
};
nlohmann::ordered_json to_json(const RunResult& result);
RunResult result_from_json(const nlohmann::ordered_json& json);

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

struct ComparisonResult {
  std::vector<ModelSummary> models;  // in the order of ComparisonSettings::models
  std::vector<LengthBucket> buckets;
  std::vector<ModelPair> pairs;  // best first
  std::string signature;         // of BLEU
};

/// Summarises `results`, which must hold every run of the comparison.
ComparisonResult compare(const ComparisonSettings& comparison, const TestSet& test,
                         const std::vector<RunResult>& results);

nlohmann::ordered_json to_json(const ComparisonResult& result);
/// Three tables: the models, quality by length, and which differences are significant.
std::string to_text(const ComparisonResult& result);

}  // namespace heed::cli
