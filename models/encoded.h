#pragma once

#include <vector>

#include "framework/ops.h"
#include "layers/recurrent.h"

namespace heed {

/// What an encoder hands over to a decoder or to another head.
struct Encoded {
  Variable keys;    // (rows, width): what attention scores
  Variable values;  // (rows, width): what attention sums; for most encoders the keys
  Spans spans;      // which rows belong to which sequence
  /// Of a recurrent encoder: the final state of each layer, both directions side by side.
  std::vector<CellState> states = {};
  Ids ids = {};  // what was read, one id a row, where it can be copied
};

}  // namespace heed
