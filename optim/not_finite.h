#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "optim/trainer.h"

namespace heed {

/// A step of training whose loss or gradient is not finite, as it was computed: from clean
/// gradients, with step_random() = Random(seed, step), over `batches` one after the other, each
/// divided by `divisor`.
struct NotFiniteStep {
  Index step = 0;
  std::uint64_t seed = 0;
  Real divisor = 1;
  std::span<const Batch> batches = {};  // up to the one that gave it
  bool gradient = false;                // the norm of the gradients, where the loss is finite
  double value = 0;
  bool skips = false;  // the line says so, instead of what to do
};

/// Where it came from, in a line for people: "step 812: the loss is nan: [linear] inf in layer
/// encoder.1.ff.out, on lines 17, 204; lower optim.lr, or ...". Computes the step once more under
/// TapeOptions::check_finite, and then each line of the batch that gave it alone, to tell which of
/// them do. Clears the gradients; changes nothing else. Costs about three steps.
std::string explain(const NotFiniteStep& step, AnyModule model, const LossFunction& loss,
                    const BatchStream& data);

/// The name of a parameter that holds a number that is not finite, "": none does.
std::string bad_parameter(AnyModule model);

}  // namespace heed
