#pragma once

#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

/// cosines, sines (count, width / 2) of (first + i) base^(-2c / width)
void rotary_table(Index first, Index count, Index width, double base, Real* cosines, Real* sines);

/// Rows (rows, heads * width) and the angles that they are turned by.
struct RotaryRows {
  Index rows;
  Index heads;
  Index width;
  const Id* positions;  // (rows): row of the table; negative: the row becomes zeros
  // (positions, width / 2)
  const Real* cosines;
  const Real* sines;
};
/// y = or += x with columns c and c + width / 2 of each head turned by the angle of the row's
/// position, or turned `back`.
void rotary(const RotaryRows& rows, bool back, const Real* x, Output y);

}  // namespace heed::kernels
