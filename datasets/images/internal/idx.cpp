#include "datasets/images/internal/idx.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/ranges.h>

#include "datasets/text/internal/data_names.h"
#include "framework/error.h"

namespace heed {

namespace {

constexpr std::uint8_t type_of_bytes = 8;

Index big_endian(std::span<const char, 4> bytes) {
  Index value = 0;
  for (const char byte : bytes)
    value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

}  // namespace

bool is_idx_name(const std::string& path) {
  if (extension(path) == ".idx") return true;
  const std::string name = std::filesystem::path(path).filename().string();
  return name.find("idx1-ubyte") != std::string::npos ||
         name.find("idx3-ubyte") != std::string::npos;
}

IdxFile::IdxFile(const std::string& path) : file_(path) { read_extents(); }

void IdxFile::read_exactly(std::int64_t offset, std::span<char> into) const {
  if (file_.read(offset, into) != into.size())
    fail("{}: ends within its data; copy it again from where it comes from", path());
}

void IdxFile::read_extents() {
  std::array<char, 4> magic{};
  read_exactly(0, magic);
  if (magic[0] != 0 || magic[1] != 0)
    fail("{}: is no idx file: it does not begin with two zeros", path());
  if (magic[2] != type_of_bytes)
    fail("{}: holds numbers of type {:#04x}; expected bytes (0x08)", path(),
         static_cast<std::uint8_t>(magic[2]));
  const int axes = static_cast<std::uint8_t>(magic[3]);
  if (axes != 1 && axes != 3)
    fail("{}: has {} axes; expected 3 (pictures) or 1 (labels)", path(), axes);
  // Hostile extents must not overflow: each is below 2^32, and the product is compared with the
  // length of the file before every factor.
  const std::int64_t bytes = file_.bytes();
  std::int64_t needed = 1;
  for (int i = 0; i < axes; ++i) {
    std::array<char, 4> extent{};
    read_exactly(4 + 4 * std::int64_t{i}, extent);
    extents_.push_back(big_endian(extent));
    const bool fits = extents_.back() == 0 || needed <= bytes / extents_.back();
    needed = fits ? needed * extents_.back() : bytes + 1;
  }
  if (needed != bytes - head())
    fail(
        "{}: its head says {} numbers, and {} bytes follow; copy it again from where it comes "
        "from",
        path(), fmt::join(extents_, " x "), bytes - head());
  if (axes == 3 && needed > 0 && extents_[1] > most_pixels / extents_[2])
    fail("{}: its pictures are {} x {} pixels; the largest picture that is read has {}", path(),
         extents_[1], extents_[2], most_pixels);
  if (needed == 0) fail("{}: holds nothing", path());
}

Picture IdxFile::picture(Index i) const {
  check(axes() == 3 && 0 <= i && i < count(), "idx", "expected a picture of {}; got number {}",
        path(), i);
  Picture picture{.height = extents_[1], .width = extents_[2]};
  const auto size = static_cast<std::size_t>(picture.height * picture.width);
  picture.bytes.resize(size);
  read_exactly(head() + i * std::int64_t(size),
               std::span(reinterpret_cast<char*>(picture.bytes.data()), size));
  return picture;
}

std::vector<std::uint8_t> IdxFile::labels() const {
  check(axes() == 1, "idx", "expected a file of labels; {} has {} axes", path(), axes());
  std::vector<std::uint8_t> all(static_cast<std::size_t>(count()));
  read_exactly(head(), std::span(reinterpret_cast<char*>(all.data()), all.size()));
  return all;
}

}  // namespace heed
