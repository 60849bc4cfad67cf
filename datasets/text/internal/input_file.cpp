#include "datasets/text/internal/input_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "datasets/text/foreign_text.h"
#include "datasets/text/internal/gzip.h"
#include "framework/error.h"

namespace heed {

namespace {

// Fills `into` by calls of read(to, count, offset), which wraps read() or pread(). Returns the
// number of bytes, which is smaller than asked for only at the end of the file.
template <class Read>
std::size_t fill(const std::string& path, std::span<char> into, Read&& read) {
  std::size_t got = 0;
  while (got < into.size()) {
    const ssize_t n = read(into.data() + got, into.size() - got, got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      fail("{}: cannot be read to its end ({}); check the disk", path, std::strerror(errno));
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  return got;
}

// Throws when another program than gzip compressed the file. InputFile decompresses gzip, and
// LineReader checks the start of the text inside.
void check_packing(const std::string& path, std::string_view start) {
  const auto foreign = foreign_text(start);
  if (!foreign || is_gzip(start)) return;
  const char* or_gzip = foreign->packed ? " or pack it by gzip" : "";
  fail("{}: is {}; {}{}", path, foreign->what, foreign->remedy, or_gzip);
}

// A file that no other process can open and that disappears with its descriptor.
int temporary_file(const std::string& path, std::string& folder) {
  std::error_code error;
  folder = std::filesystem::temp_directory_path(error).string();
  std::string name = folder + "/heed-XXXXXX";
  const int file = error ? -1 : mkostemp(name.data(), O_CLOEXEC);
  if (file < 0)
    fail(
        "{}: must be unpacked into a temporary file, and {} takes none ({}); set TMPDIR to a "
        "folder that does",
        path, error ? "TMPDIR" : folder, error ? error.message() : std::strerror(errno));
  unlink(name.c_str());
  return file;
}

// Writes text to a temporary file in `folder`, for the input file `path`.
class Copy {
 public:
  Copy(int file, const std::string& path, const std::string& folder)
      : file_(file), path_(path), folder_(folder) {}

  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::write(file_, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0)
        fail(
            "{}: {} holds no more of it than {} MB, unpacked ({}); make room, or set TMPDIR to a "
            "folder with more",
            path_, folder_, written_ >> 20, std::strerror(errno));
      text.remove_prefix(static_cast<std::size_t>(n));
      written_ += n;
    }
  }

 private:
  int file_;
  const std::string& path_;
  const std::string& folder_;
  std::int64_t written_ = 0;
};

// Reads a file that may be a pipe, some bytes of which, `start`, have been read already.
class Original {
 public:
  Original(int file, const std::string& path, std::string_view start)
      : file_(file), path_(path), start_(start) {}
  Original(const Original&) = delete;
  ~Original() { close(file_); }

  std::size_t read(std::span<char> into) {
    if (start_.empty())
      return fill(path_, into, [&](char* to, std::size_t count, std::size_t) {
        return ::read(file_, to, count);
      });
    const std::size_t n = std::min(into.size(), start_.size());
    std::copy_n(start_.begin(), n, into.begin());
    start_.remove_prefix(n);
    return n;
  }

 private:
  int file_;
  const std::string& path_;
  std::string_view start_;
};

}  // namespace

InputFile::InputFile(std::string path) : path_(std::move(path)) {
  try {
    open_path();
  } catch (...) {
    if (file_ >= 0) close(file_);
    throw;
  }
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      opened_(other.opened_),
      copied_(other.copied_) {}

InputFile::~InputFile() {
  if (file_ >= 0) close(file_);
}

void InputFile::open_path() {
  file_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0 && errno == ENOENT) fail("{}: no such file; check the name", path_);
  if (file_ < 0)
    fail("{}: cannot be read ({}); check the file and its permissions", path_,
         std::strerror(errno));
  if (fstat(file_, &opened_) != 0)
    fail("{}: cannot be read ({}); check the disk", path_, std::strerror(errno));
  if (S_ISDIR(opened_.st_mode)) fail("{}: is a folder; name a text file", path_);
  if (S_ISCHR(opened_.st_mode) || S_ISBLK(opened_.st_mode))
    fail("{}: is a device; name a text file", path_);
  const bool pipe = !S_ISREG(opened_.st_mode);
  std::array<char, 16> bytes{};
  const std::size_t n = fill(path_, bytes, [&](char* to, std::size_t count, std::size_t at) {
    return pipe ? ::read(file_, to, count) : pread(file_, to, count, static_cast<off_t>(at));
  });
  const std::string_view start(bytes.data(), n);
  check_packing(path_, start);
  if (pipe || is_gzip(start)) copy_to_temporary(pipe ? start : std::string_view());
}

void InputFile::copy_to_temporary(std::string_view start) {
  std::string folder;
  const int temporary = temporary_file(path_, folder);
  Original original(std::exchange(file_, temporary), path_, start);
  Copy copy(temporary, path_, folder);
  if (S_ISREG(opened_.st_mode) || is_gzip(start)) {
    gunzip([&](std::span<char> into) { return original.read(into); },
           [&](std::string_view text) { copy.write(text); }, path_);
  } else {
    std::array<char, 1 << 16> bytes;
    while (const std::size_t n = original.read(bytes))
      copy.write({bytes.data(), n});
  }
  copied_ = true;
}

std::size_t InputFile::read(std::int64_t offset, std::span<char> into) const {
  return fill(path_, into, [&](char* to, std::size_t count, std::size_t at) {
    return pread(file_, to, count, static_cast<off_t>(offset + static_cast<std::int64_t>(at)));
  });
}

std::int64_t InputFile::bytes() const {
  struct stat now {};
  return fstat(file_, &now) == 0 ? now.st_size : 0;
}

void InputFile::will_need(std::int64_t offset, std::int64_t length) const {
  posix_fadvise(file_, offset, length, POSIX_FADV_WILLNEED);
}

void InputFile::check_unchanged() const {
  if (copied_) return;
  struct stat now {};
  if (fstat(file_, &now) != 0)
    fail("{}: cannot be read any more ({}); check the disk", path_, std::strerror(errno));
  if (now.st_size != opened_.st_size || now.st_mtim.tv_sec != opened_.st_mtim.tv_sec ||
      now.st_mtim.tv_nsec != opened_.st_mtim.tv_nsec)
    fail(
        "{}: has changed since it was opened; leave the data alone while they are in use, and "
        "start again",
        path_);
}

}  // namespace heed
