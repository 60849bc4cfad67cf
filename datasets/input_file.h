#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <sys/stat.h>

namespace heed {

/// The bytes of a text file by position. What gzip packed, whatever it is called, and what comes
/// through a pipe is first copied, unpacked, into a temporary file without a name ($TMPDIR), so
/// that it can be read in any order too. Throws Error, `FILE: ...`, where a file is missing, a
/// folder, a device, unreadable or damaged, or packed otherwise.
class InputFile {
 public:
  explicit InputFile(std::string path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  const std::string& path() const { return path_; }
  std::int64_t bytes() const;  // unpacked
  /// Fills `into` from byte `offset` on and says how many bytes it got: fewer only at the end.
  std::size_t read(std::int64_t offset, std::span<char> into) const;
  /// Tells the system that these bytes will be read soon.
  void will_need(std::int64_t offset, std::int64_t length) const;
  /// Throws Error where the file has been written to since it was opened. One that was replaced or
  /// deleted stays what it was.
  void check_unchanged() const;

 private:
  void open_itself();
  void spill(std::string_view start);

  std::string path_;
  int file_ = -1;
  struct stat opened_ {};  // size 0 and no time where it is a copy
  bool copied_ = false;
};

}  // namespace heed
