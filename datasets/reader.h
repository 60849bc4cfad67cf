#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "datasets/images/picture.h"
#include "framework/numbers.h"

namespace heed {

/// Reads what the source of a pair names, where that is no text: a picture, by the name of its
/// file. Any number of threads may read at once.
class Reader {
 public:
  virtual ~Reader() = default;
  /// What it makes of each item: "24 x 24 pixels in colour, in 36 rows".
  virtual std::string description() const = 0;
  /// The rows that each item takes in a batch.
  virtual Index rows() const = 0;
  /// Reads all items. `variations`: empty, or for each item the seed by which it is changed before
  /// it is learnt from. Throws Error, `NAME: ...`, where an item cannot be read.
  virtual Numbers read(std::span<const std::string> items,
                       std::span<const std::uint64_t> variations = {}) const = 0;
  /// An item as the model sees it, for pictures of attention; nothing where it cannot be shown, and
  /// its rows have numbers alone. Throws Error.
  virtual std::optional<PictureGrid> shown(const std::string& /*item*/) const { return {}; }
};

/// What a batch holds of items that are read only when they are needed, so that memory stays
/// bounded by a batch.
struct Items {
  std::shared_ptr<const Reader> reader = nullptr;
  std::vector<std::string> names = {};
  std::vector<std::uint64_t> variations = {};  // as for Reader::read

  bool empty() const { return names.empty(); }
  Index rows() const { return empty() ? 0 : reader->rows() * std::ssize(names); }
  Numbers read() const { return reader->read(names, variations); }
};

}  // namespace heed
