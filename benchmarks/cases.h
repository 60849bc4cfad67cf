#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/text/batch.h"
#include "framework/checkpoint.h"
#include "framework/tape.h"
#include "models/model.h"
#include "optim/optimizer.h"

namespace heed::bench {

/// The size of a batch: `count` pairs of at most `source` and `target` tokens. A language model has
/// no source: `count` texts of `target` tokens.
struct BatchSize {
  Index count;
  Index source;
  Index target;
  /// The number of tokens with padding, for tokens/s.
  Index positions() const { return count * (source + target); }
};

/// A model, and its loss.
struct CaseModel {
  std::unique_ptr<Model> model;
  std::function<Variable(const Batch&, const CrossEntropy&)> loss;
};

/// A training step of fixed size: a model and a batch, as the table in README.md says.
struct Case {
  std::string name;
  BatchSize size;
  Index vocabulary;
  Real label_smoothing;
  std::function<CaseModel(Random&, const Case&)> make_model;

  CaseModel model(Random& random) const { return make_model(random, *this); }
  Batch batch(Random& random) const;
};

const std::vector<Case>& cases();
const Case& find_case(std::string_view name);
/// Smaller cases, for benchmarks/check, which counts instructions.
const std::vector<Case>& counted_cases();
const Case& find_counted_case(std::string_view name);

/// A model with its optimizer, and the step that is timed: clear gradients, forward, loss,
/// backward, clip to norm 1, Adam.
class TrainingStep {
 public:
  TrainingStep(const Case& which, Random& random);
  /// Returns the loss. `look`, where given, is called with the tape after the step.
  Real operator()(const Batch& batch, TapeOptions options = {},
                  const std::function<void(const Tape&)>& look = {});
  /// The time that the last step took besides forward and backward.
  double update_ms() const { return update_ms_; }
  Index parameters() const { return parameter_count(*of_.model); }
  Checkpoint checkpoint() const;  // weights and moments
  Checkpoint weights() const;

 private:
  CaseModel of_;
  Adam adam_;
  Real label_smoothing_;
  double update_ms_ = 0;
};

double seconds_since(std::chrono::steady_clock::time_point start);

/// The median time of `act`, in seconds. It runs for `seconds`, and at least five times.
double median_seconds(double seconds, const std::function<void()>& act);

/// Lines of random ids. Their lengths are uniform in [n / 2, n].
std::vector<std::vector<Id>> random_lines(Index count, Index n, Random& random,
                                          Index vocabulary = 8000);

}  // namespace heed::bench
