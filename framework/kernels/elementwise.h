#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// y += x
void add_to(Index n, const Real* x, Real* y);
/// The first element that is NaN or infinite; n where there is none.
Index first_nonfinite(Index n, const Real* x);

}  // namespace heed::kernels
