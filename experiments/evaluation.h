#pragma once

#include <string>
#include <vector>

#include "datasets/text/pairs.h"
#include "experiments/inference/interrupted.h"
#include "experiments/inference/run.h"
#include "framework/sequences.h"

namespace heed {

struct TotalLoss {
  double sum = 0;  // nats
  Index tokens = 0;
  double per_token() const { return sum / static_cast<double>(tokens > 0 ? tokens : 1); }
};
/// The cross entropy of all gold tokens. The caller switches the model to evaluation. Throws
/// Interrupted where it should stop.
TotalLoss total_loss(const Seq2Seq& model, const std::vector<Batch>& batches,
                     const ShouldStop& should_stop = {});

/// What to evaluate a run on.
struct EvaluationData {
  std::vector<std::string> data;  // as data.train; empty for a language model: its validation part
  std::vector<std::string> fields = {};  // as data.fields; empty: the run's
  Index lines = 1000;                    // of a built-in corpus
  Split split = Split::test;             // of a built-in corpus
  int beam = 0;                          // 0: the run's

  void list(Fields& f);
};

/// A figure or a text, by its name.
struct EvaluationFigure {
  std::string name;
  FieldValue value;
};

/// Loss, perplexities, and for a model of pairs BLEU with its signature, chrF, ROUGE and exact
/// matches of its outputs:
///
///     const Run run = open_run("runs/en-fr");
///     for (const EvaluationFigure& figure : evaluate(run, {{"toy:translation"}}))
///       fmt::print("{} {}\n", figure.name, to_text(figure.value));
///
/// Throws Error where the data cannot be read or do not fit the run, and Interrupted where it
/// should stop.
std::vector<EvaluationFigure> evaluate(const Run& run, const EvaluationData& on,
                                       const ShouldStop& should_stop = {});

}  // namespace heed
