#pragma once

#include <span>

#include "experiments/inference/attended_line.h"
#include "experiments/report/svg.h"

namespace heed::report {

/// A picture alone, enlarged.
Svg picture_alone(const AttendedPicture& picture);

/// A picture, and beside it the same with a veil over each part:  opacity = 0.9 (1 - weight / most)
/// `weights`: of each part, in the order of reading; what is not finite is hidden. `most`: the
/// largest of them. Each part has a tooltip with its weight.
Svg picture_map(const AttendedPicture& picture, std::span<const float> weights, double most);

}  // namespace heed::report
