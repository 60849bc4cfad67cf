#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "framework/module.h"
#include "training/draw_order.h"
#include "training/objective.h"

namespace heed {

/// A step of training whose loss or gradient is not finite, as it was computed: from clear
/// gradients, over `draws` one after the other, with each loss divided by `divisor`.
struct NotFiniteStep {
  Index step = 0;
  std::uint64_t seed = 0;
  Real divisor = 1;
  std::span<const std::shared_ptr<const Draw>> draws = {};  // up to the one that is not finite
  DrawOrder order = DrawOrder::tree;
  bool gradient = false;  // the loss is finite, and the norm of the gradients is not
  double value = 0;       // of the loss, or of the norm
  bool skips = false;     // the message says "skipped", instead of what to do
};

/// A line for people that says where the number came from:
///
///     step 812: the loss is nan: [linear] inf in layer encoder.1.ff.out, on items 17, 204; lower
///     the learning rate, or ...
///
/// Computes the step once more under TapeOptions::check_finite, and then each item of the draw that
/// gave the number by itself, to tell which items give it. Clears the gradients and changes nothing
/// else. Costs about as much as three steps.
std::string explain(const NotFiniteStep& step, AnyModule model, const Objective& objective);

/// The name of the first parameter that holds a number that is not finite; "" where none does.
std::string bad_parameter(AnyModule model);

}  // namespace heed
