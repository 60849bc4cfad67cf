#include "experiments/inference/sources.h"

#include <algorithm>

#include "datasets/images/picture_pairs.h"
#include "datasets/images/picture_reader.h"

namespace heed {

namespace {

constexpr Index largest_side = 4096;

const std::vector<Choice<PictureRows>> picture_rows = {{"patches", PictureRows::patches},
                                                       {"convolutions", PictureRows::convolutions},
                                                       {"lines", PictureRows::lines}};

SourceKind text() {
  return {.name = "text",
          .help = "texts, cut into tokens",
          .items = "texts",
          .front_end = [](const AnyOptions&, const Tokenizers& tokenizers, Index d, Real deviation,
                          Random& random) -> std::unique_ptr<FrontEnd> {
            return std::make_unique<TextFrontEnd>(tokenizers.source->size(), d, deviation, random);
          },
          .open = open_pairs};
}

std::shared_ptr<const Reader> picture_reader(const AnyOptions& options) {
  const auto& o = options.as<ImageOptions>();
  const PictureFrontEndOptions front_end = o.front_end();
  return std::make_shared<const PictureReader>(
      PictureReaderOptions{.height = o.height,
                           .width = o.width,
                           .channels = front_end.channels,
                           .rows_down = front_end.rows_down(),
                           .rows_across = front_end.rows_across(),
                           .shift = o.shift,
                           .mirror = o.mirror});
}

SourceKind image() {
  return {.name = "image",
          .help = "pictures: PNG or JPEG files, idx files, toy:shapes",
          .items = "pictures",
          .options = ImageOptions{},
          .reader = picture_reader,
          .front_end = [](const AnyOptions& options, const Tokenizers&, Index d, Real deviation,
                          Random& random) -> std::unique_ptr<FrontEnd> {
            return std::make_unique<PictureFrontEnd>(options.as<ImageOptions>().front_end(), d,
                                                     deviation, random);
          },
          .open = open_pictures};
}

}  // namespace

PictureFrontEndOptions ImageOptions::front_end() const {
  return {
      .rows = rows, .height = height, .width = width, .channels = colour ? 3 : 1, .patch = patch};
}

void ImageOptions::check() const {
  if (height == 0 || width == 0 || patch == 0) return;
  front_end().check();
  check_argument(shift < std::min(height, width), "pictures", "shift", shift,
                 "below height = {} and width = {}", height, width);
}

void ImageOptions::list(Fields& f) {
  f("rows", rows, picture_rows,
    "how a picture becomes rows: squares of pixels (patches), the same after small convolutions, "
    "or whole lines of pixels");
  f("patch", patch, between(Index{0}, largest_side),
    "pixels of a side of a patch, or lines that are one row; it divides height and width; 0: by "
    "their size");
  f("height", height, between(Index{0}, largest_side),
    "pixels to which pictures are brought; 0: as the data have them");
  f("width", width, between(Index{0}, largest_side),
    "pixels to which pictures are brought; 0: as the data have them");
  f("colour", colour, any_value(), "pictures are read in colour; false: in grey");
  f("shift", shift, between(Index{0}, largest_side),
    "training moves each picture by at most so many pixels in each direction");
  f("mirror", mirror, any_value(), "training mirrors half of the pictures, left to right");
}

Registry<SourceKind>& sources() {
  static Registry<SourceKind> table("source", {text(), image()});
  return table;
}

const SourceKind& source_of(const std::vector<std::string>& data,
                            const std::vector<std::string>& fields) {
  return sources().at(are_pictures(data, fields) ? "image" : "text");
}

}  // namespace heed
