#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/report/chart.h"
#include "experiments/report/internal/chart_frame.h"
#include "experiments/report/text.h"

namespace heed::report {

namespace detail {
namespace {

constexpr std::size_t most_dots = 60;  // a line of more points has no dots at its points

bool can_draw(double value, bool log) { return std::isfinite(value) && (!log || value > 0); }

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
    add_marks();
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

  // The names stand in three rows, so that neighbours do not overlap. Where no row has room there
  // is the tooltip alone.
  void add_marks() {
    std::array<double, 3> free{-1, -1, -1};
    for (const Mark& mark : chart_.marks) {
      if (!(mark.x >= x_.low && mark.x <= x_.high)) continue;
      const double at = x_.at(mark.x);
      const std::string name = shortened(readable(mark.name), 24);
      svg_.path(fmt::format("M{0} {1}V{2}", length(at), length(top + 8), length(height - bottom)),
                "class=\"axis\" stroke-dasharray=\"3 3\"",
                readable(mark.title.empty() ? mark.name : mark.title));
      const auto row = std::find_if(free.begin(), free.end(), [&](double x) { return x < at; });
      if (row == free.end()) continue;
      svg_.text(at + 4, top + 18 + 14 * static_cast<double>(row - free.begin()), name,
                "class=\"muted\" style=\"font-size:11px\"");
      *row = at + 12 + text_width(name) * 11;
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

}  // namespace
}  // namespace detail

std::string line_chart(const LineChart& chart) { return detail::LineDrawing(chart).draw(); }

}  // namespace heed::report
