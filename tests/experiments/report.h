#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "experiments/inference/attended_line.h"

namespace heed {

/// Weights that tell every cell of every head from every other, rows summing to 1.
inline AttendedLine attended(std::vector<std::string> source, std::vector<std::string> target,
                             int layers, Index heads) {
  AttendedLine line{.source_text = "a source",
                    .target_text = "a target",
                    .source = std::move(source),
                    .target = std::move(target)};
  const auto rows = static_cast<Index>(line.target.size());

  const auto columns = static_cast<Index>(line.source.size());
  for (int k = 0; k < layers; ++k) {
    AttentionLayerMap map{"decoder." + std::to_string(k) + ".cross", heads, rows, columns, {}};
    for (Index row = 0; row < heads * rows; ++row) {
      double sum = 0;
      std::vector<double> weights;
      for (Index j = 0; j < columns; ++j)
        sum += weights.emplace_back(
            std::exp(3 * std::sin(static_cast<double>((k + 2) * 37 * row + 11 * j * j + row * j))));
      for (double weight : weights)
        map.weights.push_back(static_cast<float>(weight / sum));
    }
    line.layers.push_back(std::move(map));
  }
  return line;
}

/// The numbers of the cells' tooltips, row after row, under "layer/head", from the text of a page
/// or a picture. The pictures of several lines follow one another.
inline std::map<std::string, std::vector<double>> drawn_weights(const std::string& text) {
  std::map<std::string, std::vector<double>> weights;
  const auto attribute = [&](std::string_view name, std::size_t from) {
    const std::size_t begin = text.find(std::string(name) + "=\"", from) + name.size() + 2;
    return text.substr(begin, text.find('"', begin) - begin);
  };
  const std::string group = "<g class=\"cells";
  for (std::size_t at = text.find(group); at != std::string::npos;) {
    const std::size_t next = text.find(group, at + 1);
    auto& cells = weights[attribute("data-layer", at) + "/" + attribute("data-head", at)];
    for (std::size_t rect = text.find("<rect", at); rect < next;
         rect = text.find("<rect", rect + 1)) {
      const std::size_t title = text.find('>', rect) + 1;
      const std::size_t end = text.find("</title>", title);
      // cells have tooltips; what comes after them has none
      if (text.compare(title, 7, "<title>") != 0) break;
      cells.push_back(std::stod(text.substr(text.rfind(' ', end), end)));
    }
    at = next;
  }
  return weights;
}

/// The mean over every head of every layer.
inline std::vector<double> mean_weights(const AttendedLine& line) {
  std::vector<double> mean(line.source.size() * line.target.size());
  double heads = 0;
  for (const auto& map : line.layers) {
    heads += static_cast<double>(map.heads);
    for (std::size_t i = 0; i < map.weights.size(); ++i)
      mean[i % mean.size()] += static_cast<double>(map.weights[i]);
  }
  for (double& weight : mean)
    weight /= heads;
  return mean;
}

}  // namespace heed
