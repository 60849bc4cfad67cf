#include "experiments/report/internal/attention_drawing.h"

#include <algorithm>
#include <cmath>

#include "experiments/report/internal/attention_maps.h"
#include "experiments/report/picture_map.h"
#include "experiments/report/text.h"

namespace heed::report::detail {

namespace {

constexpr double svg_width = 960;  // heads that would reach beyond it are wrapped

/// A drawing that grows downwards: all_.height is the bottom of what has been added.
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
    const double most = largest_weight(summary_.weights);
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

}  // namespace

Svg draw_attention(const AttendedLine& line) { return LineDrawing(line).draw(); }

}  // namespace heed::report::detail
