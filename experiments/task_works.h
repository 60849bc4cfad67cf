#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "experiments/comparison/result.h"
#include "experiments/corpus.h"
#include "experiments/decoding_cost.h"
#include "experiments/evaluation.h"
#include "experiments/inference/test_set.h"
#include "experiments/observers.h"
#include "experiments/run_report/run_report.h"
#include "experiments/settings.h"
#include "models/model.h"
#include "training/objective.h"

namespace heed {

namespace report {
class Page;
}

/// A row of the table of what training and testing do for a task, under the name of its row in
/// tasks().
struct TaskWork {
  std::string name;
  /// Opens the data of a training; as open_corpus().
  std::function<Corpus(const Settings&, const Tokenizers&, const PreparationObserver&)> open;
  /// What the Trainer trains. It refers to the model and to the corpus.
  std::function<std::unique_ptr<Objective>(const Settings&, Model&, Corpus&, const ShouldStop&)>
      objective;
  /// Lines that show what the model gives for validation item `number`; "" where there is none.
  std::function<std::string(const Settings&, const Model&, const Corpus&, Index number)> sample;
  /// The figures of a run on a test set.
  std::function<std::vector<EvaluationFigure>(const Run&, const EvaluationData&, const ShouldStop&)>
      evaluate;
  /// Adds to the report of a run what the model gives: figures, outputs, attention.
  std::function<void(report::Page&, const Run&, const ReportOptions&, const ShouldStop&)> report =
      {};
  /// What the model gives for each source of a test set, in its lines.
  std::function<std::vector<std::string>(const Settings&, const Model&, const Tokenizers&,
                                         const TestSet&, const ShouldStop&)>
      answers = {};
  /// What the cost of decoding is measured on, in a comparison. Without it nothing is decoded.
  std::function<std::vector<ForcedText>(const Decoder&, const Tokenizers&, const TestSet&)> forced =
      {};
  /// The test set of a comparison: `data`, or where there are none the validation data. Without it
  /// a test set is pairs.
  std::function<TestSet(const std::vector<std::string>& data, const Corpus&)> test_set = {};
  /// How runs are judged: the first figure decides which is better, so its metric has counts.
  /// Empty: they cannot be compared.
  std::vector<ComparedFigure> compared = {};
  /// Further figures that can decide, by ComparisonSettings::metric.
  std::vector<ComparedFigure> also_compared = {};
};

/// Of translate, classify and lm, and what a program adds.
Registry<TaskWork>& task_works();

}  // namespace heed
