#pragma once

#include <exception>
#include <string>
#include <vector>

namespace heed::cli {

/// Reads lines from standard input in groups: all lines that are there without waiting. So a pipe
/// is read in large groups, and a person at a prompt gets each answer at once.
///
/// Lines end in \n or \r\n; the last one may have no end. A byte order mark at the start is
/// dropped.
class LineInput {
 public:
  // Bytes of a line. A longer line is an error, so that input cannot fill the memory.
  static constexpr std::size_t longest = std::size_t{1} << 20;
  // Lines and bytes at which a group ends.
  static constexpr std::size_t group = 256;
  static constexpr std::size_t group_bytes = 1 << 16;

  /// Waits for a line, and returns it with those that follow at once. Empty at the end of the
  /// input.
  ///
  /// Throws
  /// - Error "standard input:LINE: ..." at a line that is malformed or too long, once all lines
  /// before
  ///   it have been returned;
  /// - Error "standard input: ..." where the first line shows that the input is no text
  ///   (foreign_text.h);
  /// - Interrupted when a signal ends the waiting.
  std::vector<std::string> lines();

 private:
  bool next(std::string& line, bool wait);
  void fill();

  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t scanned_ = 0;
  std::size_t number_ = 0;
  bool ended_ = false;
  std::exception_ptr error_;
};

}  // namespace heed::cli
