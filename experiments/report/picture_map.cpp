#include "experiments/report/picture_map.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace heed::report {

namespace {

constexpr double extent = 240;  // of the longer side of a picture, in pixels of the page
constexpr double gap = 16;
constexpr double thickest = 0.9;  // opacity of the veil over a part without weight

/// RFC 4648, section 4.
std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

double veil_of(float weight, double most) {
  if (!std::isfinite(weight)) return 1;
  if (most <= 0) return thickest;
  return thickest * (1 - std::clamp(static_cast<double>(weight) / most, 0.0, 1.0));
}

std::string address_of(const AttendedPicture& picture) {
  return "data:image/png;base64," + base64(picture.png);
}

/// Pixels of the page for one of the picture.
double scale_of(const AttendedPicture& picture) {
  return extent / static_cast<double>(std::max(picture.height, picture.width));
}

}  // namespace

Svg picture_alone(const AttendedPicture& picture) {
  const double scale = scale_of(picture) / 2;
  Svg svg;
  svg.width = std::ceil(static_cast<double>(picture.width) * scale);
  svg.height = std::ceil(static_cast<double>(picture.height) * scale);
  svg.image(0, 0, static_cast<double>(picture.width) * scale,
            static_cast<double>(picture.height) * scale, address_of(picture));
  return svg;
}

Svg picture_map(const AttendedPicture& picture, std::span<const float> weights, double most) {
  const double scale = scale_of(picture);
  const double wide = static_cast<double>(picture.width) * scale;
  const double high = static_cast<double>(picture.height) * scale;
  const std::string address = address_of(picture);
  Svg svg;
  svg.width = std::ceil(2 * wide + gap);
  svg.height = std::ceil(high);
  svg.image(0, 0, wide, high, address);
  svg.image(wide + gap, 0, wide, high, address);
  const double across = wide / static_cast<double>(picture.across);
  const double down = high / static_cast<double>(picture.down);
  for (Index part = 0; part < picture.down * picture.across; ++part) {
    const float weight = weights[static_cast<std::size_t>(part)];
    svg.rect(wide + gap + across * static_cast<double>(part % picture.across),
             down * static_cast<double>(part / picture.across), across, down,
             fmt::format("class=\"paper\" fill-opacity=\"{}\"", length(veil_of(weight, most))),
             fmt::format("{:.6f}", weight));
  }
  return svg;
}

}  // namespace heed::report
