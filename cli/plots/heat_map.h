#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/plots/svg.h"
#include "framework/types.h"

namespace heed::plots {

/// Weights of one sentence pair as cells: a row for each target token, a column for each source
/// token.
struct HeatMap {
  std::span<const std::string> source;
  std::span<const std::string> target;
  // (target, source), row after row; what is no number is drawn as that
  std::span<const float> weights;
  double top = 1;  // the weight of the strongest colour
  int cell = 30;   // pixels
  // the tokens beside it, every k-th where cells are smaller than letters
  bool labels = true;
  // a tooltip a cell, "target ← source: 0.123456"; without them equal cells share one path: small
  bool titles = true;
  std::string attributes = {};  // of the group of cells
};

/// Marks (<s> </s> <unk> <pad>) carry the class `special`, which special_rules() hides; what comes
/// after one then closes up.
Svg heat_map(const HeatMap& map);

/// Hides marks while the checkbox #hide-special that stands before them is checked.
std::string special_rules();

/// What the colours mean, from 0 to `top`.
Svg scale_bar(double top, bool with_nan);

/// Pixels a cell, from `least` to `most`, for the longer side to take about `extent`.
int fitting_cell(Index rows, Index columns, double extent, int least, int most);

/// The largest weight, rounded up to a tenth, from 0.2 to 1: even weights shall look even, not
/// strong.
double top_of(std::span<const float> weights);
bool has_nan(std::span<const float> weights);

}  // namespace heed::plots
