#pragma once

#include "framework/module.h"

namespace heed {

/// Scales all gradients together so that their L2 norm is at most `max_norm` (Pascanu et al. 2013):
/// g *= min(1, max_norm / ||g||). Returns the norm before. Throws Error unless max_norm > 0.
Real clip_gradients(AnyModule model, double max_norm);

/// What clipping multiplies gradients of this norm by.
inline double clip_factor(double norm, double max_norm) {
  return norm > max_norm ? max_norm / norm : 1;
}

}  // namespace heed
