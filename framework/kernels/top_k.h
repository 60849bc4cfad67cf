#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// y_i = log sum_j exp(x_ij), for x (m, n) and y (m). n > 0. A row that is -infinity throughout
/// gives -infinity.
void log_sum_exp(Index m, Index n, const Real* x, Real* y);

/// For each row of x (m, n): its k largest elements, the largest first, and their columns, both
/// (m, k). Of equal elements the first comes first. k <= n.
void top_k(Index m, Index n, Index k, const Real* x, Real* values, Id* columns);

}  // namespace heed::kernels
