#pragma once

#include "framework/types.h"

namespace heed {

/// One parameter among all those that an update walks in one parallel loop. The numbers of all
/// parameters are counted end to end, and are cut into pieces that depend on their count alone.
/// Many small parameters share a piece, and a large one is spread over several.
struct UpdateSlot {
  Index begin = 0;  // the place of its first number among those of all parameters
  Index size = 0;
  Real* value = nullptr;
  Real* gradient = nullptr;  // null: skipped
  Real rate = 0;             // the learning rate; for Adam, divided by 1 - beta1^t
  Real root = 1;             // for Adam: 1 / sqrt(1 - beta2^t)
  Real penalty = 0;          // times the value, is added to the gradient
  Real keep = 1;             // multiplies the value first: decoupled decay
  Real share = 0;            // of what is new in an average
};

}  // namespace heed
