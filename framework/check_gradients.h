#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "framework/tape.h"

namespace heed {

struct GradientCheckOptions {
  // of the central difference: (f(x + step) - f(x - step)) / 2 step
  double step = sizeof(Real) == 8 ? 1e-5 : 1e-2;
  double tolerance = sizeof(Real) == 8 ? 1e-6 : 2e-2;  // of the error, see GradientCheck
  std::uint64_t seed = 1;                              // of the projection
};

/// Where the tape's gradient is furthest from the central difference. Errors are relative to the
/// largest gradient of the same input (to 0.01 where all are smaller).
struct GradientCheck {
  bool passed = true;
  double error = 0;
  int input = 0;      // of fn
  Index element = 0;  // of that input
  Shape shape;        // of that input
  double tape = 0;
  double difference = 0;
  double tolerance = 0;

  explicit operator bool() const { return passed; }
  std::string report() const;  // a line for people
};

/// Compares the gradient of a random projection of fn(inputs) with central differences, element by
/// element. fn must give the same every time, and be smooth within a step of the inputs. Trust it
/// in double precision; in float it finds wrong formulas.
GradientCheck check_gradients(const std::function<Variable(std::span<const Variable>)>& fn,
                              std::span<const Tensor> inputs,
                              const GradientCheckOptions& options = {});

}  // namespace heed
