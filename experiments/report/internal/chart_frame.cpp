#include "experiments/report/internal/chart_frame.h"

#include <cmath>

#include "experiments/report/colours.h"
#include "experiments/report/text.h"

namespace heed::report::detail {

namespace {

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

}  // namespace

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

std::string stroke(std::size_t model, double pixels, double opacity) {
  const std::size_t round = model / series_colours;
  return fmt::format("class=\"m{}\" stroke-width=\"{}\"{}{} stroke-linejoin=\"round\"",
                     model % series_colours, length(pixels),
                     round > 0 ? fmt::format(" stroke-dasharray=\"{} 3\"", 7 / round + 1) : "",
                     opacity < 1 ? fmt::format(" opacity=\"{}\"", opacity) : "");
}
std::string fill(std::size_t model) { return fmt::format("class=\"f{}\"", model % series_colours); }

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

double width_of_names(const std::vector<std::string>& models) {
  double widest = 0;
  for (std::size_t m = 0; m < models.size(); ++m)
    widest = std::max(widest, text_width(named(models, m)) * 12);
  return widest;
}

}  // namespace heed::report::detail
