#include "experiments/report/internal/attention_maps.h"

#include <algorithm>

#include <fmt/format.h>

#include "experiments/report/text.h"

namespace heed::report::detail {

namespace {

constexpr Index titled_cells = 40'000;  // a picture of more cells has no tooltips

std::string summary_caption(const AttendedLine& line, Index heads) {
  if (line.layers.size() > 1)
    return fmt::format("the mean of all {} heads of {} layers", heads, line.layers.size());
  const std::string& layer = line.layers[0].layer;
  if (heads == 1) return fmt::format("{}, its one head", layer);
  return fmt::format("{}, the mean of its {} heads", layer, heads);
}

std::span<const float> head_of(const AttentionLayerMap& map, Index head) {
  const auto cells = static_cast<std::size_t>(map.rows * map.columns);
  return std::span(map.weights).subspan(static_cast<std::size_t>(head) * cells, cells);
}

HeatMap map_of(const AttendedLine& line, std::span<const float> weights, const std::string& layer,
               const std::string& head) {
  return {.source = line.source,
          .target = line.target,
          .weights = weights,
          .attributes =
              fmt::format("data-layer=\"{}\" data-head=\"{}\"", escape(visible(layer)), head)};
}

}  // namespace

Summary summary_of(const AttendedLine& line) {
  const std::size_t cells = line.source.size() * line.target.size();
  std::vector<double> sum(cells);
  Index heads = 0;
  for (const AttentionLayerMap& map : line.layers) {
    for (std::size_t i = 0; i < map.weights.size(); ++i)
      sum[i % cells] += static_cast<double>(map.weights[i]);
    heads += map.heads;
  }
  Summary summary;
  for (double value : sum)
    summary.weights.push_back(
        static_cast<float>(value / static_cast<double>(std::max<Index>(heads, 1))));
  summary.caption = summary_caption(line, heads);
  return summary;
}

HeadStyle head_style_of(const AttendedLine& line, bool titles) {
  HeadStyle style;
  Index cells = 0;
  Index most_heads = 1;
  for (const AttentionLayerMap& map : line.layers) {
    style.top = std::max(style.top, top_of(map.weights));
    style.with_nan = style.with_nan || has_nan(map.weights);
    cells += static_cast<Index>(map.weights.size());
    most_heads = std::max(most_heads, map.heads);
  }
  style.cell =
      fitting_cell(static_cast<Index>(line.target.size()), static_cast<Index>(line.source.size()),
                   most_heads > 4 ? 112 : 150, 1, 14);
  style.drawn = cells <= drawn_cells;
  style.titles = titles && cells <= titled_cells;
  return style;
}

HeatMap top_map(const AttendedLine& line, const Summary& summary) {
  HeatMap map = map_of(line, summary.weights, "mean", "mean");
  map.top = top_of(summary.weights);
  map.cell = fitting_cell(static_cast<Index>(line.target.size()),
                          static_cast<Index>(line.source.size()), 780, 2, 32);
  map.titles = static_cast<Index>(summary.weights.size()) <= titled_cells;
  return map;
}

HeatMap head_map(const AttendedLine& line, const AttentionLayerMap& layer, Index head,
                 const HeadStyle& style) {
  HeatMap map = map_of(line, head_of(layer, head), layer.layer, std::to_string(head + 1));
  map.top = style.top;
  map.cell = style.cell;
  map.labels = false;
  map.titles = style.titles;
  return map;
}

std::string veil_caption(double most) {
  return fmt::format(
      "On the right, the veil over a part is the thinner the more weight it has; there is none "
      "over the part with the most, {:.2g}.",
      most);
}

}  // namespace heed::report::detail
