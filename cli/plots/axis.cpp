#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "cli/plots/chart.h"

namespace heed::plots {

namespace {

/// As few digits as tell it from its neighbours, `step` away; powers of ten where zeros would be
/// many.
std::string label_of(double value, double step) {
  if (value != 0 && (std::abs(value) >= 1e7 || step < 1e-5)) return fmt::format("{:.4g}", value);
  const int digits = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  return fmt::format("{:.{}f}", std::abs(value) < step / 2 ? 0.0 : value, digits);
}

}  // namespace

std::vector<Tick> ticks(double low, double high, int count) {
  if (!(high > low)) {
    const double around = low == 0 ? 1 : std::abs(low) * 0.1;
    high = low + around;
    low -= around;
  }
  // Halves first: their difference may be more than there are numbers. What is closer than numbers
  // are gets one step.
  const double rough = std::max((high / 2 - low / 2) / std::max(count, 1) * 2,
                                std::max(std::abs(low), std::abs(high)) * 1e-12);
  const double power =
      std::pow(10, std::floor(std::log10(std::max(rough, std::numeric_limits<double>::min()))));
  double step = 10 * power;
  for (double times : {1.0, 2.0, 5.0})
    if (times * power >= rough * (1 - 1e-9)) {
      step = times * power;
      break;
    }
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
      result.push_back({value, power >= -4 && power < 6
                                   ? fmt::format("{:.{}f}", value, std::max(0, -power))
                                   : fmt::format("{:.0e}", value)});
    }
  return result;
}

Series mean_of(const std::vector<const Series*>& series) {
  Series mean;
  std::vector<std::vector<std::pair<double, double>>> lines;
  for (const Series* s : series) {
    auto& line = lines.emplace_back();
    for (std::size_t i = 0; i < std::min(s->xs.size(), s->ys.size()); ++i)
      if (std::isfinite(s->xs[i]) && std::isfinite(s->ys[i])) line.emplace_back(s->xs[i], s->ys[i]);
    std::stable_sort(line.begin(), line.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    if (line.empty()) lines.pop_back();
  }
  if (lines.empty()) return mean;
  double from = lines[0].front().first;
  double to = lines[0].back().first;
  for (const auto& line : lines) {
    from = std::max(from, line.front().first);
    to = std::min(to, line.back().first);
  }
  for (const auto& line : lines)
    for (const auto& point : line)
      if (point.first >= from && point.first <= to) mean.xs.push_back(point.first);
  std::sort(mean.xs.begin(), mean.xs.end());
  mean.xs.erase(std::unique(mean.xs.begin(), mean.xs.end()), mean.xs.end());
  std::vector<std::size_t> at(lines.size());
  for (double x : mean.xs) {
    double sum = 0;
    for (std::size_t k = 0; k < lines.size(); ++k) {
      const auto& line = lines[k];
      while (at[k] + 1 < line.size() && line[at[k] + 1].first <= x)
        ++at[k];
      const auto& [x0, y0] = line[at[k]];
      if (x0 >= x || at[k] + 1 == line.size())
        sum += y0;
      else
        sum += y0 + (line[at[k] + 1].second - y0) * (x - x0) / (line[at[k] + 1].first - x0);
    }
    mean.ys.push_back(sum / static_cast<double>(lines.size()));
  }
  return mean;
}

}  // namespace heed::plots
