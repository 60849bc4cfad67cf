#include "experiments/run_report/internal/head_figures.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "experiments/report/text.h"

namespace heed {

namespace {

/// Sums over rows.
struct Sums {
  HeadFigures figures;
  Index rows = 0;

  /// `place`: of the row among the rows, 0 to 1.
  void add(std::span<const float> row, double place, const std::vector<bool>& special) {
    if (std::any_of(row.begin(), row.end(), [](float weight) { return !std::isfinite(weight); }))
      return;
    const auto n = static_cast<double>(row.size());
    double entropy = 0;
    for (std::size_t j = 0; j < row.size(); ++j) {
      const auto weight = static_cast<double>(row[j]);
      if (weight > 0) entropy -= weight * std::log(weight);
      figures.distance += weight * std::abs((static_cast<double>(j) + 0.5) / n - place);
      if (special[j]) figures.special += weight;
    }
    if (row.size() > 1) figures.entropy += entropy / std::log(n);
    ++rows;
  }

  HeadFigures mean() const {
    const auto count = static_cast<double>(std::max<Index>(rows, 1));
    return {figures.entropy / count, figures.distance / count, figures.special / count};
  }
};

/// The sums of the heads of each layer, by the layer's name.
using Layers = std::map<std::string, std::vector<Sums>>;

void add_line(Layers& layers, const AttendedLine& line) {
  std::vector<bool> special;
  for (const std::string& token : line.source)
    special.push_back(report::is_special(token));
  for (const AttentionLayerMap& map : line.layers) {
    std::vector<Sums>& heads = layers[map.layer];
    heads.resize(std::max(heads.size(), static_cast<std::size_t>(map.heads)));
    const auto columns = static_cast<std::size_t>(map.columns);
    const float* row = map.weights.data();
    for (Index head = 0; head < map.heads; ++head)
      for (Index i = 0; i < map.rows; ++i) {
        const double place = (static_cast<double>(i) + 0.5) / static_cast<double>(map.rows);
        heads[static_cast<std::size_t>(head)].add({row, columns}, place, special);
        row += columns;
      }
  }
}

}  // namespace

std::vector<LayerFigures> head_figures(const std::vector<AttendedLine>& lines) {
  Layers layers;
  for (const AttendedLine& line : lines)
    add_line(layers, line);
  const auto first = std::find_if(lines.begin(), lines.end(),
                                  [](const AttendedLine& line) { return !line.layers.empty(); });
  std::vector<LayerFigures> figures;
  if (first == lines.end()) return figures;
  for (const AttentionLayerMap& map : first->layers) {
    LayerFigures& layer = figures.emplace_back(LayerFigures{map.layer, {}});
    for (const Sums& sums : layers.at(map.layer))
      layer.heads.push_back(sums.mean());
  }
  return figures;
}

}  // namespace heed
