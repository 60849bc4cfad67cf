#include "datasets/images/picture.h"

#include <algorithm>
#include <cmath>

#include "framework/error.h"

namespace heed {

namespace {

/// How much each pixel of a line counts for a pixel of the line in another length.
struct Weights {
  Index first = 0;
  std::vector<double> of_pixels = {};  // from `first` on; they sum to 1
};

/// Of pixel `at` of a line of `to` pixels that shows one of `from`. A triangle as wide as two
/// pixels of the coarser line, so that it is bilinear where the line grows.
Weights weights_of(Index at, Index to, Index from) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double reach = std::max(1.0, scale);
  const double centre = (static_cast<double>(at) + 0.5) * scale - 0.5;
  const auto first = static_cast<Index>(std::ceil(centre - reach));
  const auto last = static_cast<Index>(std::floor(centre + reach));
  Weights weights{.first = std::max<Index>(first, 0)};
  double sum = 0;
  for (Index i = weights.first; i <= std::min(last, from - 1); ++i) {
    const double weight = 1 - std::abs(static_cast<double>(i) - centre) / reach;
    weights.of_pixels.push_back(std::max(weight, 0.0));
    sum += weights.of_pixels.back();
  }
  for (double& weight : weights.of_pixels)
    weight /= sum;
  return weights;
}

std::vector<Weights> all_weights(Index to, Index from) {
  std::vector<Weights> all;
  for (Index at = 0; at < to; ++at)
    all.push_back(weights_of(at, to, from));
  return all;
}

std::uint8_t to_byte(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

}  // namespace

Picture resized(const Picture& from, Index height, Index width) {
  if (from.height == height && from.width == width) return from;
  check(from.height > 0 && from.width > 0 && height > 0 && width > 0, "resized",
        "expected a picture and a size above 0; got {} x {} and {} x {}", from.height, from.width,
        height, width);
  const std::vector<Weights> across = all_weights(width, from.width);
  const std::vector<Weights> down = all_weights(height, from.height);
  // Each line of the source in the new width, then each column in the new height.
  std::vector<double> narrow;
  for (Index y = 0; y < from.height; ++y)
    for (const Weights& columns : across)
      for (Index c = 0; c < from.channels; ++c) {
        double sum = 0;
        for (std::size_t j = 0; j < columns.of_pixels.size(); ++j)
          sum += columns.of_pixels[j] * from.at(y, columns.first + static_cast<Index>(j), c);
        narrow.push_back(sum);
      }
  Picture to{.height = height, .width = width, .channels = from.channels};
  const Index line = width * from.channels;
  for (const Weights& rows : down)
    for (Index x = 0; x < line; ++x) {
      double sum = 0;
      for (std::size_t i = 0; i < rows.of_pixels.size(); ++i)
        sum += rows.of_pixels[i] *
               narrow[static_cast<std::size_t>((rows.first + static_cast<Index>(i)) * line + x)];
      to.bytes.push_back(to_byte(sum));
    }
  return to;
}

Picture with_channels(const Picture& from, Index channels) {
  if (from.channels == channels) return from;
  check((from.channels == 1 || from.channels == 3) && (channels == 1 || channels == 3),
        "with_channels", "expected 1 or 3 channels; got {} and {}", from.channels, channels);
  Picture to{.height = from.height, .width = from.width, .channels = channels};
  to.bytes.resize(static_cast<std::size_t>(to.height * to.width * channels));
  for (Index y = 0; y < to.height; ++y)
    for (Index x = 0; x < to.width; ++x) {
      std::uint8_t grey = from.at(y, x, 0);
      if (from.channels == 3)
        grey = to_byte(0.299 * grey + 0.587 * from.at(y, x, 1) + 0.114 * from.at(y, x, 2));
      for (Index c = 0; c < channels; ++c)
        to.at(y, x, c) = grey;
    }
  return to;
}

Picture shifted(const Picture& from, Index down, Index right) {
  Picture to = from;
  for (Index y = 0; y < to.height; ++y)
    for (Index x = 0; x < to.width; ++x)
      for (Index c = 0; c < to.channels; ++c)
        to.at(y, x, c) = from.at(std::clamp<Index>(y - down, 0, from.height - 1),
                                 std::clamp<Index>(x - right, 0, from.width - 1), c);
  return to;
}

Picture mirrored(const Picture& from) {
  Picture to = from;
  for (Index y = 0; y < to.height; ++y)
    for (Index x = 0; x < to.width; ++x)
      for (Index c = 0; c < to.channels; ++c)
        to.at(y, x, c) = from.at(y, from.width - 1 - x, c);
  return to;
}

}  // namespace heed
