#pragma once

#include <string>
#include <string_view>

#include "datasets/text/internal/input_file.h"
#include "framework/types.h"

namespace heed {

/// Reads the lines of a UTF-8 text in order, from any line on. Holds little more than one line in
/// memory.
///
/// - Only \n ends a line, so U+0085 and U+2028 stay inside a line.
/// - A \r before the \n is dropped, and so is a byte order mark at the start of the file.
/// - A last line without \n counts as a line.
class LineReader {
 public:
  static constexpr std::size_t unlimited = static_cast<std::size_t>(-1);
  // The longest line of a corpus. A file with a longer one is probably not a text in lines.
  static constexpr std::size_t most_bytes = std::size_t{4} << 20;

  /// Keeps a reference to `file`.
  explicit LineReader(const InputFile& file, std::size_t longest = most_bytes)
      : file_(&file), longest_(longest) {}

  /// Reads the next line; false at the end. `line` is valid until the next call.
  ///
  /// Throws Error
  /// - `FILE:LINE: ...` when a line is too long, or holds malformed UTF-8 or a NUL byte;
  /// - `FILE: ...` when the file is empty, or its first bytes are not those of a text in lines
  ///   (foreign_text.h).
  bool next(std::string_view& line);
  /// About the line that next() returned: its number, from 1; whether \n ended it; the offset of
  /// the first byte after it.
  Index number() const { return number_; }
  bool ended() const { return ended_; }
  std::int64_t offset() const { return offset_; }
  /// Lets next() return the line that begins at byte `offset`.
  void seek(std::int64_t offset, Index lines_before);

 private:
  void begin();
  bool fill();
  bool find_end(std::size_t& length);

  const InputFile* file_;
  std::size_t longest_;
  std::string buffer_;
  // buffer_[begin_, end_) holds the bytes of the file from offset_ on.
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::int64_t offset_ = 0;
  Index number_ = 0;
  bool ended_ = false;
};

}  // namespace heed
