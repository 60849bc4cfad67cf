#include "framework/files.h"

#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framework/error.h"

namespace heed {

namespace {

using Path = std::filesystem::path;

constexpr std::size_t buffer_bytes = std::size_t{1} << 16;

Path partial_of(const Path& path) { return path.string() + ".partial"; }

const char* advice(int error) {
  switch (error) {
    case ENOSPC:
      return "; free some space";
    case EDQUOT:
      return "; the quota is used up: free some space";
    case EFBIG:
      return "; raise the limit on the size of files (ulimit -f)";
    case ENOENT:
      return "; there is no such folder";
    case EACCES:
    case EPERM:
    case EROFS:
      return "; may its folder be written to?";
    case EIO:
      return "; the disk may be failing";
    case ENAMETOOLONG:
      return "; a name has 255 bytes at most, a whole path 4095";
    default:
      return "";
  }
}

[[noreturn]] void cannot_write(const Path& path, int error) {
  fail("{}: cannot be written: {}{}", path.string(), std::strerror(error), advice(error));
}

[[noreturn]] void cannot_replace(const Path& path, int error) {
  std::error_code ignored;
  fail("{}: cannot be written: {}{}{}", path.string(), std::strerror(error), advice(error),
       std::filesystem::exists(path, ignored) ? "; the old file is left as it was" : "");
}

/// Writes all bytes, with as many calls as it takes. Returns 0, or the error number.
int write_all(int file, const char* from, std::size_t count) {
  while (count > 0) {
    const ssize_t written = ::write(file, from, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : EIO;
    from += written;
    count -= static_cast<std::size_t>(written);
  }
  return 0;
}

/// Renames a file whose bytes are on the disk, and writes its folder to the disk.
void rename_durably(const Path& from, const Path& path) {
  if (::rename(from.c_str(), path.c_str()) != 0) cannot_replace(path, errno);
  const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int error = descriptor < 0 || ::fsync(descriptor) != 0 ? errno : 0;
  if (descriptor >= 0) ::close(descriptor);
  // EINVAL: the file system cannot write a folder to the disk. The new name is valid all the same.
  if (error == EINVAL) error = 0;
  if (error != 0)
    fail(
        "{}: was written, but its folder could not be brought to the disk: {}; after a power "
        "failure the old file may be back{}",
        path.string(), std::strerror(error), advice(error));
}

}  // namespace

FileWriter::FileWriter(Path path) : path_(std::move(path)), partial_(partial_of(path_)) {
  // Remove a file that a killed process has left, instead of writing to it: it may be a hard link
  // to a checkpoint.
  ::unlink(partial_.c_str());
  file_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file_ < 0) cannot_replace(path_, errno);
  buffer_.reserve(buffer_bytes);
}

FileWriter::~FileWriter() {
  if (file_ >= 0) ::close(file_);
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

void FileWriter::write(const void* bytes, std::size_t count) {
  const char* from = static_cast<const char*>(bytes);
  if (buffer_.size() + count > buffer_bytes) flush();
  if (count > buffer_bytes)
    write_through(from, count);
  else
    buffer_.insert(buffer_.end(), from, from + count);
}

void FileWriter::write_through(const char* from, std::size_t count) {
  if (const int error = write_all(file_, from, count)) cannot_replace(path_, error);
}

void FileWriter::flush() {
  write_through(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void FileWriter::write_at(std::uint64_t offset, const void* bytes, std::size_t count) {
  flush();
  const off_t end = ::lseek(file_, 0, SEEK_CUR);
  if (end < 0 || ::lseek(file_, static_cast<off_t>(offset), SEEK_SET) < 0)
    cannot_replace(path_, errno);
  write_through(static_cast<const char*>(bytes), count);
  if (::lseek(file_, end, SEEK_SET) < 0) cannot_replace(path_, errno);
}

void FileWriter::commit() {
  flush();
  if (::fsync(file_) != 0 || ::close(std::exchange(file_, -1)) != 0) cannot_replace(path_, errno);
  rename_durably(partial_, path_);
  partial_.clear();
}

FileAppender::FileAppender(Path path)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (file_ < 0) cannot_write(path_, errno);
}

FileAppender::~FileAppender() { ::close(file_); }

void FileAppender::write(std::string_view text) {
  if (const int error = write_all(file_, text.data(), text.size())) cannot_write(path_, error);
}

void FileAppender::sync() {
  // EINVAL: not a regular file, such as a pipe.
  if (::fsync(file_) != 0 && errno != EINVAL) cannot_write(path_, errno);
}

void replace_file(const Path& path, std::string_view bytes) {
  FileWriter file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

void replace_by_link(const Path& path, const Path& name) {
  const Path partial = partial_of(name);
  std::error_code error;
  // rename() does nothing if both names already belong to one file.
  if (std::filesystem::equivalent(path, name, error)) return;
  ::unlink(partial.c_str());
  if (::link(path.c_str(), partial.c_str()) != 0)
    return replace_file(name, read_file(path, std::numeric_limits<std::uint64_t>::max()));
  try {
    rename_durably(partial, name);
  } catch (const Error&) {
    ::unlink(partial.c_str());
    throw;
  }
}

// O_NONBLOCK: without it, opening a pipe would wait for a writer. Pipes are refused below.
FileReader::FileReader(Path path)
    : path_(std::move(path)), file_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (file_ < 0) fail("{}: cannot be opened: {}", path_.string(), std::strerror(errno));
  struct stat status {};
  const int error = ::fstat(file_, &status) != 0 ? errno : 0;
  if (error == 0 && S_ISREG(status.st_mode)) {
    size_ = static_cast<std::uint64_t>(status.st_size);
    return;
  }
  ::close(file_);
  if (error != 0) fail("{}: cannot be read: {}", path_.string(), std::strerror(error));
  fail("{}: is not a file", path_.string());
}

FileReader::~FileReader() { ::close(file_); }

void FileReader::read(void* to, std::size_t count) {
  for (char* next = static_cast<char*>(to); count > 0;) {
    const ssize_t got = ::read(file_, next, count);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("{}: cannot be read: {}", path_.string(), std::strerror(errno));
    if (got == 0) fail("{}: became shorter while it was read; try again", path_.string());
    next += got;
    count -= static_cast<std::size_t>(got);
  }
}

std::string read_file(const Path& path, std::uint64_t most) {
  FileReader file(path);
  if (file.size() > most)
    fail("{}: has {} bytes; at most {} are read", path.string(), file.size(), most);
  std::string bytes(file.size(), '\0');
  file.read(bytes.data(), bytes.size());
  return bytes;
}

FolderLock::FolderLock(const Path& folder)
    : path_(folder), folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (folder_ < 0) fail("{}: cannot be opened: {}", folder.string(), std::strerror(errno));
  if (::flock(folder_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(folder_);
    fail("{}: another process is training here; wait until it has ended, or choose another folder",
         folder.string());
  }
}

FolderLock::~FolderLock() { ::close(folder_); }

void FolderLock::check() const {
  struct stat held {};
  struct stat named {};
  if (::fstat(folder_, &held) != 0 || ::stat(path_.c_str(), &named) != 0 ||
      held.st_dev != named.st_dev || held.st_ino != named.st_ino)
    fail("{}: the folder was moved or removed; nothing more is written", path_.string());
}

}  // namespace heed
