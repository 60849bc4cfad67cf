#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "framework/tape.h"

namespace heed {

struct GradientCheckOptions {
  /// The step of the central difference (f(x + step) - f(x - step)) / (2 step).
  double step = sizeof(Real) == 8 ? 1e-5 : 1e-2;
  /// The largest error that passes, see GradientCheck.
  double tolerance = sizeof(Real) == 8 ? 1e-6 : 2e-2;
  /// The seed of the random projection.
  std::uint64_t seed = 1;
};

/// The element whose gradient from the tape differs most from its central difference. The error is
/// the difference divided by the largest gradient of the same input, or by 0.01 if that is larger.
struct GradientCheck {
  bool passed = true;
  double error = 0;
  int input = 0;      // number of the input
  Index element = 0;  // of that input
  Shape shape;        // of that input
  double tape = 0;
  double difference = 0;
  double tolerance = 0;

  explicit operator bool() const { return passed; }
  std::string report() const;  // one line
};

/// Compares the gradient of sum(projection * fn(inputs)) from the tape with central differences,
/// for each element of the inputs. The projection is random, uniform in [-1, 1).
///
/// fn must give the same result every time, and be smooth within a step of the inputs. In double
/// precision the check is reliable; in float it finds wrong formulas only.
GradientCheck check_gradients(const std::function<Variable(std::span<const Variable>)>& fn,
                              std::span<const Tensor> inputs,
                              const GradientCheckOptions& options = {});

}  // namespace heed
