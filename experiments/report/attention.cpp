#include "experiments/report/attention.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iterator>

#include <nlohmann/json.hpp>

#include "experiments/report/colours.h"
#include "experiments/report/heat_map.h"
#include "experiments/report/page.h"
#include "experiments/report/picture_map.h"
#include "experiments/report/text.h"
#include "framework/error.h"

namespace heed::report {

namespace {

constexpr Index svg_lines = 50;
constexpr Index titled_cells = 40'000;    // a picture of more cells has no tooltips
constexpr Index drawn_cells = 8'000'000;  // if all heads of a line have more, they are not drawn
constexpr Index open_lines = 3;           // later lines of a page are folded
constexpr std::streamoff titled_bytes = 16 << 20;  // after that, pictures of heads have no tooltips
constexpr std::streamoff page_bytes = 40 << 20;    // after that, lines are not drawn
constexpr double svg_width = 960;                  // heads that would reach beyond it are wrapped

std::string json_string(const std::string& text) {
  return nlohmann::json(well_formed(text)).dump();
}

// Appends a JSON list. add(out, item) appends an item.
void add_list(std::string& out, const auto& items, const auto& add) {
  out += '[';
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ',';
    add(out, items[i]);
  }
  out += ']';
}

void add_token(std::string& out, const std::string& token) { out += json_string(token); }

void add_weight(std::string& out, float weight) {
  if (std::isfinite(weight))
    fmt::format_to(std::back_inserter(out), "{}", weight);
  else
    out += "null";
}

void add_layer(std::string& out, const AttentionLayerMap& map) {
  out += "{\"layer\":" + json_string(map.layer) + ",\"heads\":[";
  const float* row = map.weights.data();
  for (Index head = 0; head < map.heads; ++head) {
    out += head > 0 ? ",[" : "[";
    for (Index i = 0; i < map.rows; ++i) {
      if (i > 0) out += ',';
      add_list(out, std::span(row, static_cast<std::size_t>(map.columns)), add_weight);
      row += map.columns;
    }
    out += ']';
  }
  out += "]}";
}

std::string jsonl_of(const AttendedLine& line, Index number) {
  std::string out = fmt::format("{{\"line\":{},\"source\":", number);
  add_list(out, line.source, add_token);
  out += ",\"target\":";
  add_list(out, line.target, add_token);
  out += ",\"layers\":";
  add_list(out, line.layers, add_layer);
  return out + "}\n";
}

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

// The large picture of a line: the mean of all heads.
struct Summary {
  std::vector<float> weights;
  std::string caption;
};

std::string summary_caption(const AttendedLine& line, Index heads) {
  if (line.layers.size() > 1)
    return fmt::format("the mean of all {} heads of {} layers", heads, line.layers.size());
  const std::string& layer = line.layers[0].layer;
  if (heads == 1) return fmt::format("{}, its one head", layer);
  return fmt::format("{}, the mean of its {} heads", layer, heads);
}

Summary summary_of(const AttendedLine& line) {
  const std::size_t cells = line.source.size() * line.target.size();
  std::vector<double> sum(cells);
  Index heads = 0;
  for (const AttentionLayerMap& map : line.layers) {
    for (std::size_t i = 0; i < map.weights.size(); ++i)
      sum[i % cells] += static_cast<double>(map.weights[i]);
    heads += map.heads;
  }
  Summary summary;
  for (double value : sum)
    summary.weights.push_back(
        static_cast<float>(value / static_cast<double>(std::max<Index>(heads, 1))));
  summary.caption = summary_caption(line, heads);
  return summary;
}

std::span<const float> head_of(const AttentionLayerMap& map, Index head) {
  const auto cells = static_cast<std::size_t>(map.rows * map.columns);
  return std::span(map.weights).subspan(static_cast<std::size_t>(head) * cells, cells);
}

// The style of the small pictures of a line, one for each head. All have one scale, so that they
// can be compared.
struct HeadStyle {
  double top = 0.2;
  int cell = 1;
  bool drawn = true;
  bool titles = true;
  bool with_nan = false;
};
HeadStyle head_style_of(const AttendedLine& line, bool titles) {
  HeadStyle style;
  Index cells = 0;
  Index most_heads = 1;
  for (const AttentionLayerMap& map : line.layers) {
    style.top = std::max(style.top, top_of(map.weights));
    style.with_nan = style.with_nan || has_nan(map.weights);
    cells += static_cast<Index>(map.weights.size());
    most_heads = std::max(most_heads, map.heads);
  }
  style.cell =
      fitting_cell(static_cast<Index>(line.target.size()), static_cast<Index>(line.source.size()),
                   most_heads > 4 ? 112 : 150, 1, 14);
  style.drawn = cells <= drawn_cells;
  style.titles = titles && cells <= titled_cells;
  return style;
}

HeatMap map_of(const AttendedLine& line, std::span<const float> weights, const std::string& layer,
               const std::string& head) {
  return {.source = line.source,
          .target = line.target,
          .weights = weights,
          .attributes =
              fmt::format("data-layer=\"{}\" data-head=\"{}\"", escape(visible(layer)), head)};
}

HeatMap top_map(const AttendedLine& line, const Summary& summary) {
  HeatMap map = map_of(line, summary.weights, "mean", "mean");
  map.top = top_of(summary.weights);
  map.cell = fitting_cell(static_cast<Index>(line.target.size()),
                          static_cast<Index>(line.source.size()), 780, 2, 32);
  map.titles = static_cast<Index>(summary.weights.size()) <= titled_cells;
  return map;
}

HeatMap head_map(const AttendedLine& line, const AttentionLayerMap& layer, Index head,
                 const HeadStyle& style) {
  HeatMap map = map_of(line, head_of(layer, head), layer.layer, std::to_string(head + 1));
  map.top = style.top;
  map.cell = style.cell;
  map.labels = false;
  map.titles = style.titles;
  return map;
}

/// The largest weight that is a number. Small weights of many parts then differ as clearly as those
/// of few.
double most_of(std::span<const float> weights) {
  double most = 0;
  for (const float weight : weights)
    if (std::isfinite(weight)) most = std::max(most, static_cast<double>(weight));
  return most;
}

std::string veil_caption(double most) {
  return fmt::format(
      "On the right, the veil over a part is the thinner the more weight it has; there is none "
      "over the part with the most, {:.2g}.",
      most);
}

// The drawing of one line for an .svg file. It grows downwards: all_.height is the bottom of what
// has been added.
class LineDrawing {
 public:
  explicit LineDrawing(const AttendedLine& line)
      : line_(line), summary_(summary_of(line)), style_(head_style_of(line, false)) {}

  Svg draw() {
    if (line_.picture) return draw_picture();
    const HeatMap map = top_map(line_, summary_);
    all_.height += add(heat_map(map), 0) + 14;
    all_.height += add(scale_bar(map.top, has_nan(summary_.weights)), 0) + 8;
    Index heads = 0;
    for (const AttentionLayerMap& layer : line_.layers)
      heads += layer.heads;
    add_text("Here " + summary_.caption + (heads > 1 ? "; below, each head." : "."));
    add_text("A row is a token written, a column a token of the source.");
    if (heads <= 1 || !style_.drawn) return all_;
    for (const AttentionLayerMap& layer : line_.layers)
      add_heads(layer);
    if (std::abs(style_.top - map.top) > 1e-9 || style_.with_nan) {
      all_.height += 14;
      all_.height += add(scale_bar(style_.top, style_.with_nan), 0);
    }
    return all_;
  }

 private:
  Svg draw_picture() {
    const double most = most_of(summary_.weights);
    all_.height += add(picture_map(*line_.picture, summary_.weights, most), 0) + 8;
    add_text(readable(line_.source_text) + ": " + readable(line_.target_text));
    add_text("Here " + summary_.caption + ". " + veil_caption(most));
    return all_;
  }

  // Adds a part at the bottom and returns its height.
  double add(const Svg& part, double x) {
    all_.add(part, x, all_.height);
    all_.width = std::max(all_.width, x + part.width);
    return part.height;
  }

  void add_text(const std::string& text) {
    all_.text(0, all_.height + 11, text, "class=\"muted\"");
    all_.height += 17;
    all_.width = std::max(all_.width, text_width(text) * 12);
  }

  void add_heads(const AttentionLayerMap& layer) {
    const std::string heads =
        layer.heads > 1 ? fmt::format(", heads 1 to {}", layer.heads) : ", one head";
    all_.height += 14;
    all_.text(0, all_.height + 8, readable(layer.layer) + heads, "class=\"b\"");
    all_.height += 18;
    double x = 0;
    double high = 0;
    for (Index head = 0; head < layer.heads; ++head) {
      const Svg part = heat_map(head_map(line_, layer, head, style_));
      if (x > 0 && x + part.width > svg_width) {
        all_.height += high + 10;
        x = 0;
      }
      high = add(part, x);
      x += part.width + 12;
    }
    all_.height += high;
  }

  const AttendedLine& line_;
  Summary summary_;
  HeadStyle style_;
  Svg all_;
};

std::string cell_style(int cell) { return fmt::format("style=\"--cell:{}px\"", cell); }

std::string html_text(const std::string& text) { return escape(readable(text)); }

std::string html_picture(const AttendedLine& line) {
  const Summary summary = summary_of(line);
  const double most = most_of(summary.weights);
  const Svg picture = picture_map(*line.picture, summary.weights, most);
  return "<figure>\n" + picture.element("The picture, and what was attended to in it") +
         "<figcaption>" + html_text(summary.caption) + ". " + veil_caption(most) +
         "</figcaption>\n</figure>\n";
}

std::string html_summary(const AttendedLine& line) {
  const Summary summary = summary_of(line);
  const HeatMap map = top_map(line, summary);
  std::string out = "<figure>\n";
  out += heat_map(map).element("What each token written attended to: " + summary.caption,
                               cell_style(map.cell));
  out += "<figcaption>" + html_text(summary.caption);
  out += scale_bar(map.top, has_nan(summary.weights)).element("scale of weights");
  return out + "</figcaption>\n</figure>\n";
}

std::string html_heads(const AttendedLine& line, const HeadStyle& style) {
  std::string out;
  for (const AttentionLayerMap& layer : line.layers) {
    out += "<h3>" + html_text(layer.layer) + "</h3>\n<div class=\"heads\">\n";
    for (Index head = 0; head < layer.heads; ++head) {
      const Svg picture = heat_map(head_map(line, layer, head, style));
      const std::string about = fmt::format("{}, head {}", layer.layer, head + 1);
      out += "<figure>" + picture.element(about, cell_style(style.cell));
      out += fmt::format("<figcaption>head {}</figcaption></figure>\n", head + 1);
    }
    out += "</div>\n";
  }
  out += "<div class=\"quiet\">";
  out += scale_bar(style.top, style.with_nan).element("scale of weights");
  return out + "</div>\n";
}

std::string html_of(const AttendedLine& line, Index number, bool titles) {
  std::string out = fmt::format(
      "<details class=\"line\" id=\"line-{0}\"{1}>"
      "<summary><span class=\"quiet\">{0}</span> <bdi>{2}</bdi></summary>\n",
      number, number <= open_lines ? " open" : "",
      line.source_text.empty() ? "(a blank line)" : html_text(line.source_text));
  if (!line.target_text.empty()) out += "<p dir=\"auto\">" + html_text(line.target_text) + "</p>\n";
  if (line.source.empty() || line.target.empty() || line.layers.empty())
    return out + "<p class=\"quiet\">Nothing was attended to.</p>\n</details>\n";
  if (line.picture) return out + html_picture(line) + "</details>\n";
  out += html_summary(line);
  const HeadStyle style = head_style_of(line, titles);
  const bool one_head = line.layers.size() == 1 && line.layers[0].heads == 1;
  if (!one_head && style.drawn) out += html_heads(line, style);
  if (!one_head && !style.drawn)
    out +=
        "<p class=\"quiet\">Its single heads are too large to draw; a .jsonl file holds "
        "them.</p>\n";
  return out + "</details>\n";
}

std::string html_rules() {
  return ".ruled rect{stroke-width:1}"
         ".cells:not(.ruled) rect{stroke:none}"
         "svg .n{font-size:10px;text-anchor:middle;pointer-events:none}"
         ".b{font-weight:600}\n"
         "#hide-special{margin-bottom:18px}"
         "details.line{border-top:1px solid;padding:10px 0}"
         "summary{cursor:pointer;font-weight:600}"
         ".heads{display:flex;flex-wrap:wrap;gap:10px}"
         ".heads figure{margin:0}"
         "figcaption svg{margin-top:8px}"
         ".heads+div{margin-top:16px}\n" +
         special_rules();
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
  file_
      << page_begin("What the model attended to", html_rules())
      << "<p>Of a text: a row is a token that the model wrote, or the label that it gave; a column "
         "is a token of the source. The stronger the colour, the more the model looked at that "
         "token. Each row sums to 1. Of a picture: what was looked at most has no veil, and all "
         "parts sum to 1. Rest the pointer on a cell or a part for its weight.</p>\n"
         "<input type=\"checkbox\" id=\"hide-special\">"
         "<label for=\"hide-special\"> Hide special tokens: "
         "&lt;s&gt; &lt;/s&gt; &lt;unk&gt; &lt;pad&gt;</label>\n";
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
    file_ << jsonl_of(line, lines_);
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
    file_ << html_of(line, lines_, file_.tellp() < titled_bytes);
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
    part = LineDrawing(line).draw();
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
