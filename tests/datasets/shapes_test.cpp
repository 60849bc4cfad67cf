// toy:shapes: its ceiling and its blind baseline, from the pictures alone.

#include "datasets/corpora/internal/shapes.h"

#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "datasets/images/picture_pairs.h"
#include "tests/message_of.h"

namespace heed::toy {
namespace {

/// Whether some channel tells the pixels that such a shape covers from all others.
bool explains(const Picture& picture, std::size_t kind, int radius, int y, int x) {
  for (Index c = 0; c < 3; ++c) {
    int low[2] = {255, 255};
    int high[2] = {0, 0};
    for (int i = 0; i < Shape::side; ++i)
      for (int j = 0; j < Shape::side; ++j) {
        const bool covered = covers(kind, radius, i - y, j - x);
        const int level = picture.at(i, j, c);
        low[covered] = std::min(low[covered], level);
        high[covered] = std::max(high[covered], level);
      }
    // Within one colour no two levels are further apart than twice the noise.
    const bool apart = low[0] > high[1] || low[1] > high[0];
    const bool alike = high[0] - low[0] <= 2 * Shape::noise && high[1] - low[1] <= 2 * Shape::noise;
    if (apart && alike) return true;
  }
  return false;
}

/// The kinds of all shapes that explain the picture.
std::set<std::size_t> kinds_of(const Picture& picture) {
  std::set<std::size_t> found;
  for (std::size_t kind = 0; kind < Shape::kinds.size(); ++kind)
    for (int r = Shape::smallest; r <= Shape::largest; ++r)
      for (int y = r; y < Shape::side - r; ++y)
        for (int x = r; x < Shape::side - r; ++x)
          if (explains(picture, kind, r, y, x)) found.insert(kind);
  return found;
}

// The ceiling: who compares every shape with the picture is always right.
TEST(Shapes, AReaderIsAlwaysRight) {
  for (std::uint64_t i = 0; i < 10; ++i) {
    Random random(7, i);
    const Shape shape(random);
    EXPECT_EQ(kinds_of(draw(shape)), std::set<std::size_t>{shape.kind}) << shape.source();
  }
}

// A middle grey behind the shape, which one picture in a thousand draws at first, has no end of its
// own.
TEST(Shapes, EveryNameHasAPicture) {
  Random random(1);
  Shape shape(random);
  for (shape.seed = 0; shape.seed < 20'000; ++shape.seed)
    ASSERT_EQ(draw(shape).bytes.size(), 24u * 24u * 3u);
}

// Who does not see the picture: every label is as frequent, also where place and size are known.
TEST(Shapes, ABlindReaderIsRightInAFifth) {
  std::map<std::string, int> all;
  std::map<std::string, int> large;
  constexpr int n = 20'000;
  int of_large = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    Random random(8, i);
    const Shape shape(random);
    ++all[shape.target()];
    if (shape.radius < Shape::largest) continue;
    ++large[shape.target()];
    ++of_large;
  }
  ASSERT_EQ(all.size(), Shape::kinds.size());
  for (const auto& [label, count] : all) {
    EXPECT_NEAR(count, n / 5, 4 * std::sqrt(n * 0.2 * 0.8)) << label;
    EXPECT_NEAR(large[label], of_large / 5, 4 * std::sqrt(of_large * 0.2 * 0.8)) << label;
  }
}

TEST(Shapes, ANameSaysAllOfAPicture) {
  const auto corpus = open_pictures({"toy:shapes"}, {}, Split::train, 1);
  for (Index i = 0; i < 200; ++i) {
    const Pair pair = corpus->at(i);
    const Shape shape = shape_of(pair.source);
    EXPECT_EQ(shape.source(), pair.source);
    EXPECT_EQ(shape.target(), pair.target);
  }
  for (const char* bad :
       {"toy:shapes/", "toy:shapes/disc", "toy:shapes/blob-r4-y9-x12-3af0211c",
        "toy:shapes/disc-r4-y9-x12-3af0211c ", "toy:shapes/disc-r4-y9-x12-3af0211cc",
        "toy:shapes/disc-r-4-y9-x12-3af0211c", "toy:shapes/disc-r8-y9-x12-3af0211c",
        "toy:shapes/disc-r4-y3-x12-3af0211c", "toy:shapes/disc-r4-y9-x20-3af0211c",
        "shapes/disc-r4-y9-x12-3af0211c"})
    EXPECT_EQ(message_of([&] { shape_of(bad); }), std::string(bad) +
                                                      ": names no picture; expected a name such as "
                                                      "toy:shapes/disc-r4-y9-x12-3af0211c");
}

}  // namespace
}  // namespace heed::toy
