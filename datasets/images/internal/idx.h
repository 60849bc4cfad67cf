#pragma once

#include <string>
#include <vector>

#include "datasets/images/picture.h"
#include "datasets/text/internal/input_file.h"

namespace heed {

/// Whether this is the name of an idx file, compressed or not: "train-images-idx3-ubyte.gz",
/// "digits.idx".
bool is_idx_name(const std::string& path);

/// A file of the format in which MNIST is published (LeCun, Cortes, Burges, "The MNIST database"):
/// two zeros, the type (8: bytes), the number of axes, the extent of each axis as four bytes with
/// the highest first, then the numbers. It may be compressed by gzip. Pictures are read one by one.
class IdxFile {
 public:
  /// Throws Error, `FILE: ...`, when the file is missing or damaged, when it holds other numbers
  /// than bytes, or when its length is not what its extents say.
  explicit IdxFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  /// 1: labels; 3: pictures (count, height, width).
  Index axes() const { return static_cast<Index>(extents_.size()); }
  Index count() const { return extents_[0]; }
  /// Picture i of a file of three axes, in grey.
  Picture picture(Index i) const;
  /// All bytes of a file of one axis.
  std::vector<std::uint8_t> labels() const;

 private:
  void read_extents();
  void read_exactly(std::int64_t offset, std::span<char> into) const;
  std::int64_t head() const { return 4 + 4 * std::int64_t{axes()}; }

  InputFile file_;
  std::vector<Index> extents_;
};

}  // namespace heed
