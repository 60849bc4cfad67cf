#pragma once

#include <memory>
#include <string>

#include "datasets/images/picture.h"
#include "datasets/reader.h"

namespace heed {

struct PictureReaderOptions {
  Index height = 28;  // every picture becomes as large
  Index width = 28;
  Index channels = 1;
  // The parts of which each is a row in a batch.
  Index rows_down = 1;
  Index rows_across = 1;
  // How pictures are varied before they are learnt from.
  Index shift = 0;      // moved by at most so many pixels in each direction
  bool mirror = false;  // half of them are mirrored
};

/// Pictures as numbers from -1 (black) to 1 (white), (n, height, width, channels). The name of one
/// is
/// - the name of a PNG or JPEG file;
/// - "FILE#N", picture N (from 0) of an idx file, which stays open;
/// - "toy:shapes/...", one that a built-in corpus draws.
class PictureReader final : public Reader {
 public:
  explicit PictureReader(const PictureReaderOptions& options);
  ~PictureReader() override;

  std::string description() const override;
  Index rows() const override { return options_.rows_down * options_.rows_across; }
  Numbers read(std::span<const std::string> items,
               std::span<const std::uint64_t> variations = {}) const override;
  std::optional<PictureGrid> shown(const std::string& item) const override;
  /// A picture as it is. Throws Error, `NAME: ...`.
  Picture original(const std::string& name) const;
  /// A picture as the model sees it, without variation.
  Picture picture(const std::string& name) const;

 private:
  Picture varied(Picture picture, std::uint64_t variation) const;

  PictureReaderOptions options_;
  struct Files;
  std::unique_ptr<Files> files_;
};

}  // namespace heed
