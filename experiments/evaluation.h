#pragma once

#include <optional>
#include <string>
#include <vector>

#include "datasets/metrics/classification.h"
#include "datasets/text/batch.h"
#include "datasets/text/pairs.h"
#include "experiments/inference/interrupted.h"
#include "experiments/inference/run.h"

namespace heed {

/// What to evaluate a run on.
struct EvaluationData {
  std::vector<std::string> data;  // as data.train; empty for a language model: its validation part
  std::vector<std::string> fields = {};  // as data.fields; empty: the run's
  Index lines = 1000;                    // of a built-in corpus
  Split split = Split::test;             // of a built-in corpus
  int beam = 0;                          // 0: the run's
  double length_penalty = -1;            // -1: the run's

  void list(Fields& f);
};

/// A figure or a text, by its name.
struct EvaluationFigure {
  std::string name;
  FieldValue value;         // of a confusion matrix: its text, whole lines
  bool in_percent = false;  // a share; to_text() gives it in per cent
  std::optional<Confusion> confusion = {};
};

/// The loss, and what the metrics of the task say of the model's outputs:
///
/// - translate: perplexities, BLEU with its signature, chrF, ROUGE and exact matches;
/// - classify: accuracy, macro F1, and the confusion matrix;
/// - lm: perplexities.
///
///     const Run run = open_run("runs/en-fr");
///     for (const EvaluationFigure& figure : evaluate(run, {{"toy:translation"}}))
///       fmt::print("{} {}\n", figure.name, to_text(figure.value));
///
/// Throws Error where the data cannot be read or do not fit the run, and Interrupted where it
/// should stop.
std::vector<EvaluationFigure> evaluate(const Run& run, const EvaluationData& on,
                                       const ShouldStop& should_stop = {});

/// For people: a line for each figure, and the confusion matrix.
std::string to_text(const std::vector<EvaluationFigure>& figures);
/// A JSON object on one line, with all digits. A confusion matrix is a list of
/// {"gold": label, "predicted": label, "count": n} for each n above 0.
std::string to_json(const std::vector<EvaluationFigure>& figures);

}  // namespace heed
