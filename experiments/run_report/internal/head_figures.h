#pragma once

#include <string>
#include <vector>

#include "experiments/inference/attended_line.h"

namespace heed {

/// What a head attends to, as means over the rows a_i of its weights (i of m rows, j of n columns).
struct HeadFigures {
  double entropy = 0;   // -sum_j a_ij ln a_ij / ln n; 0 for one column
  double distance = 0;  // sum_j a_ij |(j + 1/2) / n - (i + 1/2) / m|
  double special = 0;   // the sum of a_ij over the columns of <s>, </s>, <unk> and <pad>
};

struct LayerFigures {
  std::string layer;
  std::vector<HeadFigures> heads;
};

/// The figures of each head over all rows of the lines, by the layers of the first line that has
/// any. Rows with a weight that is not finite are left out.
std::vector<LayerFigures> head_figures(const std::vector<AttendedLine>& lines);

}  // namespace heed
