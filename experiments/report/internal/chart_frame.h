#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "experiments/report/chart.h"
#include "experiments/report/svg.h"

// What line and bar charts share: the frame, the axes and the labels at the ends of lines.

namespace heed::report::detail {

inline constexpr double width = 760;
inline constexpr double height = 400;
inline constexpr double left = 68;
inline constexpr double top = 40;
inline constexpr double bottom = 52;
inline constexpr double line_height = 16;

/// Maps the values [low, high] to the pixels [from, to].
struct Axis {
  double low = 0;
  double high = 1;
  double from = 0;
  double to = 1;
  bool log = false;
  std::vector<Tick> ticks = {};

  double at(double value) const {
    value = std::clamp(value, low, high);
    // Differences of halves: high - low may overflow.
    const double part = log ? (std::log(value) - std::log(low)) / (std::log(high) - std::log(low))
                            : (value / 2 - low / 2) / (high / 2 - low / 2);
    return from + (to - from) * part;
  }
};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

/// An axis that holds the range. A snug one ends at the range, except that it starts at a tick that
/// is close below the range and not negative.
Axis axis_of(Range range, bool log, bool snug, double from, double to);

/// The models in the order in which they first appear.
std::vector<std::string> models_of(const auto& series) {
  std::vector<std::string> models;
  for (const auto& s : series)
    if (std::find(models.begin(), models.end(), s.model) == models.end()) models.push_back(s.model);
  return models;
}

/// After the last colour, the first one is used again, dashed.
std::string stroke(std::size_t model, double pixels, double opacity = 1);
std::string fill(std::size_t model);

struct EndLabel {
  // The end of the line.
  double x;
  double y;
  std::string text;
  std::size_t model;
  double at = 0;  // the y of the label
};
/// Writes labels beside the ends of their lines and moves them apart where they would overlap.
void add_end_labels(Svg& svg, std::vector<EndLabel> labels, double x, double lowest);

Svg frame(const std::string& title, const std::string& x_label, const std::string& y_label);
std::string no_data(Svg svg, const std::string& title);
void add_y_axis(Svg& svg, const Axis& y, double right);

std::string named(const std::vector<std::string>& models, std::size_t model);
/// The width that the names of the models need to the right of the chart.
double width_of_names(const std::vector<std::string>& models);

}  // namespace heed::report::detail
