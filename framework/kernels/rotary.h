#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// cosines, sines (count, width / 2) of (first + i) base^(-2c / width)
void rotary_table(Index first, Index count, Index width, double base, Real* cosines, Real* sines);

/// y = or += x with columns c and c + width / 2 of each head turned by the angle of row
/// `positions[i]` of the table, or back. Rows of negative position become = or += 0.
void rotary(Index rows, Index heads, Index width, bool back, const Id* positions,
            const Real* cosines, const Real* sines, const Real* x, Real* y, Mode mode);

}  // namespace heed::kernels
