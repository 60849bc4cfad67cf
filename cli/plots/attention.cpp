#include "cli/plots/attention.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iterator>

#include <nlohmann/json.hpp>

#include "cli/plots/colours.h"
#include "cli/plots/heat_map.h"
#include "cli/plots/page.h"
#include "cli/plots/text.h"
#include "framework/error.h"

namespace heed::plots {

namespace {

constexpr Index svg_lines = 50;           // a picture of more is no picture
constexpr Index titled_cells = 40'000;    // of one line: more are drawn without tooltips
constexpr Index drawn_cells = 8'000'000;  // of one line's heads: more are not drawn
constexpr Index open_lines = 3;           // of a page, the others folded
// of a page: then heads go without tooltips; then lines undrawn
constexpr std::streamoff titled_bytes = 16 << 20;
constexpr std::streamoff page_bytes = 40 << 20;

std::string jsonl_of(const AttendedLine& line, Index number) {
  const auto text = [](const std::string& token) {
    return nlohmann::json(well_formed(token)).dump();
  };
  const auto list = [&](std::string& out, const auto& items, const auto& add) {
    out += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += ',';
      add(out, items[i]);
    }
    out += ']';
  };
  const auto add_token = [&](std::string& out, const std::string& token) { out += text(token); };
  const auto add_weight = [](std::string& out, float weight) {
    if (std::isfinite(weight))
      fmt::format_to(std::back_inserter(out), "{}", weight);
    else
      out += "null";
  };
  std::string out = fmt::format("{{\"line\":{},\"source\":", number);
  list(out, line.source, add_token);
  out += ",\"target\":";
  list(out, line.target, add_token);
  out += ",\"layers\":";
  list(out, line.layers, [&](std::string& to, const AttentionLayerMap& map) {
    to += "{\"layer\":" + text(map.layer) + ",\"heads\":[";
    const float* row = map.weights.data();
    for (Index head = 0; head < map.heads; ++head) {
      to += head > 0 ? ",[" : "[";
      for (Index i = 0; i < map.rows; ++i, row += map.columns) {
        if (i > 0) to += ',';
        list(to, std::span(row, static_cast<std::size_t>(map.columns)), add_weight);
      }
      to += ']';
    }
    to += "]}";
  });
  return out + "}\n";
}

void check_line(const AttendedLine& line) {
  const auto columns = static_cast<Index>(line.source.size());

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

/// The picture at the top, and what it is.
struct Summary {
  std::vector<float> weights;
  std::string caption;
};

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
  if (line.layers.size() == 1)
    summary.caption =
        heads == 1 ? fmt::format("{}, its one head", line.layers[0].layer)
                   : fmt::format("{}, the mean of its {} heads", line.layers[0].layer, heads);
  else
    summary.caption =
        fmt::format("the mean of all {} heads of {} layers", heads, line.layers.size());
  return summary;
}

std::span<const float> head_of(const AttentionLayerMap& map, Index head) {
  const auto cells = static_cast<std::size_t>(map.rows * map.columns);
  return std::span(map.weights).subspan(static_cast<std::size_t>(head) * cells, cells);
}

/// One scale for all small pictures of a line: they are there to be compared.
struct Small {
  double top = 0.2;
  int cell = 1;
  bool drawn = true;
  bool titles = true;
  bool with_nan = false;
};
Small small_of(const AttendedLine& line, bool titles) {
  Small small;
  Index cells = 0;
  Index most_heads = 1;
  for (const AttentionLayerMap& map : line.layers) {
    small.top = std::max(small.top, top_of(map.weights));
    small.with_nan = small.with_nan || has_nan(map.weights);
    cells += static_cast<Index>(map.weights.size());
    most_heads = std::max(most_heads, map.heads);
  }
  small.cell =
      fitting_cell(static_cast<Index>(line.target.size()), static_cast<Index>(line.source.size()),
                   most_heads > 4 ? 112 : 150, 1, 14);
  small.drawn = cells <= drawn_cells;
  small.titles = titles && cells <= titled_cells;
  return small;
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

HeatMap small_map(const AttendedLine& line, const AttentionLayerMap& layer, Index head,
                  const Small& small) {
  HeatMap map = map_of(line, head_of(layer, head), layer.layer, std::to_string(head + 1));
  map.top = small.top;
  map.cell = small.cell;
  map.labels = false;
  map.titles = small.titles;
  return map;
}

/// Everything about one line, as a drawing that stands by itself.
Svg drawing_of(const AttendedLine& line) {
  Svg all;
  const auto put = [&](const Svg& part, double x) {
    all.add(part, x, all.height);
    all.width = std::max(all.width, x + part.width);
    return part.height;
  };
  const Summary summary = summary_of(line);
  const HeatMap map = top_map(line, summary);
  all.height += put(heat_map(map), 0) + 14;
  all.height += put(scale_bar(map.top, has_nan(summary.weights)), 0) + 8;
  const Small small = small_of(line, false);
  Index pictures = 0;
  for (const AttentionLayerMap& layer : line.layers)
    pictures += layer.heads;
  for (const std::string& text :
       {"Here " + summary.caption + (pictures > 1 ? "; below, each head." : "."),
        std::string("A row is a token written, a column a token of the source.")}) {
    all.text(0, all.height + 11, text, "class=\"muted\"");
    all.height += 17;
    all.width = std::max(all.width, text_width(text) * 12);
  }
  if (pictures <= 1 || !small.drawn) return all;
  for (const AttentionLayerMap& layer : line.layers) {
    all.height += 14;
    all.text(0, all.height + 8,
             readable(layer.layer) +
                 (layer.heads > 1 ? fmt::format(", heads 1 to {}", layer.heads) : ", one head"),
             "class=\"b\"");
    all.height += 18;
    double x = 0;
    double high = 0;
    for (Index head = 0; head < layer.heads; ++head) {
      const Svg part = heat_map(small_map(line, layer, head, small));
      if (x > 0 && x + part.width > 960) {
        all.height += high + 10;
        x = 0;
      }
      high = put(part, x);
      x += part.width + 12;
    }
    all.height += high;
  }
  if (std::abs(small.top - map.top) > 1e-9 || small.with_nan) {
    all.height += 14;
    all.height += put(scale_bar(small.top, small.with_nan), 0);
  }
  return all;
}

std::string cell_style(int cell) { return fmt::format("style=\"--cell:{}px\"", cell); }

std::string html_of(const AttendedLine& line, Index number, bool titles) {
  const auto text = [](const std::string& s) { return escape(readable(s)); };
  std::string out = fmt::format(
      "<details class=\"line\" id=\"line-{0}\"{1}><summary><span class=\"quiet\">{0}</span> "
      "<bdi>{2}</bdi></summary>\n",
      number, number <= open_lines ? " open" : "",
      line.source_text.empty() ? "(a blank line)" : text(line.source_text));
  if (!line.target_text.empty()) out += "<p dir=\"auto\">" + text(line.target_text) + "</p>\n";
  if (line.source.empty() || line.target.empty() || line.layers.empty())
    return out + "<p class=\"quiet\">Nothing was attended to.</p>\n</details>\n";
  const Summary summary = summary_of(line);
  const HeatMap map = top_map(line, summary);
  out += "<figure>\n" +
         heat_map(map).element("What each token written attended to: " + summary.caption,
                               cell_style(map.cell)) +
         "<figcaption>" + text(summary.caption) +
         scale_bar(map.top, has_nan(summary.weights)).element("scale of weights") +
         "</figcaption>\n</figure>\n";
  const Small small = small_of(line, titles);
  if (line.layers.size() == 1 && line.layers[0].heads == 1) return out + "</details>\n";
  if (!small.drawn)
    return out +
           "<p class=\"quiet\">Its single heads are too large to draw; a .jsonl file holds "
           "them.</p>\n</details>\n";
  for (const AttentionLayerMap& layer : line.layers) {
    out += "<h3>" + text(layer.layer) + "</h3>\n<div class=\"heads\">\n";
    for (Index head = 0; head < layer.heads; ++head)
      out +=
          "<figure>" +
          heat_map(small_map(line, layer, head, small))
              .element(fmt::format("{}, head {}", layer.layer, head + 1), cell_style(small.cell)) +
          fmt::format("<figcaption>head {}</figcaption></figure>\n", head + 1);
    out += "</div>\n";
  }
  out += "<div class=\"quiet\">" +
         scale_bar(small.top, small.with_nan).element("scale of weights") + "</div>\n";
  return out + "</details>\n";
}

std::string html_rules() {
  return ".ruled rect{stroke-width:1}.cells:not(.ruled) rect{stroke:none}svg "
         ".n{font-size:10px;text-anchor:middle;"
         "pointer-events:none}.b{font-weight:600}\n"
         "#hide-special{margin-bottom:18px}details.line{border-top:1px solid;padding:10px "
         "0}summary{cursor:pointer;font-weight:600}.heads{display:flex;flex-wrap:wrap;gap:10px}."
         "heads figure{margin:0}"
         "figcaption svg{margin-top:8px}.heads+div{margin-top:16px}\n" +
         special_rules();
}

// The extent is known last and stands first: in digits of a fixed number, written again over
// themselves.
std::string svg_header(double width, double height) {
  const auto whole = [](double pixels) { return static_cast<long>(std::ceil(pixels)); };
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:07}\" height=\"{1:07}\" viewBox=\"0 0 "
      "{0:07} {1:07}\">\n",
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
  if (extension_ == ".html") {
    file_ << page_begin("What the model attended to", html_rules())
          << "<p>A row is a token that the model wrote, a column a token of the source; the "
             "stronger the colour, the more the model looked at that source token while it "
             "wrote. Each row sums to 1. Rest the pointer on a cell for its weight.</p>\n"
             "<input type=\"checkbox\" id=\"hide-special\"><label for=\"hide-special\"> Hide "
             "special tokens: &lt;s&gt; &lt;/s&gt; &lt;unk&gt; &lt;pad&gt;</label>\n";
  } else if (extension_ == ".svg") {
    file_ << svg_header(width_, height_)
          << "<style>\nsvg text{font:12px system-ui,\"Segoe UI\",Helvetica,Arial,sans-serif}"
          << weight_rules(light)
          << ".cells:not(.ruled) rect{stroke:none}svg "
             ".n{font-size:10px;text-anchor:middle}.b{font-weight:600}</style>\n"
             "<rect width=\"100%\" height=\"100%\" rx=\"8\" class=\"paper\"/>\n";
    finish_svg();
  }
  flush();
}

AttentionWriter::~AttentionWriter() {
  try {
    close();
  } catch (const Error&) {  // who wants to know has called close()
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
  } else
    part = drawing_of(line);
  Svg moved;
  moved.add(part, 16, height_ + 4);
  file_ << moved.shapes();
  width_ = std::max(width_, part.width + 32);
  height_ += part.height + 28;
  finish_svg();
}

/// Ends the picture and goes back to where the next line's begins.
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

}  // namespace heed::plots
