#include "experiments/report/attention_page.h"
#include "experiments/report/heat_map.h"
#include "experiments/report/text.h"
#include "experiments/run_report/internal/head_figures.h"
#include "experiments/run_report/internal/sections.h"

namespace heed {

namespace {

constexpr std::size_t most_bytes = 700'000;  // of all pictures of a page

/// A small map with a row for each layer and a column for each head.
std::string map_of(const std::vector<LayerFigures>& layers, double HeadFigures::*figure,
                   const char* title) {
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::size_t heads = 0;
  for (const LayerFigures& layer : layers)
    heads = std::max(heads, layer.heads.size());
  for (std::size_t i = 0; i < heads; ++i)
    columns.push_back(fmt::format("head {}", i + 1));
  std::vector<float> values;
  for (const LayerFigures& layer : layers) {
    rows.push_back(layer.layer);
    for (std::size_t i = 0; i < heads; ++i)
      values.push_back(i < layer.heads.size() ? static_cast<float>(layer.heads[i].*figure) : 0.0F);
  }
  const report::HeatMap map{.source = columns, .target = rows, .weights = values, .cell = 32};
  return fmt::format("<figure>{}<figcaption>{}</figcaption></figure>\n",
                     report::heat_map(map).element(title), title);
}

}  // namespace

AttentionPictures::AttentionPictures(report::Page& page, bool any) : page_(page) {
  if (any) page_.element(report::attention_introduction());
}

void AttentionPictures::end() {
  if (left_out_) page_.paragraph("Attention that would make the page too large is left out.");
}

std::string AttentionPictures::of(const AttendedLine& line) {
  if (line.layers.empty() || line.target.empty()) return "";
  ++number_;
  // A picture is small; of texts the first shows what there is to see.
  const bool open = line.picture || number_ == 1;
  const std::string element = report::attention_element(line, number_, open, false);
  left_out_ = left_out_ || bytes_ + element.size() > most_bytes;
  if (left_out_) return "";
  bytes_ += element.size();
  return element;
}

void add_heads(report::Page& page, const std::vector<AttendedLine>& lines) {
  const std::vector<LayerFigures> layers = head_figures(lines);
  if (layers.empty()) return;
  page.heading("What the heads attend to");
  page.paragraph(fmt::format(
      "Means over the tokens written for {} line{}. A head with little entropy looks at "
      "one place at a time; one with all its weight on special tokens mostly rests.",
      lines.size(), lines.size() == 1 ? "" : "s"));
  page.element("<div class=\"heads\">\n");
  page.element(map_of(layers, &HeadFigures::entropy, "entropy, as a share of the largest"));
  page.element(map_of(layers, &HeadFigures::distance, "distance, as a share of the source"));
  page.element(map_of(layers, &HeadFigures::special, "weight on special tokens"));
  page.element("</div>\n");
}

}  // namespace heed
