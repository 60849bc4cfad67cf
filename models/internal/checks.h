#pragma once

#include <span>

#include "framework/error.h"
#include "framework/sequences.h"

// What every model checks of its arguments.

namespace heed::detail {

/// Throws Error unless there is an id for each row.
inline void check_sequences(const char* op, const Sequences& sequences) {
  const Index rows = sequences.spans.rows();
  check(sequences.ids.size() == rows, op, "expected an id for each of {} rows; got {}", rows,
        sequences.ids.size());
}

/// Throws Error unless there is a token for each of the decoder's rows.
inline void check_tokens(std::span<const Id> tokens, Index rows) {
  check(static_cast<Index>(tokens.size()) == rows, "step",
        "expected a token for each of {} rows; got {}", rows, tokens.size());
}

/// Throws Error unless each row to keep is one of `count`.
inline void check_selected(const char* op, std::span<const Index> rows, Index count) {
  for (const Index row : rows) {
    check(0 <= row && row < count, op, "expected rows within [0, {}); got {}", count, row);
  }
}

}  // namespace heed::detail
