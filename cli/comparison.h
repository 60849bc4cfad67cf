#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/duel.h"
#include "cli/quality.h"
#include "datasets/metrics/bootstrap.h"

namespace heed::cli {

/// What one run of a duel came to.
struct RunResult {
  std::string model;
  Index seed = 0;
  Index d = 0;
  Index parameters = 0;
  Index steps = 0;
  Index best_step = 0;
  // of training; memory: the most that tensors took at once
  double seconds = 0;
  double tokens_per_s = 0;
  double peak_mb = 0;
  double valid_loss = 0;                // nats a token
  std::vector<std::string> hypotheses;  // of the test set; in a file of their own
};
nlohmann::ordered_json to_json(const RunResult& result);
RunResult result_from_json(const nlohmann::ordered_json& json);

struct Spread {
  double mean = 0;
  std::optional<double> deviation = {};  // over seeds, n - 1; one has none
};
Spread spread_of(const std::vector<double>& values);
std::string to_text(const Spread& spread, int digits, double factor = 1);  // "95.38 ± 1.12"

struct LengthBucket {
  // of source words
  Index low = 0;
  Index high = 0;
  std::vector<std::size_t> lines;
  std::string text() const;  // "4-6"
};
/// About five ranges of length with as many lines each.
std::vector<LengthBucket> length_buckets(const std::vector<std::string>& sources);

struct ModelSummary {
  std::string model;
  Index d = 0;
  Index parameters = 0;
  // exact: 0 to 1
  Spread steps;
  Spread tokens_per_s;
  Spread seconds;
  Spread peak_mb;
  Spread perplexity;
  Spread bleu;
  Spread exact;
  std::vector<Spread> by_length;  // BLEU in each bucket
};

struct ModelPair {
  std::string better;
  std::string worse;
  PairedDifference difference;  // in BLEU, the mean over seeds on each resampled test set
};

struct Comparison {
  std::vector<ModelSummary> models;  // as the duel names them
  std::vector<LengthBucket> buckets;
  std::vector<ModelPair> pairs;  // best first
  std::string signature;         // of BLEU
};

/// `results` holds every run of the duel.
Comparison compare(const Duel& duel, const TestSet& test, const std::vector<RunResult>& results);

nlohmann::ordered_json to_json(const Comparison& comparison);
/// For people: the models, quality by length, and which differences are significant.
std::string to_text(const Comparison& comparison);

}  // namespace heed::cli
