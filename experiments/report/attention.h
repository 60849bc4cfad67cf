#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "experiments/inference/attended_line.h"

namespace heed::report {

/// Writes the attention weights of lines. The extension of the file selects the format:
///
/// - .jsonl: an object for each line, {"line": 1, "source": [tokens], "target": [tokens],
///   "layers": [{"layer": name, "heads": [[[weights]]]}]}. `heads` has a list for each head, in it
///   a list for each target token, and in that a weight for each source token. Weights have enough
///   digits to restore the float; null is a weight that is not finite.
/// - .html: a self-contained page, with a large picture for each line and a small one for each head
///   of each layer; where a picture was read, that picture, and what was attended to in it. Lines
///   after the third are folded; lines after 40 MiB are left out.
/// - .svg: the pictures alone, one below the other, for the first 50 lines.
///
/// The file is complete after every add(), so it stays valid if the program ends between two lines.
class AttentionWriter {
 public:
  /// Throws Error when
  /// - the extension is another one;
  /// - the file cannot be written.
  explicit AttentionWriter(const std::string& path);
  ~AttentionWriter();
  AttentionWriter(const AttentionWriter&) = delete;
  AttentionWriter& operator=(const AttentionWriter&) = delete;

  /// Throws Error when
  /// - the shape of the weights does not fit the numbers of tokens;
  /// - the file cannot be written.
  void add(const AttendedLine& line);
  /// Throws Error when the file could not be written.
  void close();

  /// Throws Error unless the extension of the path is one of the three.
  static void check_path(const std::string& path);

 private:
  void begin_html();
  void begin_svg();
  void add_html(const AttendedLine& line);
  void add_svg(const AttendedLine& line);
  void finish_svg();
  void flush();

  std::string path_;
  std::string extension_;
  std::ofstream file_;
  Index lines_ = 0;
  Index left_out_ = 0;
  // The extent of the .svg so far.
  double width_ = 240;
  double height_ = 12;
};

}  // namespace heed::report
