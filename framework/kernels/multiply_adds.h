#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// The multiply-adds that this thread has asked for so far. Kernels add to it on the thread that
/// calls them, before they hand out their work.
inline Index& multiply_adds() {
  thread_local Index count = 0;
  return count;
}

}  // namespace heed::kernels
