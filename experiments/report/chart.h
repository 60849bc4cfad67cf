#pragma once

#include <string>
#include <vector>

#include "framework/types.h"

namespace heed::report {

/// Points joined by a line, such as the losses of a run. A point that is not finite, or not above 0
/// on a logarithmic axis, leaves a gap.
struct Series {
  std::string name = {};
  // Series of one model have the same colour. If there are two or more, their mean is drawn too.
  std::string model = {};
  std::vector<double> xs = {};
  std::vector<double> ys = {};
};

/// What happened at a place of the x axis: a dashed line from top to bottom.
struct Mark {
  double x = 0;
  std::string name = {};   // written beside it, where there is room
  std::string title = {};  // its tooltip; empty: the name
};

struct LineChart {
  std::string title = {};
  std::string x_label = {};
  std::string y_label = {};
  bool log_x = false;
  bool log_y = false;
  std::vector<Series> series = {};
  std::vector<Mark> marks = {};  // those outside the x axis are left out
};

/// A value of one model for each category.
struct BarSeries {
  std::string model = {};
  std::vector<double> values = {};  // a value that is not finite is not drawn
  std::vector<double> errors = {};  // the error bars reach from value - error to value + error
};
struct BarChart {
  std::string title = {};
  std::string x_label = {};
  std::string y_label = {};
  std::vector<std::string> categories = {};
  std::vector<BarSeries> series = {};
  bool bars = false;  // bars that start at 0; if false, points joined by a thin line
};

/// An <svg> element for Page::figure(). If there is no point to draw it says "no data". Models get
/// their colours in the order in which they first appear.
std::string line_chart(const LineChart& chart);
std::string bar_chart(const BarChart& chart);

/// A small picture of how often values occur: bars of these heights, without axes.
std::string histogram(const std::vector<Index>& counts, const std::string& about);

struct Tick {
  double value;
  std::string label;
};
/// About `count` ticks, all multiples of 1, 2 or 5 times a power of ten. The first is not above
/// `low` and the last is not below `high`.
std::vector<Tick> ticks(double low, double high, int count);
/// Ticks of a logarithmic axis, within about [low, high]:
/// - powers of ten, if the range has 2.5 decades or more;
/// - 1, 2 and 5 times powers of ten, if it has less;
/// - ticks(low, high, 5), if it has less than half a decade.
std::vector<Tick> log_ticks(double low, double high);

/// The mean of several series, at every x at which one of them has a point and that lies within the
/// range of all. Values between the points of a series are interpolated linearly.
Series mean_of(const std::vector<const Series*>& series);

}  // namespace heed::report
