#include "experiments/report/internal/attention_json.h"

#include <cmath>
#include <iterator>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "experiments/report/text.h"

namespace heed::report::detail {

namespace {

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

}  // namespace

std::string attention_json(const AttendedLine& line, Index number) {
  std::string out = fmt::format("{{\"line\":{},\"source\":", number);
  add_list(out, line.source, add_token);
  out += ",\"target\":";
  add_list(out, line.target, add_token);
  out += ",\"layers\":";
  add_list(out, line.layers, add_layer);
  return out + "}\n";
}

}  // namespace heed::report::detail
