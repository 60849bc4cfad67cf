#include "experiments/report/attention.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "experiments/report/attention_page.h"
#include "experiments/report/colours.h"
#include "experiments/report/internal/attention_drawing.h"
#include "experiments/report/internal/attention_json.h"
#include "experiments/report/page.h"
#include "framework/error.h"

namespace heed::report {

namespace {

constexpr Index svg_lines = 50;
constexpr Index open_lines = 3;                    // later lines of a page are folded
constexpr std::streamoff titled_bytes = 16 << 20;  // after that, pictures of heads have no tooltips
constexpr std::streamoff page_bytes = 40 << 20;    // after that, lines are not drawn

void check_line(const AttendedLine& line) {
  const auto columns = static_cast<Index>(line.source.size());
  check(!line.picture || line.picture->down * line.picture->across == columns, "attention",
        "expected a part of the picture for each of {} columns", columns);
  const auto rows = static_cast<Index>(line.target.size());
  for (const AttentionLayerMap& map : line.layers)
    check(map.heads > 0 && map.rows == rows && map.columns == columns &&
              static_cast<Index>(map.weights.size()) == map.heads * rows * columns,
          "attention",
          "expected weights ({}, {}, {}) of layer '{}'; got {} heads, {} rows, {} columns and {} "
          "weights",
          map.heads, rows, columns, map.layer, map.heads, map.rows, map.columns,
          map.weights.size());
}

// The extent of a picture stands at its start but is known only at its end. Its numbers have a
// fixed number of digits, so that the header can be overwritten in place.
std::string svg_header(double width, double height) {
  const auto whole = [](double pixels) { return static_cast<long>(std::ceil(pixels)); };
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" "
      "width=\"{0:07}\" height=\"{1:07}\" viewBox=\"0 0 {0:07} {1:07}\">\n",
      whole(width), whole(height));
}

}  // namespace

void AttentionWriter::check_path(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension != ".jsonl" && extension != ".html" && extension != ".svg")
    fail(
        "{}: attention is written as .html (a page), .svg (a picture) or .jsonl (numbers); name "
        "the file so",
        path);
}

AttentionWriter::AttentionWriter(const std::string& path)
    : path_(path), extension_(std::filesystem::path(path).extension().string()) {
  check_path(path);
  if (std::filesystem::is_directory(path)) fail("{}: is a folder; name a file", path);
  file_.open(path, std::ios::binary | std::ios::trunc);
  if (!file_) fail("{}: cannot write: {}", path, std::strerror(errno));
  if (extension_ == ".html") begin_html();
  if (extension_ == ".svg") begin_svg();
  flush();
}

void AttentionWriter::begin_html() {
  file_ << page_begin("What the model attended to", attention_rules()) << attention_introduction();
}

void AttentionWriter::begin_svg() {
  file_ << svg_header(width_, height_) << "<style>\n"
        << "svg text{font:12px system-ui,\"Segoe UI\",Helvetica,Arial,sans-serif}"
        << weight_rules(light)
        << ".cells:not(.ruled) rect{stroke:none}"
           "svg .n{font-size:10px;text-anchor:middle}"
           ".b{font-weight:600}</style>\n"
           "<rect width=\"100%\" height=\"100%\" rx=\"8\" class=\"paper\"/>\n";
  finish_svg();
}

AttentionWriter::~AttentionWriter() {
  try {
    close();
  } catch (const Error&) {
    // A destructor must not throw. Callers that need to know call close().
  }
}

void AttentionWriter::add(const AttendedLine& line) {
  check_line(line);
  ++lines_;
  if (extension_ == ".jsonl")
    file_ << detail::attention_json(line, lines_);
  else if (extension_ == ".html")
    add_html(line);
  else
    add_svg(line);
  flush();
}

void AttentionWriter::add_html(const AttendedLine& line) {
  if (left_out_ > 0 || file_.tellp() > page_bytes)
    ++left_out_;
  else
    file_ << attention_element(line, lines_, lines_ <= open_lines, file_.tellp() < titled_bytes);
}

void AttentionWriter::add_svg(const AttendedLine& line) {
  if (line.source.empty() || line.target.empty() || line.layers.empty()) return;
  if (lines_ > svg_lines && left_out_++ > 0) return;
  Svg part;
  if (left_out_ > 0) {
    part.text(0, 12,
              fmt::format("Lines after the {}th are not drawn; a .jsonl or .html file holds them.",
                          svg_lines),
              "class=\"muted\"");
    part.height = 16;
  } else {
    part = detail::draw_attention(line);
  }
  Svg moved;
  moved.add(part, 16, height_ + 4);
  file_ << moved.shapes();
  width_ = std::max(width_, part.width + 32);
  height_ += part.height + 28;
  finish_svg();
}

// Ends the picture, updates its header, and moves to the place where the next line's drawing
// begins.
void AttentionWriter::finish_svg() {
  const auto end = file_.tellp();
  file_ << "</svg>\n";
  file_.seekp(0);
  file_ << svg_header(width_, height_);
  file_.seekp(end);
}

void AttentionWriter::flush() {
  file_.flush();
  if (!file_) fail("{}: cannot write; is the disk full?", path_);
}

void AttentionWriter::close() {
  if (!file_.is_open()) return;
  if (extension_ == ".html") {
    if (lines_ == 0) file_ << "<p class=\"quiet\">No lines were translated.</p>\n";
    if (left_out_ > 0)
      file_ << fmt::format(
          "<p class=\"quiet\">{} more lines are not drawn: the page would be too large. A .jsonl "
          "file holds all.</p>\n",
          left_out_);
    file_ << page_end();
  }
  file_.close();
  if (!file_) fail("{}: cannot write; is the disk full?", path_);
}

}  // namespace heed::report
