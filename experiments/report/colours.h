#pragma once

#include <string>

namespace heed::report {

/// The colours of a picture. Pictures name classes, never colours, so that one page can show them
/// in a light and in a dark theme.
struct Theme {
  const char* paper;
  const char* ink;
  const char* muted;
  const char* grid;
  // The ends of the scale of weights in OKLCH: lightness, chroma, hue in degrees.
  double from[3];
  double to[3];
  const char* models[7];  // colours of series, which colour-blind readers can distinguish too
  // The classes of numbers that are written in the colour of the paper, because the colour of their
  // cells is too close to the ink: .over (above 0.6 of the scale) and .mid (above 0.45).
  const char* inverted;
};
extern const Theme light;
extern const Theme dark;

inline constexpr int levels = 48;  // the scale has the classes w0 (weight 0) to w48 (the largest)
inline constexpr int series_colours = 7;

/// The colour "#rrggbb" at `part` (0 to 1) of a theme's scale. The scale is a straight line in
/// OKLab (Ottosson 2020), so that equal differences of weight look equal. Its lightness alone shows
/// the weight, so that it can be read without seeing colours.
std::string scale_colour(const Theme& theme, double part);

/// CSS rules for every class that a heat map uses.
std::string weight_rules(const Theme& theme);
/// CSS rules for every class of series that a chart uses.
std::string chart_rules(const Theme& theme);

}  // namespace heed::report
