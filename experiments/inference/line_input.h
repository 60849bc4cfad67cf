#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "experiments/inference/interrupted.h"

namespace heed {

/// Reads lines from a file descriptor in groups: all lines that are there without waiting. So a
/// pipe is read in large groups, and a person at a prompt gets each answer at once.
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

  /// `name`: of the input, for messages. A signal that ends the waiting is a time to ask
  /// `should_stop`.
  LineInput(int descriptor, std::string name, ShouldStop should_stop = {})
      : descriptor_(descriptor), name_(std::move(name)), should_stop_(std::move(should_stop)) {}

  /// Waits for a line, and returns it with those that follow at once. Empty at the end of the
  /// input.
  ///
  /// Throws
  /// - Error "NAME:LINE: ..." at a line that is malformed or too long, once all lines before it
  ///   have been returned;
  /// - Error "NAME: ..." where the first line shows that the input is no text
  ///   (foreign_text.h);
  /// - Interrupted where it should stop.
  std::vector<std::string> lines();

 private:
  bool next(std::string& line, bool wait);
  void fill();

  bool is_ready() const;

  int descriptor_;
  std::string name_;
  ShouldStop should_stop_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t scanned_ = 0;
  std::size_t number_ = 0;
  bool ended_ = false;
  std::exception_ptr error_;
};

}  // namespace heed
