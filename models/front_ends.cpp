#include "models/front_ends.h"

#include <bit>
#include <cmath>

#include "models/internal/checks.h"

namespace heed {

TextFrontEnd::TextFrontEnd(Index vocabulary, Index d, Real deviation, Random& random)
    : embedding_(vocabulary, d, random), scale_(std::sqrt(static_cast<Real>(d)) * deviation) {
  check_argument(vocabulary >= 1, "text", "vocabulary", vocabulary, "of at least 1");
}

Embedded TextFrontEnd::operator()(const Input& input) const {
  check(input.numbers.count() == 0, "text", "expected texts; got numbers");
  detail::check_sequences("logits", input.texts);
  return {embedding_(input.texts.ids, scale_), input.texts.spans};
}

void PictureFrontEndOptions::check() const {
  for (const auto& [name, value] : {std::pair("height", height), std::pair("width", width)})
    check_argument(value >= 1, "pictures", name, value, "of at least 1");
  check_argument(channels == 1 || channels == 3, "pictures", "channels", channels, "of 1 or 3");
  check_argument(patch >= 1 && height % patch == 0, "pictures", "patch", patch,
                 "of a divisor of height = {}", height);
  if (rows == PictureRows::lines) return;
  check_argument(width % patch == 0, "pictures", "patch", patch, "of a divisor of width = {}",
                 width);
  if (rows == PictureRows::patches) return;
  check_argument(std::has_single_bit(static_cast<std::uint64_t>(patch)) && patch > 1, "pictures",
                 "patch", patch, "of 2, 4, 8, 16 ... for convolutions");
}

namespace {

/// The layers of a front end, of which all but the last have a GELU behind them.
std::vector<Conv2d> picture_layers(const PictureFrontEndOptions& o, Index d, Random& random) {
  std::vector<Conv2d> layers;
  if (o.rows != PictureRows::convolutions) {
    const Extent2d size{o.patch, o.rows == PictureRows::lines ? o.width : o.patch};
    layers.emplace_back(o.channels, d, size, random, Window2d{.stride = size});
    return layers;
  }
  // Half as many columns at each finer grid, as there are four times as many places.
  const int count = std::countr_zero(static_cast<std::uint64_t>(o.patch));
  Index in = o.channels;
  for (int i = 0; i < count; ++i) {
    const Index out = std::max<Index>(8, d >> (count - 1 - i));
    layers.emplace_back(in, out, Extent2d{3, 3}, random,
                        Window2d{.stride = {2, 2}, .padding = {1, 1}});
    in = out;
  }
  layers.emplace_back(in, d, Extent2d{1, 1}, random);
  return layers;
}

const PictureFrontEndOptions& checked(const PictureFrontEndOptions& options) {
  options.check();
  return options;
}

}  // namespace

PictureFrontEnd::PictureFrontEnd(const PictureFrontEndOptions& options, Index d, Real deviation,
                                 Random& random)
    : options_(checked(options)),
      layers_(picture_layers(options, d, random)),
      norm_(d),
      deviation_(deviation) {}

Embedded PictureFrontEnd::operator()(const Input& input) const {
  const PictureFrontEndOptions& o = options_;
  const Shape expected{input.numbers.count(), o.height, o.width, o.channels};
  check(input.numbers.count() > 0 && input.numbers.values.shape() == expected, "pictures",
        "expected pictures (n, {}, {}, {}); got {}", o.height, o.width, o.channels,
        input.numbers.values.shape());
  Variable x = layers_.front()(input.numbers.values);
  for (std::size_t i = 1; i < layers_.size(); ++i)
    x = layers_[i](gelu(x));
  const Index n = input.numbers.count();
  const Index d = x.extent(3);
  const Variable rows = norm_(reshape(x, {n * o.count(), d}));  // (n rows, d)
  const std::vector<Index> lengths(static_cast<std::size_t>(n), o.count());
  return {deviation_ == 1 ? rows : rows * deviation_, Spans::packed(lengths)};
}

}  // namespace heed
