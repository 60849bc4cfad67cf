#include "datasets/images/picture_reader.h"

#include <charconv>
#include <map>
#include <mutex>
#include <optional>

#include "datasets/corpora/internal/shapes.h"
#include "datasets/images/internal/idx.h"
#include "datasets/images/picture_file.h"
#include "framework/error.h"
#include "framework/random.h"

namespace heed {

namespace {

/// "FILE#N" of an idx file: FILE and N.
std::optional<std::pair<std::string, Index>> number_in_file(const std::string& name) {
  const std::size_t mark = name.rfind('#');
  if (mark == std::string::npos || !is_idx_name(name.substr(0, mark))) return std::nullopt;
  Index number = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + mark + 1, end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return std::pair(name.substr(0, mark), number);
}

}  // namespace

struct PictureReader::Files {
  Picture read(const std::string& name);

 private:
  std::shared_ptr<const IdxFile> idx(const std::string& path);

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const IdxFile>> open_;
};

std::shared_ptr<const IdxFile> PictureReader::Files::idx(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const IdxFile>& file = open_[path];
  if (!file) file = std::make_shared<const IdxFile>(path);
  return file;
}

Picture PictureReader::Files::read(const std::string& name) {
  if (toy::is_shape_name(name)) return toy::draw(toy::shape_of(name));
  const auto in_file = number_in_file(name);
  if (!in_file) return read_picture(name);
  const std::shared_ptr<const IdxFile> file = idx(in_file->first);
  if (file->axes() != 3) fail("{}: holds labels; expected a file of pictures", file->path());
  if (in_file->second >= file->count())
    fail("{}: there are {} pictures, 0 to {}", name, file->count(), file->count() - 1);
  return file->picture(in_file->second);
}

PictureReader::PictureReader(const PictureReaderOptions& options)
    : options_(options), files_(std::make_unique<Files>()) {
  check_argument(options.height >= 1, "pictures", "height", options.height, "of at least 1");
  check_argument(options.width >= 1, "pictures", "width", options.width, "of at least 1");
  check(options.height <= most_pixels / options.width, "pictures",
        "expected pictures of at most {} pixels; got {} x {}", most_pixels, options.height,
        options.width);
}

PictureReader::~PictureReader() = default;

std::string PictureReader::description() const {
  return fmt::format("{} x {} pixels in {}, in {} row{}", options_.height, options_.width,
                     options_.channels == 1 ? "grey" : "colour", rows(), rows() == 1 ? "" : "s");
}

Picture PictureReader::original(const std::string& name) const { return files_->read(name); }

Picture PictureReader::picture(const std::string& name) const {
  const Picture found = with_channels(original(name), options_.channels);
  return resized(found, options_.height, options_.width);
}

std::optional<PictureGrid> PictureReader::shown(const std::string& item) const {
  return PictureGrid{picture(item), options_.rows_down, options_.rows_across};
}

Picture PictureReader::varied(Picture picture, std::uint64_t variation) const {
  Random random(variation, 0x91c);
  if (options_.shift > 0) {
    const auto draw = [&] {
      return static_cast<Index>(random.below(static_cast<std::uint64_t>(2 * options_.shift + 1))) -
             options_.shift;
    };
    const Index down = draw();
    const Index right = draw();
    picture = shifted(picture, down, right);
  }
  return options_.mirror && random.chance(0.5) ? mirrored(picture) : picture;
}

Numbers PictureReader::read(std::span<const std::string> items,
                            std::span<const std::uint64_t> variations) const {
  const PictureReaderOptions& o = options_;
  Numbers numbers{Tensor({std::ssize(items), o.height, o.width, o.channels})};
  Real* to = numbers.values.data();
  constexpr Real half = 127.5;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Picture read = picture(items[i]);
    if (!variations.empty()) read = varied(std::move(read), variations[i]);
    for (const std::uint8_t byte : read.bytes)
      *to++ = static_cast<Real>(byte) / half - 1;
  }
  return numbers;
}

}  // namespace heed
