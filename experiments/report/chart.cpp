#include "experiments/report/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "experiments/report/colours.h"
#include "experiments/report/svg.h"
#include "experiments/report/text.h"

namespace heed::report {

namespace {

constexpr double width = 760;
constexpr double height = 400;
constexpr double left = 68;
constexpr double top = 40;
constexpr double bottom = 52;
constexpr double line_height = 16;
constexpr std::size_t most_dots = 60;  // a line of more points has no dots at its points

bool can_draw(double value, bool log) { return std::isfinite(value) && (!log || value > 0); }

// Maps the values [low, high] to the pixels [from, to].
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

constexpr double largest = std::numeric_limits<double>::max() / 4;  // leaves room for padding

Axis log_axis_of(Range range, bool snug, double from, double to) {
  Axis axis{.low = 0, .high = 1, .from = from, .to = to, .log = true};
  const double pad =
      snug && range.high > range.low ? 1 : std::max(1.03, std::pow(range.high / range.low, 0.04));
  axis.low = range.low / pad;
  axis.high = std::min(range.high, largest) * pad;
  axis.ticks = log_ticks(axis.low, axis.high);
  std::erase_if(axis.ticks, [&](const Tick& tick) {
    return tick.value < axis.low * 0.9999 || tick.value > axis.high * 1.0001;
  });
  return axis;
}

// An axis that holds the range. A snug one ends at the range, except that it starts at a tick that
// is close below the range and not negative.
Axis axis_of(Range range, bool log, bool snug, double from, double to) {
  if (log) return log_axis_of(range, snug, from, to);
  Axis axis{.low = 0, .high = 1, .from = from, .to = to, .log = false};
  range.low = std::clamp(range.low, -largest, largest);
  range.high = std::clamp(range.high, -largest, largest);
  axis.ticks = ticks(range.low, range.high, 6);
  axis.low = axis.ticks.front().value;
  axis.high = axis.ticks.back().value;
  if (snug && range.high > range.low) {
    const bool close = range.low - axis.low < 0.25 * (range.high - range.low);
    if (axis.low < 0 || !close) axis.low = range.low;
    axis.high = range.high;
    std::erase_if(axis.ticks, [&](const Tick& tick) {
      return tick.value < axis.low || tick.value > axis.high;
    });
  }
  return axis;
}

// The models in the order in which they first appear.
std::vector<std::string> models_of(const auto& series) {
  std::vector<std::string> models;
  for (const auto& s : series)
    if (std::find(models.begin(), models.end(), s.model) == models.end()) models.push_back(s.model);
  return models;
}

// After the last colour, the first one is used again, dashed.
std::string stroke(std::size_t model, double pixels, double opacity = 1) {
  const std::size_t round = model / series_colours;
  return fmt::format("class=\"m{}\" stroke-width=\"{}\"{}{} stroke-linejoin=\"round\"",
                     model % series_colours, length(pixels),
                     round > 0 ? fmt::format(" stroke-dasharray=\"{} 3\"", 7 / round + 1) : "",
                     opacity < 1 ? fmt::format(" opacity=\"{}\"", opacity) : "");
}
std::string fill(std::size_t model) { return fmt::format("class=\"f{}\"", model % series_colours); }

struct EndLabel {
  // The end of the line.
  double x;
  double y;
  std::string text;
  std::size_t model;
  double at = 0;  // the y of the label
};
// Writes labels beside the ends of their lines and moves them apart where they would overlap.
void add_end_labels(Svg& svg, std::vector<EndLabel> labels, double x, double lowest) {
  std::stable_sort(labels.begin(), labels.end(),
                   [](const EndLabel& a, const EndLabel& b) { return a.y < b.y; });
  double free = top - 4;  // the first y that no label covers
  for (EndLabel& label : labels) {
    label.at = std::max(label.y, free);
    free = label.at + line_height;
  }
  for (std::size_t i = labels.size(); i-- > 0;) {
    labels[i].at = std::min(labels[i].at, lowest);
    lowest = labels[i].at - line_height;
  }
  for (const EndLabel& label : labels) {
    if (std::abs(label.at - label.y) > 2 || x - label.x > 12)
      svg.path(fmt::format("M{} {}L{} {}L{} {}", length(label.x + 4), length(label.y),
                           length(std::max(x - 6, label.x + 4)), length(label.y), length(x + 5),
                           length(label.at)),
               "class=\"grid\"");
    svg.text(x + 8, label.at + 4, label.text, fill(label.model) + " style=\"font-weight:600\"");
  }
}

Svg frame(const std::string& title, const std::string& x_label, const std::string& y_label) {
  Svg svg;
  svg.width = width;
  svg.height = height;
  svg.text(0, 16, readable(title), "style=\"font-size:14px;font-weight:600\"");
  svg.text(0, top - 8, readable(y_label), "class=\"muted\"");
  svg.text((left + width) / 2, height - 10, readable(x_label),
           "class=\"muted\" text-anchor=\"middle\"");
  return svg;
}

std::string no_data(Svg svg, const std::string& title) {
  svg.text(width / 2, height / 2, "no data", "class=\"muted\" text-anchor=\"middle\"");
  return svg.element(readable(title));
}

void add_y_axis(Svg& svg, const Axis& y, double right) {
  for (const Tick& tick : y.ticks) {
    const double at = std::round(y.at(tick.value)) + 0.5;
    svg.line(left, at, right, at, "class=\"grid\"");
    svg.text(left - 8, at + 4, tick.label, "class=\"muted\" text-anchor=\"end\"");
  }
}

std::string named(const std::vector<std::string>& models, std::size_t model) {
  return shortened(readable(models[model]), 24);
}

// The width that the names of the models need to the right of the chart.
double width_of_names(const std::vector<std::string>& models) {
  double widest = 0;
  for (std::size_t m = 0; m < models.size(); ++m)
    widest = std::max(widest, text_width(named(models, m)) * 12);
  return widest;
}

// A line chart while it is drawn.
class LineDrawing {
 public:
  explicit LineDrawing(const LineChart& chart)
      : chart_(chart),
        models_(models_of(chart.series)),
        svg_(frame(chart.title, chart.x_label, chart.y_label)) {}

  std::string draw() {
    Range xs;
    Range ys;
    for (const Series& s : chart_.series)
      for_each_point(s, [&](double x, double y, bool) {
        xs.add(x);
        ys.add(y);
      });
    if (xs.empty()) return no_data(std::move(svg_), chart_.title);
    const double right = width - 16 - width_of_names(models_);
    x_ = axis_of(xs, chart_.log_x, true, left, right);
    y_ = axis_of(ys, chart_.log_y, false, height - bottom, top + 8);
    add_y_axis(svg_, y_, right);
    add_x_axis(right);
    std::vector<EndLabel> labels;
    for (std::size_t m = 0; m < models_.size(); ++m) {
      const EndLabel label = add_model(m);
      if (label.x >= 0) labels.push_back(label);
    }
    add_end_labels(svg_, std::move(labels), right, height - bottom);
    return svg_.element(readable(chart_.title));
  }

 private:
  // Calls take(x, y, joined) for each point that can be drawn. `joined`: the point before it can be
  // drawn too, so that a line joins them.
  template <class Take>
  void for_each_point(const Series& s, Take&& take) const {
    bool joined = false;
    for (std::size_t i = 0; i < std::min(s.xs.size(), s.ys.size()); ++i) {
      const bool drawn = can_draw(s.xs[i], chart_.log_x) && can_draw(s.ys[i], chart_.log_y);
      if (drawn) take(s.xs[i], s.ys[i], joined);
      joined = drawn;
    }
  }

  // Labels that would overlap the one before are left out.
  void add_x_axis(double right) {
    svg_.line(left, height - bottom + 0.5, right, height - bottom + 0.5, "class=\"axis\"");
    double free = -1;
    for (const Tick& tick : x_.ticks) {
      const double at = x_.at(tick.value);
      const double half = text_width(tick.label) * 6;
      svg_.line(at, height - bottom, at, height - bottom + 5, "class=\"axis\"");
      if (at - half > free) {
        svg_.text(at, height - bottom + 19, tick.label, "class=\"muted\" text-anchor=\"middle\"");
        free = at + half + 6;
      }
    }
  }

  // Draws the series of a model, and their mean if there are several. Returns the label for the end
  // of the line; its x is -1 if nothing was drawn.
  EndLabel add_model(std::size_t model) {
    std::vector<const Series*> runs;
    for (const Series& s : chart_.series)
      if (s.model == models_[model]) runs.push_back(&s);
    const std::string name = readable(models_[model]);
    if (runs.size() == 1) {
      const std::string& run = runs[0]->name;
      return add_line(*runs[0], model, mean_style, run.empty() ? name : readable(run));
    }
    EndLabel end{-1, 0, "", model};
    for (const Series* run : runs) {
      const EndLabel last = add_line(*run, model, run_style, readable(run->name));
      if (last.x > end.x) end = last;
    }
    const EndLabel last = add_line(mean_of(runs), model, mean_style, name + ", mean");
    return last.x >= 0 ? last : end;
  }

  struct LineStyle {
    double pixels;
    double opacity;
  };
  static constexpr LineStyle run_style{1, 0.45};  // one of several runs of a model
  static constexpr LineStyle mean_style{2.4, 1};

  EndLabel add_line(const Series& s, std::size_t model, const LineStyle& style,
                    const std::string& title) {
    std::string path;
    std::size_t points = 0;
    EndLabel end{-1, 0, named(models_, model), model};
    for_each_point(s, [&](double x, double y, bool joined) {
      end.x = x_.at(x);
      end.y = y_.at(y);
      ++points;
      path += fmt::format("{}{} {}", joined ? 'L' : 'M', length(end.x), length(end.y));
    });
    if (points == 0) return end;
    svg_.path(path, stroke(model, style.pixels, style.opacity), title);
    if (points <= most_dots && style.opacity >= 1)
      for_each_point(s, [&](double x, double y, bool) {
        svg_.circle(x_.at(x), y_.at(y), 2.6, fill(model),
                    fmt::format("{}: {:g}, {:g}", title, x, y));
      });
    return end;
  }

  const LineChart& chart_;
  std::vector<std::string> models_;
  Svg svg_;
  Axis x_;
  Axis y_;
};

double error_of(const BarSeries& s, std::size_t category) {
  const bool known = category < s.errors.size() && std::isfinite(s.errors[category]);
  return known ? std::abs(s.errors[category]) : 0.0;
}

// A bar chart while it is drawn.
class BarDrawing {
 public:
  explicit BarDrawing(const BarChart& chart)
      : chart_(chart),
        models_(models_of(chart.series)),
        svg_(frame(chart.title, chart.x_label, chart.y_label)) {}

  std::string draw() {
    Range range = values();
    if (range.empty()) return no_data(std::move(svg_), chart_.title);
    if (chart_.bars) range.add(0);
    const double right = width - 16 - width_of_names(models_);
    y_ = axis_of(range, false, false, zero, top + 8);
    add_y_axis(svg_, y_, right);
    svg_.line(left, zero + 0.5, right, zero + 0.5, "class=\"axis\"");
    const auto categories = static_cast<double>(std::max<std::size_t>(chart_.categories.size(), 1));
    slot_ = (right - left) / categories;
    share_ = slot_ * (chart_.bars ? 0.8 : 0.5) / static_cast<double>(chart_.series.size());
    add_categories();
    std::vector<EndLabel> labels;
    for (std::size_t k = 0; k < chart_.series.size(); ++k) {
      EndLabel label = add_series(k);
      if (label.x < 0) continue;
      if (chart_.bars) label.x = right - 8;  // a connecting line would cross other bars
      labels.push_back(label);
    }
    add_end_labels(svg_, std::move(labels), right, zero);
    return svg_.element(readable(chart_.title));
  }

 private:
  static constexpr double zero = height - bottom;

  Range values() const {
    Range range;
    for (const BarSeries& s : chart_.series)
      for (std::size_t i = 0; i < count(s); ++i)
        if (std::isfinite(s.values[i])) {
          range.add(s.values[i] - error_of(s, i));
          range.add(s.values[i] + error_of(s, i));
        }
    return range;
  }

  std::size_t count(const BarSeries& s) const {
    return std::min(s.values.size(), chart_.categories.size());
  }

  double middle(std::size_t category, std::size_t series) const {
    const double last = static_cast<double>(chart_.series.size() - 1);
    return left + slot_ * (static_cast<double>(category) + 0.5) +
           share_ * (static_cast<double>(series) - last / 2);
  }

  void add_categories() {
    const int most = std::max(3, static_cast<int>(slot_ / 8));
    for (std::size_t i = 0; i < chart_.categories.size(); ++i)
      svg_.text(left + slot_ * (static_cast<double>(i) + 0.5), zero + 19,
                shortened(readable(chart_.categories[i]), most),
                "class=\"muted\" text-anchor=\"middle\"", readable(chart_.categories[i]));
  }

  // Returns the label for the last value; its x is -1 if nothing was drawn.
  EndLabel add_series(std::size_t k) {
    const BarSeries& s = chart_.series[k];
    const auto model = static_cast<std::size_t>(std::find(models_.begin(), models_.end(), s.model) -
                                                models_.begin());
    std::string path;
    bool joined = false;
    EndLabel end{-1, 0, named(models_, model), model};
    for (std::size_t i = 0; i < count(s); ++i) {
      if (!std::isfinite(s.values[i])) {
        joined = false;
        continue;
      }
      end.x = middle(i, k);
      end.y = y_.at(s.values[i]);
      path += fmt::format("{}{} {}", joined ? 'L' : 'M', length(end.x), length(end.y));
      joined = true;
    }
    if (end.x < 0) return end;
    if (!chart_.bars) svg_.path(path, stroke(model, 1.2, 0.5));
    for (std::size_t i = 0; i < count(s); ++i)
      if (std::isfinite(s.values[i])) add_value(s, i, middle(i, k), model);
    return end;
  }

  void add_value(const BarSeries& s, std::size_t i, double x, std::size_t model) {
    const double y = y_.at(s.values[i]);
    const double error = error_of(s, i);
    const std::string title =
        fmt::format("{}, {}: {:g}{}", readable(s.model), readable(chart_.categories[i]),
                    s.values[i], error > 0 ? fmt::format(" ± {:g}", error) : "");
    if (chart_.bars) {
      const double base = y_.at(std::clamp(0.0, y_.low, y_.high));
      svg_.rect(x - share_ * 0.45, std::min(y, base), share_ * 0.9, std::abs(y - base), fill(model),
                title);
    } else {
      svg_.circle(x, y, 4, fill(model), title);
    }
    if (error > 0) add_error(s.values[i], error, x, model);
  }

  void add_error(double value, double error, double x, std::size_t model) {
    const double high = y_.at(value + error);
    const double low = y_.at(value - error);
    const double half = std::min(4.0, share_ * 0.4);
    svg_.path(fmt::format("M{0} {1}H{2}M{3} {1}V{4}M{0} {4}H{2}", length(x - half), length(high),
                          length(x + half), length(x), length(low)),
              chart_.bars ? "class=\"axis\"" : stroke(model, 1.5));
  }

  const BarChart& chart_;
  std::vector<std::string> models_;
  Svg svg_;
  Axis y_;
  double slot_ = 0;   // the width of a category
  double share_ = 0;  // the width of one series in a category
};

}  // namespace

std::string line_chart(const LineChart& chart) { return LineDrawing(chart).draw(); }
std::string bar_chart(const BarChart& chart) { return BarDrawing(chart).draw(); }

}  // namespace heed::report
