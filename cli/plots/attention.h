#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "framework/types.h"

namespace heed::plots {

struct AttentionLayerMap {
  std::string layer = {};
  Index heads = 0;
  Index rows = 0;
  Index columns = 0;
  std::vector<float> weights = {};  // (heads, target, source)
};

/// A line, what a model made of it, and what it looked at for each token of that.
struct AttendedLine {
  std::string source_text = {};
  std::string target_text = {};
  // tokens, </s> included
  std::vector<std::string> source = {};
  std::vector<std::string> target = {};
  std::vector<AttentionLayerMap> layers = {};
};

/// Writes what lines attended to, one after the other; the file's name says how:
///   .jsonl  an object a line: {"line": 1, "source": [tokens], "target": [tokens], "layers":
///   [{"layer", "heads": [[[weights]]]}]}, a list
///           a head of a list a target token of a weight a source token, digits enough to give the
///           float back (null: not a number)
///   .html   a page that needs nothing but itself: a large picture a line, and a small one for each
///   head of each layer; lines after the
///           third are folded, those after 40 MiB left out
///   .svg    the pictures alone, one line below the other, the first 50 lines
/// After every add() the file is whole: nothing that ends the program between two lines damages it.
class AttentionWriter {
 public:
  /// Throws Error on another extension and where the file cannot be written.
  explicit AttentionWriter(const std::string& path);
  ~AttentionWriter();
  AttentionWriter(const AttentionWriter&) = delete;
  AttentionWriter& operator=(const AttentionWriter&) = delete;

  /// Throws Error when a map's extents are not the tokens', and when the file cannot be written.
  void add(const AttendedLine& line);
  /// Throws Error when the file could not be written.
  void close();

  /// Throws Error unless the path ends in an extension that is written.
  static void check_path(const std::string& path);

 private:
  void add_html(const AttendedLine& line);
  void add_svg(const AttendedLine& line);
  void finish_svg();
  void flush();

  std::string path_;
  std::string extension_;
  std::ofstream file_;
  Index lines_ = 0;
  Index left_out_ = 0;
  // of the .svg so far
  double width_ = 240;
  double height_ = 12;
};

}  // namespace heed::plots
