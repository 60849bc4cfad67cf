#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "datasets/images/picture.h"
#include "framework/random.h"

namespace heed::toy {

/// A picture of 24 x 24 pixels in colour that shows one of five shapes, and its name.
///
/// - The shape, its size, its place, its colour and the colour behind it are drawn independently,
///   so that neither a place nor a colour tells the shape.
/// - Every pixel has noise of its own, of at most `noise` levels of 256. In some channel the two
///   colours are at least `contrast` levels apart, which is more than twice the noise. So the
///   pixels of the shape can be told from the others without error, no two shapes have the same
///   pixels, and 100 % can be reached. Who does not see the picture reaches 20 %.
///
/// The source is a name that says all of it, "toy:shapes/disc-r4-y9-x12-3af0211c"; draw() makes the
/// picture of a name.
struct Shape {
  static constexpr Index side = 24;
  static constexpr int noise = 40;
  static constexpr int contrast = 96;
  static constexpr std::array<std::string_view, 5> kinds = {"horizontal", "vertical", "cross",
                                                            "square", "disc"};
  static constexpr int smallest = 3;  // radius
  static constexpr int largest = 7;

  explicit Shape(Random& random);
  std::string source() const;
  std::string target() const { return std::string(kinds[kind]); }

  /// Whether the corpus has shapes of this size in this place: whole, within the picture.
  bool is_drawn() const;

  std::size_t kind = 0;
  int radius = smallest;
  int y = 0;  // of the centre
  int x = 0;
  std::uint32_t seed = 0;  // of the colours and of the noise

 private:
  Shape() = default;
  friend Shape shape_of(const std::string& name);
};

/// Whether a shape of this kind and radius covers the pixel that is so far from its centre.
bool covers(std::size_t kind, int radius, int dy, int dx);

/// Whether the name begins like that of such a picture.
bool is_shape_name(std::string_view name);
/// The shape of a name. Throws Error where no picture has this name.
Shape shape_of(const std::string& name);
/// The picture of a shape.
Picture draw(const Shape& shape);

}  // namespace heed::toy
