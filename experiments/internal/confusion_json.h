#pragma once

#include <nlohmann/json.hpp>

#include "datasets/metrics/classification.h"

namespace heed {

/// [{"gold": "no", "predicted": "yes", "count": 3}, ...]: the cells above 0.
inline nlohmann::ordered_json confusion_json(const Confusion& confusion) {
  auto cells = nlohmann::ordered_json::array();
  for (const auto& [places, count] : confusion.cells)
    cells.push_back({{"gold", confusion.labels[places.first]},
                     {"predicted", confusion.labels[places.second]},
                     {"count", count}});
  return cells;
}

}  // namespace heed
