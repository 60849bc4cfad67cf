#include "experiments/report/heat_map.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "experiments/report/colours.h"
#include "experiments/report/text.h"

namespace heed::report {

namespace {

constexpr int label_columns = 18;
constexpr int title_columns = 40;

constexpr double sqrt_half = 0.7072;

// The level of the scale, 0 to `levels`; -1 if the weight is not finite.
int level_of(float weight, double top) {
  if (!std::isfinite(weight)) return -1;
  return static_cast<int>(
      std::lround(std::clamp(static_cast<double>(weight) / top, 0.0, 1.0) * levels));
}

std::string class_of(int level) { return level < 0 ? "nan" : fmt::format("w{}", level); }

// A weight with two decimals, written as short as possible: ".07", "1", and "" below 0.005.
std::string number_of(float weight) {
  if (!std::isfinite(weight)) return "?";
  const std::string text = fmt::format("{:.2f}", weight);
  if (text == "0.00" || text == "-0.00") return "";
  if (text.starts_with("0.")) return text.substr(1);
  if (weight >= 0.995F && weight < 1.005F) return "1";
  return text;
}

// The class of a number that is too close in colour to the cell it stands on (Theme::inverted).
const char* contrast_class(int level) {
  if (level > levels * 0.6) return " over";
  if (level > levels * 0.45) return " mid";
  return "";
}

// The number of special tokens before each token: the number of cells that it moves when they are
// hidden.
std::vector<Index> special_before(std::span<const std::string> tokens) {
  std::vector<Index> before(tokens.size());
  for (std::size_t i = 1; i < tokens.size(); ++i)
    before[i] = before[i - 1] + is_special(tokens[i - 1]);
  return before;
}

struct Labels {
  std::vector<std::string> texts;
  std::size_t step = 1;  // every step-th token has a label
  double font = 12;      // the size of the font in pixels
  double extent = 0;     // the width of the longest label in pixels
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

// Draws all cells of one level as one path. Cells of special tokens have a path of their own. Each
// run of equal cells in a row is a line as thick as a cell.
void add_paths(Svg& svg, const HeatMap& map, double left, double top) {
  using Style = std::pair<int, bool>;  // level, special
  std::map<Style, std::string> paths;
  const std::size_t columns = map.source.size();
  for (std::size_t r = 0; r < map.target.size(); ++r) {
    const auto style_of = [&](std::size_t c) {
      return Style(level_of(map.weights[r * columns + c], map.top),
                   is_special(map.target[r]) || is_special(map.source[c]));
    };
    std::size_t end = 0;
    for (std::size_t c = 0; c < columns; c = end) {
      const Style style = style_of(c);
      end = c + 1;
      while (end < columns && style_of(end) == style)
        ++end;
      if (style.first == 0) continue;  // the frame has this colour already
      paths[style] += fmt::format("M{} {}h{}", length(left + static_cast<double>(c) * map.cell),
                                  length(top + (static_cast<double>(r) + 0.5) * map.cell),
                                  (end - c) * static_cast<std::size_t>(map.cell));
    }
  }
  svg.open(fmt::format("stroke-width=\"{}\"", map.cell));
  for (const auto& [key, d] : paths)
    svg.path(d, fmt::format("class=\"{}{}\"", class_of(key.first), key.second ? " special" : ""));
  svg.close();
}

// A cell with its tooltip, and the number in it if there is room. `attributes` end its class.
void add_cell(Svg& svg, const HeatMap& map, double x, double y, float weight,
              const std::string& attributes, const std::string& title) {
  const int level = level_of(weight, map.top);
  svg.rect(x, y, map.cell, map.cell, fmt::format("class=\"{}{}", class_of(level), attributes),
           title);
  const std::string number = number_of(weight);
  if (map.cell >= 27 && !number.empty())
    svg.text(x + map.cell / 2.0, y + map.cell / 2.0 + 3.5, number,
             fmt::format("class=\"n{}{}", contrast_class(level), attributes));
}

void add_cells(Svg& svg, const HeatMap& map, double left, double top) {
  const auto rows_before = special_before(map.target);
  const auto columns_before = special_before(map.source);
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
      const double x = left + static_cast<double>(c) * map.cell;
      add_cell(svg, map, x, y, weight, attributes[c],
               fmt::format("{} ← {}: {:.6f}", target, sources[c], weight));
    }
    svg.close();
  }
}

// The tooltip of a label: the whole token, if the label shows only a part.
std::string title_of(const std::string& label, const std::string& token) {
  return label.ends_with("…") ? visible(token) : std::string();
}

void add_row_labels(Svg& svg, const HeatMap& map, const Labels& rows, double left, double top) {
  const auto rows_before = special_before(map.target);
  for (std::size_t r = 0; r < rows.texts.size(); ++r) {
    if (rows.texts[r].empty()) continue;
    svg.text(left - 6, top + (static_cast<double>(r) + 0.5) * map.cell + rows.font * 0.35,
             rows.texts[r],
             fmt::format("class=\"row{}\" text-anchor=\"end\" style=\"font-size:{}px{}\"",
                         is_special(map.target[r]) ? " muted special" : "", length(rows.font),
                         rows_before[r] == 0 ? "" : fmt::format(";--r:{}", rows_before[r])),
             title_of(rows.texts[r], map.target[r]));
  }
}

void add_column_labels(Svg& svg, const HeatMap& map, const Labels& columns, bool slanted,
                       double left, double top) {
  const auto columns_before = special_before(map.source);
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
             title_of(columns.texts[c], map.source[c]));
    svg.close();
  }
}

// How far slanted labels reach beyond the right edge of the cells, in pixels.
double overhang(const Labels& columns, int cell) {
  double right = 0;
  for (std::size_t c = 0; c < columns.texts.size(); ++c) {
    const double beyond = text_width(columns.texts[c]) * columns.font * sqrt_half -
                          cell * (static_cast<double>(columns.texts.size() - c) - 0.5);
    right = std::max(right, beyond + 6);
  }
  return right;
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
    top += std::ceil(slanted ? (columns.extent + columns.font) * sqrt_half : columns.extent) + 8;
    if (slanted) right = overhang(columns, map.cell);
  }
  svg.width = std::ceil(left + wide + right);
  svg.height = std::ceil(top + high);
  svg.width += 1;
  svg.height += 1;
  svg.open("transform=\"translate(.5 .5)\"");  // makes lines of one pixel sharp
  svg.rect(left, top, wide, high, "class=\"frame\"");
  svg.open(fmt::format("class=\"cells{}\"{}{}", map.cell >= 8 && map.titles ? " ruled" : "",
                       map.attributes.empty() ? "" : " ", map.attributes));
  if (map.titles)
    add_cells(svg, map, left, top);
  else
    add_paths(svg, map, left, top);
  svg.close();
  if (map.labels) {
    add_row_labels(svg, map, rows, left, top);
    add_column_labels(svg, map, columns, slanted, left, top);
  }
  svg.close();
  return svg;
}

std::string special_rules() {
  return "#hide-special:checked~* .special,#hide-special:checked~* .frame{display:none}\n"
         "#hide-special:checked~* .row{transform:translateY(calc(var(--cell,0px)*var(--r,0)*-1))}\n"
         "#hide-special:checked~* .col,"
         "#hide-special:checked~* .row rect,"
         "#hide-special:checked~* .row .n"
         "{transform:translateX(calc(var(--cell,0px)*var(--c,0)*-1))}\n";
}

Svg scale_bar(double top, bool with_nan) {
  constexpr int steps = 24;
  constexpr double step = 8;
  constexpr double height = 10;
  Svg svg;
  svg.text(0, 10, "weight 0", "class=\"muted\"");
  const double left = 58.5;
  for (int i = 0; i < steps; ++i) {
    const auto level = std::lround(levels * static_cast<double>(i) / (steps - 1));
    svg.rect(left + i * step, 0.5, step, height, fmt::format("class=\"swatch w{}\"", level));
  }
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
  const auto cells = static_cast<double>(std::max<Index>({rows, columns, 1}));
  return std::clamp(static_cast<int>(std::lround(extent / cells)), least, most);
}

double largest_weight(std::span<const float> weights) {
  double most = 0;
  for (float weight : weights)
    if (std::isfinite(weight)) most = std::max(most, static_cast<double>(weight));
  return most;
}

double top_of(std::span<const float> weights) {
  return std::clamp(std::ceil(largest_weight(weights) * 10 - 1e-6) / 10, 0.2, 1.0);
}

bool has_nan(std::span<const float> weights) {
  return std::any_of(weights.begin(), weights.end(),
                     [](float weight) { return !std::isfinite(weight); });
}

}  // namespace heed::report
