#pragma once

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "datasets/text/pairs.h"
#include "experiments/evaluation.h"
#include "experiments/inference/test_set.h"

namespace heed {

/// What evaluate() finds, and the outputs in which it found it.
struct EvaluatedOutputs {
  std::vector<EvaluationFigure> figures;
  TestSet test;
  std::vector<std::string> outputs = {};  // the best for each source; of labels, the most probable
};
/// evaluate() on pairs that are open already. `on` gives the options of decoding.
EvaluatedOutputs evaluate_translations(const Run& run, const PairSource& pairs,
                                       const EvaluationData& on, const ShouldStop& should_stop);
EvaluatedOutputs evaluate_labels(const Run& run, const PairSource& pairs,
                                 const ShouldStop& should_stop);
/// evaluate() of a language model, and the tokens of the text that it predicted. The first is
/// given.
struct EvaluatedTokens {
  std::vector<EvaluationFigure> figures;
  std::vector<Id> tokens = {};
};
/// `most`: tokens, of the beginning of the text.
EvaluatedTokens evaluate_tokens(const Run& run, const EvaluationData& on,
                                const ShouldStop& should_stop,
                                Index most = std::numeric_limits<Index>::max());
/// The number of tokens that a language model saw at once in training.
Index context_of(const Run& run);

/// Opens data for the task of the run, as the user gave them.
std::unique_ptr<PairSource> open_pairs_for(const Run& run, const EvaluationData& on);

/// evaluate() of each task.
std::vector<EvaluationFigure> evaluate_pairs(const Run& run, const EvaluationData& on,
                                             const ShouldStop& should_stop);
std::vector<EvaluationFigure> evaluate_labelled(const Run& run, const EvaluationData& on,
                                                const ShouldStop& should_stop);
std::vector<EvaluationFigure> evaluate_text(const Run& run, const EvaluationData& on,
                                            const ShouldStop& should_stop);

}  // namespace heed
