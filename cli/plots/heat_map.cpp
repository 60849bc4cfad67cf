#include "cli/plots/heat_map.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/plots/colours.h"
#include "cli/plots/text.h"

namespace heed::plots {

namespace {

constexpr int label_columns = 18;
constexpr int title_columns = 40;

int level_of(float weight, double top) {  // -1: not a number
  if (!std::isfinite(weight)) return -1;
  return static_cast<int>(
      std::lround(std::clamp(static_cast<double>(weight) / top, 0.0, 1.0) * levels));
}

std::string class_of(int level) { return level < 0 ? "nan" : fmt::format("w{}", level); }

/// Two digits after the point, as few letters as that takes: ".07"; nothing for less than 0.005.
std::string number_of(float weight) {
  if (!std::isfinite(weight)) return "?";
  const std::string text = fmt::format("{:.2f}", weight);
  return text == "0.00" || text == "-0.00"     ? ""
         : text.starts_with("0.")              ? text.substr(1)
         : weight >= 0.995F && weight < 1.005F ? "1"
                                               : text;
}

/// How many marks stand before each token: by how many cells it moves when they are hidden.
std::vector<Index> marks_before(std::span<const std::string> tokens) {
  std::vector<Index> before(tokens.size());
  for (std::size_t i = 1; i < tokens.size(); ++i)
    before[i] = before[i - 1] + is_special(tokens[i - 1]);
  return before;
}

struct Labels {
  std::vector<std::string> texts;
  std::size_t step = 1;
  // of the longest, in pixels
  double font = 12;
  double extent = 0;
};

Labels labels_of(std::span<const std::string> tokens, int cell) {
  Labels labels;
  labels.font = std::clamp(cell * 0.62, 9.0, 13.0);
  labels.step = static_cast<std::size_t>(std::ceil((labels.font + 1) / std::max(cell, 1)));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool shown = i % labels.step == 0;
    labels.texts.push_back(shown ? shortened(visible(tokens[i]), label_columns) : "");
    labels.extent = std::max(labels.extent, text_width(labels.texts.back()) * labels.font);
  }
  return labels;
}

std::string shift(const char* name, Index cells) {
  return cells == 0 ? "" : fmt::format(" style=\"--{}:{}\"", name, cells);
}

/// Equal cells as one path, those of marks apart: each run of them in a row is a line as thick as a
/// cell.
void add_paths(Svg& svg, const HeatMap& map, double left, double top) {
  std::map<std::pair<int, bool>, std::string> paths;
  const std::size_t columns = map.source.size();
  for (std::size_t r = 0; r < map.target.size(); ++r) {
    const auto look_at = [&](std::size_t c) {
      return std::pair(level_of(map.weights[r * columns + c], map.top),
                       is_special(map.target[r]) || is_special(map.source[c]));
    };
    for (std::size_t c = 0, end = 0; c < columns; c = end) {
      const auto look = look_at(c);
      for (end = c + 1; end < columns && look_at(end) == look;)
        ++end;
      if (look.first == 0) continue;  // the frame's colour
      paths[look] += fmt::format("M{} {}h{}", length(left + static_cast<double>(c) * map.cell),
                                 length(top + (static_cast<double>(r) + 0.5) * map.cell),
                                 (end - c) * static_cast<std::size_t>(map.cell));
    }
  }
  svg.open(fmt::format("stroke-width=\"{}\"", map.cell));
  for (const auto& [key, d] : paths)
    svg.path(d, fmt::format("class=\"{}{}\"", class_of(key.first), key.second ? " special" : ""));
  svg.close();
}

void add_cells(Svg& svg, const HeatMap& map, double left, double top) {
  const auto rows_before = marks_before(map.target);
  const auto columns_before = marks_before(map.source);
  const std::size_t columns = map.source.size();
  std::vector<std::string> sources;
  std::vector<std::string> attributes;
  for (std::size_t c = 0; c < columns; ++c) {
    sources.push_back(shortened(visible(map.source[c]), title_columns));
    attributes.push_back((is_special(map.source[c]) ? " special\"" : "\"") +
                         shift("c", columns_before[c]));
  }
  for (std::size_t r = 0; r < map.target.size(); ++r) {
    const std::string target = shortened(visible(map.target[r]), title_columns);
    const double y = top + static_cast<double>(r) * map.cell;
    svg.open(fmt::format("class=\"row{}\"{}", is_special(map.target[r]) ? " special" : "",
                         shift("r", rows_before[r])));
    for (std::size_t c = 0; c < columns; ++c) {
      const float weight = map.weights[r * columns + c];
      const int level = level_of(weight, map.top);
      const double x = left + static_cast<double>(c) * map.cell;
      svg.rect(x, y, map.cell, map.cell,
               fmt::format("class=\"{}{}", class_of(level), attributes[c]),
               fmt::format("{} ← {}: {:.6f}", target, sources[c], weight));
      if (const std::string number = number_of(weight); map.cell >= 27 && !number.empty())
        svg.text(x + map.cell / 2.0, y + map.cell / 2.0 + 3.5, number,
                 fmt::format("class=\"n{}{}",
                             level > levels * 0.6    ? " over"
                             : level > levels * 0.45 ? " mid"
                                                     : "",
                             attributes[c]));
    }
    svg.close();
  }
}

void add_labels(Svg& svg, const HeatMap& map, const Labels& rows, const Labels& columns,
                bool slanted, double left, double top) {
  const auto rows_before = marks_before(map.target);
  const auto columns_before = marks_before(map.source);
  const auto titled = [](const std::string& shown, const std::string& token) {
    return shown.ends_with("…") ? visible(token) : std::string();
  };
  for (std::size_t r = 0; r < rows.texts.size(); ++r) {
    if (rows.texts[r].empty()) continue;
    svg.text(left - 6, top + (static_cast<double>(r) + 0.5) * map.cell + rows.font * 0.35,
             rows.texts[r],
             fmt::format("class=\"row{}\" text-anchor=\"end\" style=\"font-size:{}px{}\"",
                         is_special(map.target[r]) ? " muted special" : "", length(rows.font),
                         rows_before[r] == 0 ? "" : fmt::format(";--r:{}", rows_before[r])),
             titled(rows.texts[r], map.target[r]));
  }
  for (std::size_t c = 0; c < columns.texts.size(); ++c) {
    if (columns.texts[c].empty()) continue;
    const double x = left + (static_cast<double>(c) + 0.5) * map.cell +
                     (slanted ? columns.font * 0.2 : columns.font * 0.35);

    const double y = top - 6;
    svg.open(fmt::format("class=\"col{}\"{}", is_special(map.source[c]) ? " special" : "",
                         shift("c", columns_before[c])));
    svg.text(x, y, columns.texts[c],
             fmt::format("{}transform=\"rotate({} {} {})\" style=\"font-size:{}px\"",
                         is_special(map.source[c]) ? "class=\"muted\" " : "", slanted ? -45 : -90,
                         length(x), length(y), length(columns.font)),
             titled(columns.texts[c], map.source[c]));
    svg.close();
  }
}

}  // namespace

Svg heat_map(const HeatMap& map) {
  Svg svg;
  const double wide = static_cast<double>(map.source.size()) * map.cell;

  const double high = static_cast<double>(map.target.size()) * map.cell;
  double left = 0;
  double top = 0;
  double right = 0;
  Labels rows;
  Labels columns;
  const bool slanted = map.cell >= 16;
  if (map.labels) {
    rows = labels_of(map.target, map.cell);
    columns = labels_of(map.source, map.cell);
    left += std::ceil(rows.extent) + 8;
    top += std::ceil((slanted ? (columns.extent + columns.font) * 0.7072 : columns.extent)) + 8;
    // how far the label of each column reaches beyond the cells
    for (std::size_t c = 0; slanted && c < columns.texts.size(); ++c) {
      const double beyond = text_width(columns.texts[c]) * columns.font * 0.7072 -
                            map.cell * (static_cast<double>(columns.texts.size() - c) - 0.5);
      right = std::max(right, beyond + 6);
    }
  }
  svg.width = std::ceil(left + wide + right);
  svg.height = std::ceil(top + high);
  svg.width += 1;
  svg.height += 1;
  svg.open("transform=\"translate(.5 .5)\"");  // lines one pixel wide are sharp there
  svg.rect(left, top, wide, high, "class=\"frame\"");
  svg.open(fmt::format("class=\"cells{}\"{}{}", map.cell >= 8 && map.titles ? " ruled" : "",
                       map.attributes.empty() ? "" : " ", map.attributes));
  if (map.titles)
    add_cells(svg, map, left, top);
  else
    add_paths(svg, map, left, top);
  svg.close();
  if (map.labels) add_labels(svg, map, rows, columns, slanted, left, top);
  svg.close();
  return svg;
}

std::string special_rules() {
  return "#hide-special:checked~* .special,#hide-special:checked~* .frame{display:none}\n"
         "#hide-special:checked~* .row{transform:translateY(calc(var(--cell,0px)*var(--r,0)*-1))}\n"
         "#hide-special:checked~* .col,#hide-special:checked~* .row rect,#hide-special:checked~* "
         ".row .n"
         "{transform:translateX(calc(var(--cell,0px)*var(--c,0)*-1))}\n";
}

Svg scale_bar(double top, bool with_nan) {
  constexpr int steps = 24;
  constexpr double step = 8;
  constexpr double height = 10;
  Svg svg;
  svg.text(0, 10, "weight 0", "class=\"muted\"");
  const double left = 58.5;
  for (int i = 0; i < steps; ++i)
    svg.rect(
        left + i * step, 0.5, step, height,
        fmt::format("class=\"swatch w{}\"",
                    static_cast<int>(std::lround(levels * static_cast<double>(i) / (steps - 1)))));
  svg.rect(left, 0.5, steps * step, height, "class=\"grid\"");
  svg.text(left + steps * step + 6, 10, fmt::format("{:.1f}", top), "class=\"muted\"");
  svg.width = left + steps * step + 40;
  svg.height = 15;
  if (with_nan) {
    svg.rect(svg.width, 0.5, step, height, "class=\"swatch nan\"");
    svg.text(svg.width + step + 5, 10, "not a number", "class=\"muted\"");
    svg.width += 100;
  }
  return svg;
}

int fitting_cell(Index rows, Index columns, double extent, int least, int most) {
  return std::clamp(static_cast<int>(std::lround(
                        extent / static_cast<double>(std::max<Index>({rows, columns, 1})))),
                    least, most);
}

double top_of(std::span<const float> weights) {
  double most = 0;
  for (float weight : weights)
    if (std::isfinite(weight)) most = std::max(most, static_cast<double>(weight));
  return std::clamp(std::ceil(most * 10 - 1e-6) / 10, 0.2, 1.0);
}

bool has_nan(std::span<const float> weights) {
  return std::any_of(weights.begin(), weights.end(),
                     [](float weight) { return !std::isfinite(weight); });
}

}  // namespace heed::plots
