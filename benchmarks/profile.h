#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "benchmarks/cases.h"
#include "datasets/text/batch.h"

namespace heed::bench {

/// All calls of one op in a step. `gflop` counts the multiplications and additions of its matrix
/// products in both passes, in 1e9; 0 if it has none.
struct OpTime {
  std::string op;
  Index calls = 0;
  double forward_ms = 0;
  double backward_ms = 0;
  double gflop = 0;
  double ms() const { return forward_ms + backward_ms; }
};

/// The time of a step by op, means over several steps. The op that takes most time comes first.
struct StepProfile {
  std::vector<OpTime> ops;
  double update_ms = 0;  // clearing gradients, clipping, Adam
  double step_ms = 0;
  double gflop() const;
};

StepProfile profile(TrainingStep& step, const Batch& batch, int steps);

/// The GFLOP/s of a large product on the same number of threads: the best of several runs.
double peak_gflops();

/// Prints Markdown: a line with the part of `peak` that the step reaches, and a row for each op.
void print(std::ostream& out, const std::string& name, const StepProfile& profile, double peak);

}  // namespace heed::bench
