#pragma once

#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

/// The columns of a head that are rotated: the first `width`, an even number. Columns c and c +
/// width / 2 are a pair; where they are interleaved, columns 2c and 2c + 1.
struct HeadRotation {
  Index width = 0;
  bool interleaved = false;
};

/// cosines, sines (count, width / 2) of (first + i) base^(-2c / width)
void rotary_table(Index first, Index count, Index width, double base, Real* cosines, Real* sines);

/// Rows (rows, heads * width) and the angles that they are turned by.
struct RotaryRows {
  Index rows;
  Index heads;
  Index width;
  HeadRotation rotation;
  const Id* positions;  // (rows): row of the table; negative: the row becomes zeros
  // (positions, rotation.width / 2)
  const Real* cosines;
  const Real* sines;
};
/// y = or += x with each pair of columns turned by the angle of the row's position, or turned
/// `back`.
void rotary(const RotaryRows& rows, bool back, const Real* x, Output y);

}  // namespace heed::kernels
