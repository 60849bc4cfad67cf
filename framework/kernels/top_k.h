#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// y_i = log sum_j exp(x_ij), of each row of x (m, n): y (m). n > 0; a row of nothing but -infinity
/// gives -infinity.
void log_sum_exp(Index m, Index n, const Real* x, Real* y);

/// For each row of x (m, n): its k largest elements, largest first (of equal ones the first), and
/// their columns: both (m, k). k <= n.
void top_k(Index m, Index n, Index k, const Real* x, Real* values, Id* columns);

}  // namespace heed::kernels
