#pragma once

#include <string>
#include <vector>

namespace heed::plots {

/// A line of points, those of a model's run or the like. Points that are no numbers (or not above 0
/// on a logarithmic axis) leave gaps.
struct Series {
  // series of one model share its colour; with two or more, their mean is drawn above them
  std::string name = {};
  std::string model = {};
  std::vector<double> xs = {};
  std::vector<double> ys = {};
};

struct LineChart {
  std::string title = {};
  std::string x_label = {};
  std::string y_label = {};
  bool log_x = false;
  bool log_y = false;
  std::vector<Series> series = {};
};

/// Of each model, a value and its error (as far up as down; may be empty) a category.
struct BarSeries {
  std::string model = {};
  // a value that is no number: nothing is drawn
  std::vector<double> values = {};
  std::vector<double> errors = {};
};
struct BarChart {
  std::string title = {};
  std::string x_label = {};
  std::string y_label = {};
  std::vector<std::string> categories = {};
  std::vector<BarSeries> series = {};
  bool bars = false;  // from 0; else points joined by a thin line
};

/// An <svg> for Page::figure(); without any point to draw it says so. Models have their colours in
/// the order they first appear.
std::string line_chart(const LineChart& chart);
std::string bar_chart(const BarChart& chart);

struct Tick {
  double value;
  std::string label;
};
/// Multiples of 1, 2 or 5 times a power of ten, about `count` of them, the first not above `low`,
/// the last not below `high`.
std::vector<Tick> ticks(double low, double high, int count);
/// Powers of ten (of two or more decades), else 1, 2 and 5 times them, within [low, high] or just
/// about.
std::vector<Tick> log_ticks(double low, double high);

/// The mean of several lines at every x that one of them has and all of them reach, between points
/// on the straight line.
Series mean_of(const std::vector<const Series*>& series);

}  // namespace heed::plots
