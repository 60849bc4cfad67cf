#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// For each row of x (m, n): its k largest elements, largest first (of equal ones the first), as log softmax(x), and their columns:
/// values and columns (m, k). k <= n.
void top_k_log_softmax(Index m, Index n, Index k, const Real* x, Real* values, Id* columns);

}  // namespace heed::kernels
