#pragma once

#include "experiments/comparison/result.h"
#include "experiments/inference/test_set.h"
#include "experiments/report/page.h"

namespace heed {

/// What is wrong with outputs at a glance, over all lines of a test set.
struct OutputFaults {
  double length_ratio = 0;  // words of the outputs to those of the references
  double empty = 0;         // the share of outputs without a word
  double repeating = 0;     // the share in which four words in a row occur twice
};
OutputFaults faults_of(const std::vector<std::string>& outputs,
                       const std::vector<std::string>& references);

/// Faults of each model, the lines on which models differ most, and some drawn at random. Nothing
/// where models write no texts.
void add_compared_outputs(report::Page& page, const Comparison& comparison, const TestSet& test);

}  // namespace heed
