#pragma once

#include "framework/module.h"

namespace heed {

/// Scales all gradients so that their common L2 norm is at most `max_norm` (Pascanu et al. 2013);
/// returns the norm before.
Real clip_gradients(AnyModule model, double max_norm);

/// What clipping multiplies gradients by.
inline double clip_factor(double norm, double max_norm) {
  return norm > max_norm ? max_norm / norm : 1;
}

}  // namespace heed
