#pragma once

#include <string>

namespace heed::plots {

/// What a picture is drawn with. Pictures name classes, never colours, so that one page shows them
/// by day and by night.
struct Theme {
  const char* paper;
  const char* ink;
  const char* muted;
  const char* grid;
  // the scale of weights in OKLCH: lightness, chroma, hue in degrees
  double from[3];
  double to[3];
  const char* models[7];  // of series; told apart by the colour-blind too
  // which numbers stand on cells too strong for ink: those over 0.6 of the scale, or from the
  // middle on
  const char* turned;
};
extern const Theme light;
extern const Theme dark;

inline constexpr int levels = 48;  // of the scale: class w0 is nothing, w48 the most
inline constexpr int series_colours = 7;

/// "#rrggbb" at `part` (0 to 1) of a theme's scale: a straight line through OKLab (Ottosson 2020),
/// so that equal differences of weight look equal; lightness alone carries it, so that it needs no
/// sight of colour.
std::string scale_colour(const Theme& theme, double part);

/// Rules for every class that a map of weights uses, and those of charts.
std::string weight_rules(const Theme& theme);
std::string chart_rules(const Theme& theme);

}  // namespace heed::plots
