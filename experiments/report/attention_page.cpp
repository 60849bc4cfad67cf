#include "experiments/report/attention_page.h"

#include <cmath>

#include <fmt/format.h>

#include "experiments/report/heat_map.h"
#include "experiments/report/internal/attention_maps.h"
#include "experiments/report/picture_map.h"
#include "experiments/report/text.h"

namespace heed::report {

namespace {

std::string cell_style(int cell) { return fmt::format("style=\"--cell:{}px\"", cell); }

std::string html_text(const std::string& text) { return escape(readable(text)); }

std::string html_picture(const AttendedLine& line) {
  const detail::Summary summary = detail::summary_of(line);
  const double most = largest_weight(summary.weights);
  const Svg picture = picture_map(*line.picture, summary.weights, most);
  return "<figure>\n" + picture.element("The picture, and what was attended to in it") +
         "<figcaption>" + html_text(summary.caption) + ". " + detail::veil_caption(most) +
         "</figcaption>\n</figure>\n";
}

std::string html_summary(const AttendedLine& line) {
  const detail::Summary summary = detail::summary_of(line);
  const HeatMap map = detail::top_map(line, summary);
  std::string out = "<figure>\n";
  out += heat_map(map).element("What each token written attended to: " + summary.caption,
                               cell_style(map.cell));
  out += "<figcaption>" + html_text(summary.caption);
  out += scale_bar(map.top, has_nan(summary.weights)).element("scale of weights");
  return out + "</figcaption>\n</figure>\n";
}

std::string html_heads(const AttendedLine& line, const detail::HeadStyle& style) {
  std::string out;
  for (const AttentionLayerMap& layer : line.layers) {
    out += "<h3>" + html_text(layer.layer) + "</h3>\n<div class=\"heads\">\n";
    for (Index head = 0; head < layer.heads; ++head) {
      const Svg picture = heat_map(detail::head_map(line, layer, head, style));
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

}  // namespace

std::string attention_element(const AttendedLine& line, Index number, bool open, bool titles) {
  std::string out = fmt::format(
      "<details class=\"line\" id=\"line-{0}\"{1}>"
      "<summary><span class=\"quiet\">{0}</span> <bdi>{2}</bdi></summary>\n",
      number, open ? " open" : "",
      line.source_text.empty() ? "(a blank line)" : html_text(line.source_text));
  if (!line.target_text.empty()) out += "<p dir=\"auto\">" + html_text(line.target_text) + "</p>\n";
  if (line.source.empty() || line.target.empty() || line.layers.empty())
    return out + "<p class=\"quiet\">Nothing was attended to.</p>\n</details>\n";
  if (line.picture) return out + html_picture(line) + "</details>\n";
  out += html_summary(line);
  const detail::HeadStyle style = detail::head_style_of(line, titles);
  const bool one_head = line.layers.size() == 1 && line.layers[0].heads == 1;
  if (!one_head && style.drawn) out += html_heads(line, style);
  if (!one_head && !style.drawn)
    out +=
        "<p class=\"quiet\">Its single heads are too large to draw; a .jsonl file holds "
        "them.</p>\n";
  return out + "</details>\n";
}

std::string attention_introduction() {
  return "<p>Of a text: a row is a token that the model wrote, or the label that it gave; a column "
         "is a token of the source. The stronger the colour, the more the model looked at that "
         "token. Each row sums to 1. Of a picture: what was looked at most has no veil, and all "
         "parts sum to 1. Rest the pointer on a cell or a part for its weight.</p>\n"
         "<input type=\"checkbox\" id=\"hide-special\">"
         "<label for=\"hide-special\"> Hide special tokens: "
         "&lt;s&gt; &lt;/s&gt; &lt;unk&gt; &lt;pad&gt;</label>\n";
}

std::string attention_rules() {
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

}  // namespace heed::report
