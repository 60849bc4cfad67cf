// Pictures to rows, against the definitions in double.

#include "models/front_ends.h"

#include "framework/tape.h"
#include "tests/message_of.h"
#include "tests/models/tiny.h"

namespace heed {
namespace {

std::vector<double> values_of(const std::string& name, FrontEnd& front_end) {
  struct Module {
    FrontEnd& front_end;
    void visit(Visitor& v) { front_end.visit(v); }
  } module{front_end};
  for (const auto& [key, p] : parameters(module))
    if (key == name) {
      const auto span = p.value().span();
      return {span.begin(), span.end()};
    }
  return {};
}

/// deviation LayerNorm(W pixels + b) of the pixels of one row.
std::vector<double> naive_row(FrontEnd& front_end, const std::vector<double>& pixels,
                              double deviation) {
  const auto w = values_of("pixels.0.weight", front_end);
  std::vector<double> y = values_of("pixels.0.bias", front_end);
  const auto gain = values_of("pixel_norm.gain", front_end);
  const auto bias = values_of("pixel_norm.bias", front_end);
  double mean = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    for (std::size_t j = 0; j < pixels.size(); ++j)
      y[i] += w[i * pixels.size() + j] * pixels[j];
    mean += y[i] / static_cast<double>(y.size());
  }
  double variance = 0;
  for (const double v : y)
    variance += (v - mean) * (v - mean) / static_cast<double>(y.size());
  for (std::size_t i = 0; i < y.size(); ++i)
    y[i] = deviation * ((y[i] - mean) / std::sqrt(variance + 1e-5) * gain[i] + bias[i]);
  return y;
}

struct Module {
  PictureFrontEnd front_end;
  void visit(Visitor& v) { front_end.visit(v); }
};

TEST(PictureFrontEnd, RowsAreProductsOfTheirPixels) {
  constexpr Index d = 6;
  for (const PictureRows kind : {PictureRows::patches, PictureRows::lines}) {
    const PictureFrontEndOptions o{
        .rows = kind, .height = 4, .width = 6, .channels = 3, .patch = 2};
    Random random(1);
    Module m{PictureFrontEnd(o, d, Real(0.5), random)};
    randomize(m);
    const Tensor pictures = random_tensor({2, 4, 6, 3}, 3);
    const Embedded embedded = m.front_end(Numbers{pictures});
    const Tensor& rows = embedded.rows.value();
    const Index across = kind == PictureRows::lines ? 1 : 3;
    const Index width = 6 / across;
    ASSERT_EQ(rows.shape(), Shape({2 * 2 * across, d}));
    ASSERT_EQ(embedded.spans.count(), 2);
    EXPECT_EQ(embedded.spans.length(1), 2 * across);
    Index row = 0;
    for (Index n = 0; n < 2; ++n)
      for (Index y = 0; y < 2; ++y)
        for (Index x = 0; x < across; ++x, ++row) {
          std::vector<double> pixels;
          for (Index i = 0; i < 2; ++i)
            for (Index j = 0; j < width; ++j)
              for (Index c = 0; c < 3; ++c)
                pixels.push_back(static_cast<double>(
                    pictures.data()[((n * 4 + y * 2 + i) * 6 + x * width + j) * 3 + c]));
          const auto expected = naive_row(m.front_end, pixels, 0.5);
          for (Index k = 0; k < d; ++k)
            EXPECT_NEAR(rows.data()[row * d + k], expected[static_cast<std::size_t>(k)], close)
                << row << ", " << k;
        }
  }
}

TEST(PictureFrontEnd, ConvolutionsSeeBeyondTheirPatch) {
  const PictureFrontEndOptions o{
      .rows = PictureRows::convolutions, .height = 16, .width = 16, .channels = 1, .patch = 4};
  Random random(1);
  Module m{PictureFrontEnd(o, 16, 1, random)};
  Tensor pictures = random_tensor({1, 16, 16, 1}, 3);
  const Tensor before = m.front_end(Numbers{pictures}).rows.value();
  EXPECT_EQ(before.shape(), Shape({16, 16})) << "as many rows as patches";
  // Two convolutions of 3 x 3 at every second place see 7 x 7 pixels, from 3 before the patch on.
  pictures.data()[1 * 16 + 1] += 1;
  const Tensor after = m.front_end(Numbers{pictures}).rows.value();
  for (Index row = 0; row < 16; ++row) {
    bool same = true;
    for (Index k = 0; k < 16; ++k)
      same = same && before.data()[row * 16 + k] == after.data()[row * 16 + k];
    const bool sees = row == 0 || row == 1 || row == 4 || row == 5;
    EXPECT_EQ(same, !sees) << row;
  }
}

TEST(PictureFrontEnd, RefusesWhatItCannotCut) {
  struct Row {
    PictureFrontEndOptions options;
    std::string message;
  };
  for (const Row& row : std::vector<Row>{
           {{.height = 0}, "[pictures] expected height of at least 1; got 0"},
           {{.channels = 2}, "[pictures] expected channels of 1 or 3; got 2"},
           {{.patch = 5}, "[pictures] expected patch of a divisor of height = 28; got 5"},
           {{.width = 30}, "[pictures] expected patch of a divisor of width = 30; got 4"},
           {{.rows = PictureRows::lines, .width = 30}, ""},
           {{.rows = PictureRows::convolutions, .patch = 7},
            "[pictures] expected patch of 2, 4, 8, 16 ... for convolutions; got 7"},
           {{.rows = PictureRows::convolutions, .patch = 1},
            "[pictures] expected patch of 2, 4, 8, 16 ... for convolutions; got 1"}})
    EXPECT_EQ(message_of([&] { row.options.check(); }), row.message);
  Random random(1);
  const PictureFrontEnd front_end({}, 8, 1, random);
  EXPECT_EQ(message_of([&] {
              front_end(Numbers{random_tensor({2, 28, 27, 1}, 1)});
            }),
            "[pictures] expected pictures (n, 28, 28, 1); got (2, 28, 27, 1)");
  EXPECT_NE(message_of([&] { front_end(pack({{1, 2}})); }), "");
  const TextFrontEnd text(9, 8, 1, random);
  EXPECT_EQ(message_of([&] {
              text(Numbers{random_tensor({2, 28, 28, 1}, 1)});
            }),
            "[text] expected texts; got numbers");
}

}  // namespace
}  // namespace heed
