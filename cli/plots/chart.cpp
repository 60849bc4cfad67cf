#include "cli/plots/chart.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "cli/plots/colours.h"
#include "cli/plots/svg.h"
#include "cli/plots/text.h"

namespace heed::plots {

namespace {

constexpr double width = 760;
constexpr double height = 400;
constexpr double left = 68;
constexpr double top = 40;
constexpr double bottom = 52;
constexpr double line_of_text = 16;
constexpr std::size_t most_dots = 60;  // of a line; more points are a line alone

/// From values to pixels.
struct Axis {
  // `from` is where `low` lies
  double low = 0;
  double high = 1;
  double from = 0;
  double to = 1;
  bool log = false;
  std::vector<Tick> ticks = {};

  bool takes(double value) const { return std::isfinite(value) && (!log || value > 0); }
  double at(double value) const {
    value = std::clamp(value, low, high);
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

/// An axis that holds the range; `snug`: it ends where the values do.
Axis axis_of(Range range, bool log, bool snug, double from, double to) {
  Axis axis{.low = 0, .high = 1, .from = from, .to = to, .log = log};
  constexpr double most = std::numeric_limits<double>::max() / 4;  // room for the axis around it
  if (log) {
    const double pad =
        snug && range.high > range.low ? 1 : std::max(1.03, std::pow(range.high / range.low, 0.04));
    axis.low = range.low / pad;
    axis.high = std::min(range.high, most) * pad;
    axis.ticks = log_ticks(axis.low, axis.high);
    std::erase_if(axis.ticks, [&](const Tick& tick) {
      return tick.value < axis.low * 0.9999 || tick.value > axis.high * 1.0001;
    });
    return axis;
  }
  range.low = std::clamp(range.low, -most, most);
  range.high = std::clamp(range.high, -most, most);
  axis.ticks = ticks(range.low, range.high, 6);
  axis.low = axis.ticks.front().value;
  axis.high = axis.ticks.back().value;
  if (snug && range.high > range.low) {
    axis.low = axis.low >= 0 && range.low - axis.low < 0.25 * (range.high - range.low) ? axis.low
                                                                                       : range.low;
    axis.high = range.high;
    std::erase_if(axis.ticks, [&](const Tick& tick) {
      return tick.value < axis.low || tick.value > axis.high;
    });
  }
  return axis;
}

/// Models in the order they first appear.
std::vector<std::string> models_of(const auto& series) {
  std::vector<std::string> models;
  for (const auto& s : series)
    if (std::find(models.begin(), models.end(), s.model) == models.end()) models.push_back(s.model);
  return models;
}

/// The colours come round again dashed.
std::string stroke(std::size_t model, double pixels, double opacity = 1) {
  const std::size_t round = model / series_colours;
  return fmt::format("class=\"m{}\" stroke-width=\"{}\"{}{} stroke-linejoin=\"round\"",
                     model % series_colours, length(pixels),
                     round > 0 ? fmt::format(" stroke-dasharray=\"{} 3\"", 7 / round + 1) : "",
                     opacity < 1 ? fmt::format(" opacity=\"{}\"", opacity) : "");
}
std::string fill(std::size_t model) { return fmt::format("class=\"f{}\"", model % series_colours); }

struct EndLabel {
  // of the line's end
  double x;
  double y;
  std::string text;
  std::size_t model;
  double at = 0;
};
/// Beside the ends of their lines, none over another.
void add_end_labels(Svg& svg, std::vector<EndLabel> labels, double x, double lowest) {
  std::stable_sort(labels.begin(), labels.end(),
                   [](const EndLabel& a, const EndLabel& b) { return a.y < b.y; });
  double free = top - 4;
  for (EndLabel& label : labels) {
    label.at = std::max(label.y, free);
    free = label.at + line_of_text;
  }
  for (std::size_t i = labels.size(); i-- > 0; lowest = labels[i].at - line_of_text)
    labels[i].at = std::min(labels[i].at, lowest);
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

}  // namespace

std::string line_chart(const LineChart& chart) {
  Svg svg = frame(chart.title, chart.x_label, chart.y_label);
  const auto models = models_of(chart.series);
  Axis x{.log = chart.log_x};
  Axis y{.log = chart.log_y};
  Range xs;
  Range ys;
  // (x, y, goes on from the one before)
  const auto each = [&](const Series& s, const std::function<void(double, double, bool)>& take) {
    bool on = false;
    for (std::size_t i = 0; i < std::min(s.xs.size(), s.ys.size()); ++i) {
      const bool drawn = x.takes(s.xs[i]) && y.takes(s.ys[i]);
      if (drawn) take(s.xs[i], s.ys[i], on);
      on = drawn;
    }
  };
  for (const Series& s : chart.series)
    each(s, [&](double at, double value, bool) {
      xs.add(at);
      ys.add(value);
    });
  if (xs.empty()) return no_data(std::move(svg), chart.title);
  double names = 0;
  for (std::size_t m = 0; m < models.size(); ++m)
    names = std::max(names, text_width(named(models, m)) * 12);
  const double right = width - 16 - names;
  x = axis_of(xs, chart.log_x, true, left, right);
  y = axis_of(ys, chart.log_y, false, height - bottom, top + 8);

  add_y_axis(svg, y, right);
  svg.line(left, height - bottom + 0.5, right, height - bottom + 0.5, "class=\"axis\"");
  double free = -1;
  for (const Tick& tick : x.ticks) {
    const double at = x.at(tick.value);
    const double half = text_width(tick.label) * 6;
    svg.line(at, height - bottom, at, height - bottom + 5, "class=\"axis\"");
    if (at - half > free) {
      svg.text(at, height - bottom + 19, tick.label, "class=\"muted\" text-anchor=\"middle\"");
      free = at + half + 6;
    }
  }

  std::vector<EndLabel> labels;
  const auto draw = [&](const Series& s, std::size_t model, double pixels, double opacity,
                        const std::string& title) {
    std::string d;
    std::size_t points = 0;
    double end_x = 0;
    double end_y = 0;
    each(s, [&](double at, double value, bool on) {
      end_x = x.at(at);
      end_y = y.at(value);
      ++points;
      d += fmt::format("{}{} {}", on ? 'L' : 'M', length(end_x), length(end_y));
    });
    if (points == 0) return EndLabel{-1, 0, "", model};
    svg.path(d, stroke(model, pixels, opacity), title);
    if (points <= most_dots && opacity >= 1)
      each(s, [&](double at, double value, bool) {
        svg.circle(x.at(at), y.at(value), 2.6, fill(model),
                   fmt::format("{}: {:g}, {:g}", title, at, value));
      });
    return EndLabel{end_x, end_y, named(models, model), model};
  };
  for (std::size_t m = 0; m < models.size(); ++m) {
    std::vector<const Series*> runs;
    for (const Series& s : chart.series)
      if (s.model == models[m]) runs.push_back(&s);
    EndLabel end{-1, 0, "", m};
    if (runs.size() > 1) {
      for (const Series* run : runs)
        if (const EndLabel last = draw(*run, m, 1, 0.45, readable(run->name)); last.x > end.x)
          end = last;
      if (const EndLabel last = draw(mean_of(runs), m, 2.4, 1, readable(models[m]) + ", mean");
          last.x >= 0)
        end = last;
    } else {
      end = draw(*runs[0], m, 2.4, 1, readable(runs[0]->name.empty() ? models[m] : runs[0]->name));
    }
    if (end.x >= 0) labels.push_back(end);
  }
  add_end_labels(svg, std::move(labels), right, height - bottom);
  return svg.element(readable(chart.title));
}

std::string bar_chart(const BarChart& chart) {
  Svg svg = frame(chart.title, chart.x_label, chart.y_label);
  const auto models = models_of(chart.series);
  const auto error_of = [](const BarSeries& s, std::size_t i) {
    return i < s.errors.size() && std::isfinite(s.errors[i]) ? std::abs(s.errors[i]) : 0.0;
  };
  Range range;
  for (const BarSeries& s : chart.series)
    for (std::size_t i = 0; i < std::min(s.values.size(), chart.categories.size()); ++i)
      if (std::isfinite(s.values[i])) {
        range.add(s.values[i] - error_of(s, i));
        range.add(s.values[i] + error_of(s, i));
      }
  if (range.empty()) return no_data(std::move(svg), chart.title);
  if (chart.bars) range.add(0);
  double names = 0;
  for (std::size_t m = 0; m < models.size(); ++m)
    names = std::max(names, text_width(named(models, m)) * 12);
  const double right = width - 16 - names;
  const double zero = height - bottom;
  const Axis y = axis_of(range, false, false, zero, top + 8);
  add_y_axis(svg, y, right);
  svg.line(left, zero + 0.5, right, zero + 0.5, "class=\"axis\"");

  const double slot =
      (right - left) / static_cast<double>(std::max<std::size_t>(chart.categories.size(), 1));
  const double share = slot * (chart.bars ? 0.8 : 0.5) / static_cast<double>(chart.series.size());
  const auto middle = [&](std::size_t category, std::size_t series) {
    return left + slot * (static_cast<double>(category) + 0.5) +
           share * (static_cast<double>(series) - static_cast<double>(chart.series.size() - 1) / 2);
  };
  for (std::size_t i = 0; i < chart.categories.size(); ++i) {
    const int most = std::max(3, static_cast<int>(slot / 8));
    svg.text(left + slot * (static_cast<double>(i) + 0.5), zero + 19,
             shortened(readable(chart.categories[i]), most),
             "class=\"muted\" text-anchor=\"middle\"", readable(chart.categories[i]));
  }
  std::vector<EndLabel> labels;
  for (std::size_t k = 0; k < chart.series.size(); ++k) {
    const BarSeries& s = chart.series[k];
    const auto model =
        static_cast<std::size_t>(std::find(models.begin(), models.end(), s.model) - models.begin());
    std::string joined;
    bool on = false;
    EndLabel end{-1, 0, named(models, model), model};
    for (std::size_t i = 0; i < std::min(s.values.size(), chart.categories.size()); ++i) {
      if (!std::isfinite(s.values[i])) {
        on = false;
        continue;
      }
      end.x = middle(i, k);
      end.y = y.at(s.values[i]);
      joined += fmt::format("{}{} {}", on ? 'L' : 'M', length(end.x), length(end.y));
      on = true;
    }
    if (end.x < 0) continue;
    if (chart.bars) end.x = right - 8;  // no thread to it across other bars
    if (!chart.bars) svg.path(joined, stroke(model, 1.2, 0.5));
    for (std::size_t i = 0; i < std::min(s.values.size(), chart.categories.size()); ++i) {
      if (!std::isfinite(s.values[i])) continue;
      const double at = middle(i, k);
      const double value = y.at(s.values[i]);

      const double base = y.at(std::clamp(0.0, y.low, y.high));
      const double error = error_of(s, i);
      const std::string title =
          fmt::format("{}, {}: {:g}{}", readable(s.model), readable(chart.categories[i]),
                      s.values[i], error > 0 ? fmt::format(" ± {:g}", error) : "");
      if (chart.bars)
        svg.rect(at - share * 0.45, std::min(value, base), share * 0.9, std::abs(value - base),
                 fill(model), title);
      else
        svg.circle(at, value, 4, fill(model), title);
      if (error > 0) {
        const double high = y.at(s.values[i] + error);
        const double low = y.at(s.values[i] - error);

        const double half = std::min(4.0, share * 0.4);
        svg.path(fmt::format("M{0} {1}H{2}M{3} {1}V{4}M{0} {4}H{2}", length(at - half),
                             length(high), length(at + half), length(at), length(low)),
                 chart.bars ? "class=\"axis\"" : stroke(model, 1.5));
      }
    }
    labels.push_back(end);
  }
  add_end_labels(svg, std::move(labels), right, zero);
  return svg.element(readable(chart.title));
}

}  // namespace heed::plots
