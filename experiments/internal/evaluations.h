#pragma once

#include <vector>

#include "experiments/evaluation.h"

namespace heed {

/// evaluate() of each task.
std::vector<EvaluationFigure> evaluate_pairs(const Run& run, const EvaluationData& on,
                                             const ShouldStop& should_stop);
std::vector<EvaluationFigure> evaluate_labels(const Run& run, const EvaluationData& on,
                                              const ShouldStop& should_stop);
std::vector<EvaluationFigure> evaluate_text(const Run& run, const EvaluationData& on,
                                            const ShouldStop& should_stop);

}  // namespace heed
