#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "benchmarks/cases.h"

namespace heed::bench {

/// All calls of one op in a step. `gflop`: multiplications and additions of its matrix products, in
/// both passes; 0 where it has none.
struct OpTime {
  std::string op;
  Index calls = 0;
  double forward_ms = 0;
  double backward_ms = 0;
  double gflop = 0;
  double ms() const { return forward_ms + backward_ms; }
};

/// Where the time of a step goes, means over some of them; the op that takes most comes first.
struct StepProfile {
  std::vector<OpTime> ops;
  double update_ms = 0;  // clearing gradients, clipping, Adam
  double step_ms = 0;
  double gflop() const;
};

StepProfile profile(TrainingStep& step, const Batch& batch, int steps);

/// What a large product reaches on as many threads: the best of some.
double peak_gflops();

/// As Markdown: a line that says what share of `peak` the step reaches, and a row for each op.
void print(std::ostream& out, const std::string& name, const StepProfile& profile, double peak);

}  // namespace heed::bench
