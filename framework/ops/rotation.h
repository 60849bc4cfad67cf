#pragma once

#include <cmath>

#include "framework/kernels/rotary.h"
#include "framework/ops.h"

// What ops that rotate columns share.

namespace heed::detail {

/// The columns that are rotated of a head that is `width` wide.
inline kernels::HeadRotation rotated_columns(const char* op, const Rotation& r, Index width) {
  const Index rotated = r.width == 0 ? width : r.width;
  check(0 <= rotated && rotated <= width && rotated % 2 == 0, op,
        "expected to rotate an even number of a head's {} columns; got {}", width, rotated);
  check(r.base > 0 && std::isfinite(r.base), op, "expected a base above 0; got {}", r.base);
  return {.width = rotated, .interleaved = r.interleaved};
}

/// The cosines and sines of positions, (positions, rotated columns / 2).
struct RotationTable {
  Tensor cosines;
  Tensor sines;

  RotationTable() = default;
  /// Of the positions [low, high).
  RotationTable(Index low, Index high, Index rotated, Real base)
      : cosines({high - low, rotated / 2}), sines({high - low, rotated / 2}) {
    kernels::rotary_table(low, high - low, rotated, static_cast<double>(base), cosines.data(),
                          sines.data());
  }
};

}  // namespace heed::detail
