#pragma once

#include "experiments/inference/attended_line.h"
#include "experiments/report/svg.h"

namespace heed::report::detail {

/// The drawing of one line for an .svg file: its large picture and, below, each head.
Svg draw_attention(const AttendedLine& line);

}  // namespace heed::report::detail
