#include "experiments/report/colours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <numbers>

#include <fmt/format.h>

namespace heed::report {

// The colours of series are based on the palette of Okabe and Ito (2008), without its yellow and
// black.
const Theme light = {"#ffffff",
                     "#1c2026",
                     "#5b6470",
                     "#e1e5ea",
                     {1.0, 0, 264},
                     {0.33, 0.15, 264},
                     {"#0072b2", "#d55e00", "#009e73", "#aa4499", "#b98500", "#3a9bd6", "#6b6b6b"},
                     ".over"};
const Theme dark = {"#15181d",
                    "#e6e9ed",
                    "#9aa4b0",
                    "#30363e",
                    {0.235, 0.01, 264},
                    {0.95, 0.07, 205},
                    {"#4ba3e3", "#f0803c", "#2fc497", "#dd8fc3", "#e6b23c", "#8fd0f5", "#b0b0b0"},
                    ".over,svg .mid"};

using Colour = std::array<double, 3>;

// From lightness, chroma, hue in degrees to the coordinates L, a, b.
static Colour oklab_of(const double (&lch)[3]) {
  const double hue = lch[2] * std::numbers::pi / 180;
  return {lch[0], lch[1] * std::cos(hue), lch[1] * std::sin(hue)};
}

// From OKLab to linear red, green and blue (Ottosson 2020).
static Colour linear_rgb_of(const Colour& lab) {
  const double l = std::pow(lab[0] + 0.3963377774 * lab[1] + 0.2158037573 * lab[2], 3);
  const double m = std::pow(lab[0] - 0.1055613458 * lab[1] - 0.0638541728 * lab[2], 3);
  const double s = std::pow(lab[0] - 0.0894841775 * lab[1] - 1.2914855480 * lab[2], 3);
  return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
          -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
          -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

// The sRGB byte of a linear value.
static int byte_of(double linear) {
  linear = std::clamp(linear, 0.0, 1.0);
  const double encoded =
      linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
  return static_cast<int>(std::lround(255 * encoded));
}

std::string scale_colour(const Theme& theme, double part) {
  const Colour from = oklab_of(theme.from);
  const Colour to = oklab_of(theme.to);
  Colour lab;
  for (std::size_t i = 0; i < 3; ++i)
    lab[i] = from[i] + (to[i] - from[i]) * std::clamp(part, 0.0, 1.0);
  const Colour rgb = linear_rgb_of(lab);
  return fmt::format("#{:02x}{:02x}{:02x}", byte_of(rgb[0]), byte_of(rgb[1]), byte_of(rgb[2]));
}

std::string weight_rules(const Theme& theme) {
  std::string css = ".cells rect,.swatch{fill:currentColor}.cells path{stroke:currentColor}\n";
  const auto out = std::back_inserter(css);
  fmt::format_to(out,
                 "svg text{{fill:{0}}}"
                 "svg .muted{{fill:{1}}}"
                 ".paper{{fill:{2}}}"
                 ".frame{{fill:{2};stroke:{3}}}"
                 ".cells rect{{stroke:{3}}}"
                 ".cells rect:hover{{stroke:{0}}}"
                 ".nan{{color:#e8743b}}\n",
                 theme.ink, theme.muted, theme.paper, theme.grid);
  fmt::format_to(out,
                 ".grid{{stroke:{0};fill:none}}"
                 ".axis{{stroke:{1};fill:none}}"
                 "svg {2}{{fill:{3}}}\n",
                 theme.grid, theme.muted, theme.inverted, theme.paper);
  for (int i = 0; i <= levels; ++i)
    fmt::format_to(out, ".w{}{{color:{}}}", i,
                   scale_colour(theme, static_cast<double>(i) / levels));
  return css + '\n';
}

std::string chart_rules(const Theme& theme) {
  std::string css;
  for (int i = 0; i < series_colours; ++i)
    fmt::format_to(std::back_inserter(css), ".m{0}{{stroke:{1};fill:none}}svg .f{0}{{fill:{1}}}", i,
                   theme.models[i]);
  return css + '\n';
}

}  // namespace heed::report
