#pragma once

#include <string>
#include <string_view>

#include "datasets/input_file.h"
#include "framework/types.h"

namespace heed {

/// The lines of a UTF-8 text, one after the other from any of them on, holding little more than
/// one. Only \n ends a line (so U+0085 and U+2028 stay inside); a \r before it and a byte order
/// mark at the start of the file are dropped; a last line without \n counts.
class LineReader {
 public:
  static constexpr std::size_t unlimited = static_cast<std::size_t>(-1);
  // of a line of a corpus: what has no lines is none
  static constexpr std::size_t most_bytes = std::size_t{4} << 20;

  /// Keeps a reference to `file`.
  explicit LineReader(const InputFile& file, std::size_t longest = most_bytes)
      : file_(&file), longest_(longest) {}

  /// False at the end. `line` lasts until the next call. Throws Error, `FILE:LINE: ...`, when a
  /// line is too long or holds malformed UTF-8 or a NUL byte, and `FILE: ...` when the file is
  /// empty, or begins as no text with lines does (foreign_text.h).
  bool next(std::string_view& line);
  Index number() const { return number_; }         // of the line that next() gave, from 1
  bool ended() const { return ended_; }            // whether it was ended by \n
  std::int64_t offset() const { return offset_; }  // of the first byte behind it
  // next() gives the line that begins at `offset`
  void seek(std::int64_t offset, Index lines_before);

 private:
  void begin();
  bool fill();

  const InputFile* file_;
  std::size_t longest_;
  std::string buffer_;
  // of what the buffer holds from byte offset_ on
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::int64_t offset_ = 0;
  Index number_ = 0;
  bool ended_ = false;
};

}  // namespace heed
