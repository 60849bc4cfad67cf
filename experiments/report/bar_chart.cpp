#include <algorithm>
#include <cmath>

#include "experiments/report/chart.h"
#include "experiments/report/internal/chart_frame.h"
#include "experiments/report/text.h"

namespace heed::report {

namespace detail {
namespace {

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
}  // namespace detail

std::string bar_chart(const BarChart& chart) { return detail::BarDrawing(chart).draw(); }

std::string histogram(const std::vector<Index>& counts, const std::string& about) {
  constexpr double bar = 5;
  constexpr double high = 24;
  Svg svg;
  svg.width = bar * static_cast<double>(counts.size());
  svg.height = high + 1;
  const Index most = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  std::string path;
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i] > 0)
      path += fmt::format(
          "M{} {}h{}V{}h-{}z", length(bar * static_cast<double>(i)), length(high + 1),
          length(bar - 1),
          length(high * (1 - static_cast<double>(counts[i]) / static_cast<double>(most))),
          length(bar - 1));
  svg.path(path, "class=\"f0\"");
  return svg.element(readable(about));
}

}  // namespace heed::report
