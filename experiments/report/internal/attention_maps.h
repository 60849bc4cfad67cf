#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/inference/attended_line.h"
#include "experiments/report/heat_map.h"

// The heat maps of a line, for pages and for drawings.

namespace heed::report::detail {

inline constexpr Index drawn_cells = 8'000'000;  // single heads of more cells are not drawn

/// The large picture of a line: the mean of all heads.
struct Summary {
  std::vector<float> weights;
  std::string caption;
};
Summary summary_of(const AttendedLine& line);
HeatMap top_map(const AttendedLine& line, const Summary& summary);

/// The style of the small pictures of a line, one for each head. All have one scale, so that they
/// can be compared.
struct HeadStyle {
  double top = 0.2;
  int cell = 1;
  bool drawn = true;
  bool titles = true;
  bool with_nan = false;
};
HeadStyle head_style_of(const AttendedLine& line, bool titles);
HeatMap head_map(const AttendedLine& line, const AttentionLayerMap& layer, Index head,
                 const HeadStyle& style);

/// What the veil over a picture says.
std::string veil_caption(double most);

}  // namespace heed::report::detail
