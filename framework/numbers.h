#pragma once

#include "framework/sequences.h"
#include "framework/tensor.h"

namespace heed {

/// Numbers that were read, for several items at once: pictures of one size, with
/// values (n, height, width, channels).
struct Numbers {
  Tensor values;

  Index count() const { return values.rank() == 0 ? 0 : values.shape()[0]; }
};

}  // namespace heed
