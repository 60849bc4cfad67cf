#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <sys/stat.h>

namespace heed {

/// A text file whose bytes can be read at any position.
///
/// A pipe and a file compressed by gzip (whatever its name) are first copied, decompressed, into a
/// temporary file without a name in $TMPDIR.
class InputFile {
 public:
  /// Throws Error, `FILE: ...`, when the file
  /// - is missing, unreadable or damaged;
  /// - is a folder or a device;
  /// - is compressed by another program than gzip.
  explicit InputFile(std::string path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  const std::string& path() const { return path_; }
  std::int64_t bytes() const;  // decompressed
  /// Fills `into` from byte `offset` on and returns the number of bytes, which is smaller than
  /// asked for only at the end of the file.
  std::size_t read(std::int64_t offset, std::span<char> into) const;
  /// Tells the operating system that these bytes will be read soon. A length of 0 means up to the
  /// end of the file.
  void will_need(std::int64_t offset, std::int64_t length) const;
  /// Throws Error when the file has been written to since it was opened. A file that was replaced
  /// or deleted keeps its contents while it is open, so this is no error.
  void check_unchanged() const;

 private:
  void open_path();
  // Replaces file_ by a temporary copy. `start`: bytes of a pipe that have been read already.
  void copy_to_temporary(std::string_view start);

  std::string path_;
  int file_ = -1;
  struct stat opened_ {};  // the state of the original file when it was opened
  bool copied_ = false;
};

}  // namespace heed
