#pragma once

#include <exception>
#include <string>
#include <vector>

namespace heed::cli {

/// Lines from standard input, as many as are there without waiting: a pipe is read in groups, a
/// person is answered at once. Lines end in \n or \r\n, the last may end in nothing; a byte order
/// mark before the first is dropped.
class LineInput {
 public:
  // bytes of a line: no more memory than that, whatever comes
  static constexpr std::size_t longest = std::size_t{1} << 20;
  // a group takes no line more once it has either
  static constexpr std::size_t group = 256;
  static constexpr std::size_t group_bytes = 1 << 16;

  /// The next lines; waits for the first. Empty at the end. Throws Error, `standard input:LINE:
  /// ...`, at a line that is malformed or too long, once all before it have been given out, and
  /// `standard input: ...` where the first line is not one of a text (foreign_text.h); Interrupted
  /// when a signal ends the waiting.
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
