#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "experiments/report/chart.h"

namespace heed::report {

namespace {

// Writes a value with as few digits as distinguish it from its neighbours, `step` away. Very large
// and very small values are written with an exponent.
std::string label_of(double value, double step) {
  if (value != 0 && (std::abs(value) >= 1e7 || step < 1e-5)) return fmt::format("{:.4g}", value);
  const int digits = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  return fmt::format("{:.{}f}", std::abs(value) < step / 2 ? 0.0 : value, digits);
}

// The smallest of 1, 2, 5 and 10 times a power of ten that is not below `rough`.
double step_of(double rough) {
  const double power =
      std::pow(10, std::floor(std::log10(std::max(rough, std::numeric_limits<double>::min()))));
  for (double times : {1.0, 2.0, 5.0})
    if (times * power >= rough * (1 - 1e-9)) return times * power;
  return 10 * power;
}

std::string log_label(double value, int power) {
  if (power >= -4 && power < 6) return fmt::format("{:.{}f}", value, std::max(0, -power));
  return fmt::format("{:.0e}", value);
}

using Line = std::vector<std::pair<double, double>>;  // (x, y), sorted by x

// The finite points of each series that has any.
std::vector<Line> lines_of(const std::vector<const Series*>& series) {
  std::vector<Line> lines;
  for (const Series* s : series) {
    Line& line = lines.emplace_back();
    for (std::size_t i = 0; i < std::min(s->xs.size(), s->ys.size()); ++i)
      if (std::isfinite(s->xs[i]) && std::isfinite(s->ys[i])) line.emplace_back(s->xs[i], s->ys[i]);
    std::stable_sort(line.begin(), line.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    if (line.empty()) lines.pop_back();
  }
  return lines;
}

// All distinct x of the lines that lie within the range of each, sorted.
std::vector<double> shared_xs(const std::vector<Line>& lines) {
  double from = lines[0].front().first;
  double to = lines[0].back().first;
  for (const Line& line : lines) {
    from = std::max(from, line.front().first);
    to = std::min(to, line.back().first);
  }
  std::vector<double> xs;
  for (const Line& line : lines)
    for (const auto& [x, y] : line)
      if (x >= from && x <= to) xs.push_back(x);
  std::sort(xs.begin(), xs.end());
  xs.erase(std::unique(xs.begin(), xs.end()), xs.end());
  return xs;
}

// The value of a line at `x`. `at` is a point not after x; it moves to the last such point.
double value_at(const Line& line, double x, std::size_t& at) {
  while (at + 1 < line.size() && line[at + 1].first <= x)
    ++at;
  const auto& [x0, y0] = line[at];
  if (x0 >= x || at + 1 == line.size()) return y0;
  const auto& [x1, y1] = line[at + 1];
  return y0 + (y1 - y0) * (x - x0) / (x1 - x0);
}

}  // namespace

std::vector<Tick> ticks(double low, double high, int count) {
  if (!(high > low)) {
    const double around = low == 0 ? 1 : std::abs(low) * 0.1;
    high = low + around;
    low -= around;
  }
  // high - low may overflow, so the halves are subtracted. A range close to the precision of
  // numbers gets one step.
  const double rough = std::max((high / 2 - low / 2) / std::max(count, 1) * 2,
                                std::max(std::abs(low), std::abs(high)) * 1e-12);
  const double step = step_of(rough);
  std::vector<Tick> result;
  const double first = std::floor(low / step + 1e-9);
  const double last = std::max(std::ceil(high / step - 1e-9), first + 1);
  for (double i = first; i <= last && result.size() < 100; ++i)
    result.push_back({i * step, label_of(i * step, step)});
  return result;
}

std::vector<Tick> log_ticks(double low, double high) {
  const double decades = std::log10(high) - std::log10(low);
  if (decades < 0.5) return ticks(low, high, 5);
  const int first = static_cast<int>(std::floor(std::log10(low) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(high) - 1e-9));
  const int every = std::max(1, (last - first) / 8);
  std::vector<Tick> result;
  for (int power = first; power <= last; power += every)
    for (double times : {1.0, 2.0, 5.0}) {
      if (times > 1 && decades >= 2.5) break;
      const double value = times * std::pow(10, power);
      if (value < low * 0.999 || value > high * 1.001) continue;
      result.push_back({value, log_label(value, power)});
    }
  return result;
}

Series mean_of(const std::vector<const Series*>& series) {
  Series mean;
  const std::vector<Line> lines = lines_of(series);
  if (lines.empty()) return mean;
  mean.xs = shared_xs(lines);
  std::vector<std::size_t> at(lines.size());
  for (double x : mean.xs) {
    double sum = 0;
    for (std::size_t k = 0; k < lines.size(); ++k)
      sum += value_at(lines[k], x, at[k]);
    mean.ys.push_back(sum / static_cast<double>(lines.size()));
  }
  return mean;
}

}  // namespace heed::report
