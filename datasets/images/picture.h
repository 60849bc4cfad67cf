#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/types.h"

namespace heed {

/// A picture, row by row from its top: bytes (height, width, channels). One channel is grey, three
/// are red, green and blue.
struct Picture {
  Index height = 0;
  Index width = 0;
  Index channels = 1;
  std::vector<std::uint8_t> bytes = {};

  std::uint8_t& at(Index y, Index x, Index channel) {
    return bytes[static_cast<std::size_t>((y * width + x) * channels + channel)];
  }
  std::uint8_t at(Index y, Index x, Index channel) const {
    return bytes[static_cast<std::size_t>((y * width + x) * channels + channel)];
  }
  friend bool operator==(const Picture&, const Picture&) = default;
};

/// A picture and a grid of equal parts over it: one part for each row that a model reads of it, in
/// the order of reading.
struct PictureGrid {
  Picture picture;
  Index down = 1;  // parts, one below the other
  Index across = 1;

  Index part_height() const { return picture.height / down; }
  Index part_width() const { return picture.width / across; }
};

/// The most pixels of a picture that is read. A larger one is refused before memory is taken.
inline constexpr Index most_pixels = Index{1} << 26;

/// The picture in another size. A pixel is a mean of those around its place, weighted by a triangle
/// that reaches as far as a pixel of the coarser of both: bilinear where the picture grows.
Picture resized(const Picture& picture, Index height, Index width);
/// The picture in grey or in colour. Grey is 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601).
Picture with_channels(const Picture& picture, Index channels);
/// The picture moved by so many pixels, down and to the right. What moves in is the nearest pixel
/// of the edge.
Picture shifted(const Picture& picture, Index down, Index right);
/// The picture as a mirror shows it: left and right are exchanged.
Picture mirrored(const Picture& picture);

}  // namespace heed
