#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/report/svg.h"
#include "framework/types.h"

namespace heed::report {

/// The attention weights of one sentence pair, drawn as cells: a row for each target token, a
/// column for each source token.
struct HeatMap {
  std::span<const std::string> source;
  std::span<const std::string> target;
  std::span<const float> weights;  // (target, source); values that are not finite have a colour too
  double top = 1;                  // the weight of the strongest colour
  int cell = 30;                   // the side of a cell in pixels
  // Whether to write the tokens beside the cells: each, or every k-th if cells are too small.
  bool labels = true;
  // Whether each cell has a tooltip, "target ← source: 0.123456". Without tooltips, equal cells
  // share one path and the picture is small.
  bool titles = true;
  std::string attributes = {};  // of the group of cells
};

/// Special tokens (<s> </s> <unk> <pad>) have the class `special`, which special_rules() hides. The
/// cells after a hidden one move to close the gap.
Svg heat_map(const HeatMap& map);

/// CSS rules that hide special tokens while the checkbox #hide-special before them is checked.
std::string special_rules();

/// A legend of the colours from weight 0 to `top`.
Svg scale_bar(double top, bool with_nan);

/// The side of a cell in pixels, from `least` to `most`, with which the longer side of a map takes
/// about `extent` pixels.
int fitting_cell(Index rows, Index columns, double extent, int least, int most);

/// The largest weight that is a number; 0 where there is none.
double largest_weight(std::span<const float> weights);
/// The largest weight, rounded up to a tenth and limited to [0.2, 1]. The lower limit keeps weights
/// that are all small and equal from looking strong.
double top_of(std::span<const float> weights);
bool has_nan(std::span<const float> weights);

}  // namespace heed::report
