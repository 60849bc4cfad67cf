#include "datasets/corpora/internal/shapes.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "framework/error.h"

namespace heed::toy {

namespace {

constexpr std::string_view prefix = "toy:shapes/";

using Colour = std::array<int, 3>;

Colour draw_colour(Random& random) {
  // Noise is added to it, and must not be cut off at 0 or 255.
  constexpr int levels = 256 - 2 * Shape::noise;
  Colour colour{};
  for (int& channel : colour)
    channel = Shape::noise + static_cast<int>(random.below(levels));
  return colour;
}

bool differ(const Colour& a, const Colour& b) {
  for (std::size_t c = 0; c < a.size(); ++c)
    if (std::abs(a[c] - b[c]) >= Shape::contrast) return true;
  return false;
}

}  // namespace

bool covers(std::size_t kind, int r, int dy, int dx) {
  dy = std::abs(dy);
  dx = std::abs(dx);
  const bool horizontal = dy == 0 && dx <= r;
  const bool vertical = dx == 0 && dy <= r;
  const bool square = dy <= r && dx <= r && (dy == r || dx == r);
  const bool disc = dx * dx + dy * dy <= r * r;
  const bool by_kind[] = {horizontal, vertical, horizontal || vertical, square, disc};
  return by_kind[kind];
}

Shape::Shape(Random& random)
    : kind(random.below(kinds.size())),
      radius(smallest + static_cast<int>(random.below(largest - smallest + 1))),
      y(radius + static_cast<int>(random.below(static_cast<std::uint64_t>(side - 2 * radius)))),
      x(radius + static_cast<int>(random.below(static_cast<std::uint64_t>(side - 2 * radius)))),
      seed(random()) {}

std::string Shape::source() const {
  return fmt::format("{}{}-r{}-y{}-x{}-{:08x}", prefix, kinds[kind], radius, y, x, seed);
}

bool Shape::is_drawn() const {
  const auto fits = [&](int centre) { return radius <= centre && centre < side - radius; };
  return smallest <= radius && radius <= largest && fits(y) && fits(x);
}

bool is_shape_name(std::string_view name) { return name.starts_with(prefix); }

Shape shape_of(const std::string& name) {
  Shape shape;
  char kind[16] = {};
  unsigned seed = 0;
  const int found = is_shape_name(name)
                        ? std::sscanf(name.c_str() + prefix.size(), "%15[a-z]-r%2d-y%2d-x%2d-%8x",
                                      kind, &shape.radius, &shape.y, &shape.x, &seed)
                        : 0;
  const auto at = std::ranges::find(Shape::kinds, std::string_view(kind));
  shape.kind = static_cast<std::size_t>(at - Shape::kinds.begin());
  shape.seed = seed;
  // Written again, it must be the name: else it held more, or less.
  if (found != 5 || at == Shape::kinds.end() || !shape.is_drawn() || shape.source() != name)
    fail("{}: names no picture; expected a name such as toy:shapes/disc-r4-y9-x12-3af0211c", name);
  return shape;
}

Picture draw(const Shape& shape) {
  Random random(shape.seed, 0x5a9e);
  // Both anew: of a middle grey nothing differs enough.
  Colour behind = draw_colour(random);
  Colour before = draw_colour(random);
  while (!differ(before, behind)) {
    behind = draw_colour(random);
    before = draw_colour(random);
  }
  Picture picture{.height = Shape::side, .width = Shape::side, .channels = 3};
  picture.bytes.resize(static_cast<std::size_t>(Shape::side * Shape::side * 3));
  for (int y = 0; y < Shape::side; ++y)
    for (int x = 0; x < Shape::side; ++x) {
      const bool covered = covers(shape.kind, shape.radius, y - shape.y, x - shape.x);
      const Colour& colour = covered ? before : behind;
      for (Index c = 0; c < 3; ++c) {
        const int off = static_cast<int>(random.below(2 * Shape::noise + 1)) - Shape::noise;
        const int level = colour[static_cast<std::size_t>(c)] + off;
        picture.at(y, x, c) = static_cast<std::uint8_t>(level);
      }
    }
  return picture;
}

}  // namespace heed::toy
