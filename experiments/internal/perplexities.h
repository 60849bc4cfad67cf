#pragma once

#include <vector>

#include "experiments/evaluation.h"
#include "experiments/text_objective.h"

namespace heed {

/// Adds loss, perplexity and perplexity_per_character. `characters`: of what was predicted.
void add_perplexities(std::vector<EvaluationFigure>& figures, const TotalLoss& loss,
                      Index characters);

}  // namespace heed
