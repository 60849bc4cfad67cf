#pragma once

#include <span>

#include "framework/error.h"
#include "framework/sequences.h"
#include "models/encoded.h"

// What every model checks of its arguments.

namespace heed::detail {

/// Throws Error unless the encoder and the decoder have at least one layer.
template <class Options>
void check_depths(const char* op, const Options& o) {
  check_argument(o.layers >= 1, op, "layers", o.layers, "of at least 1");
  check_argument(o.encoder_layers >= 0, op, "encoder_layers", o.encoder_layers, "of at least 0");
  check_argument(o.decoder_layers >= 0, op, "decoder_layers", o.decoder_layers, "of at least 0");
}

/// Throws Error unless there is an id for each row.
inline void check_sequences(const char* op, const Sequences& sequences) {
  const Index rows = sequences.spans.rows();
  check(sequences.ids.size() == rows, op, "expected an id for each of {} rows; got {}", rows,
        sequences.ids.size());
}

/// Throws Error unless keys and values have a row of `width` numbers for each row of the spans, and
/// each state one for each sequence.
inline void check_encoded(const Encoded& encoded, Index width) {
  const Index rows = encoded.spans.rows();
  for (const Variable& x : {encoded.keys, encoded.values}) {
    check(x.defined(), "start", "expected keys and values of {} rows; got none", rows);
    check(x.rank() == 2 && x.extent(0) == rows && x.extent(1) == width, "start",
          "expected keys and values of shape ({}, {}); got {}", rows, width, to_string(x.shape()));
  }
  for (const CellState& state : encoded.states)
    check(state.h.defined() && state.h.rows() == encoded.spans.count(), "start",
          "expected a final state for each of {} sequences", encoded.spans.count());
}

/// Throws Error unless there is an id that can be copied for each row.
inline void check_copied(const Encoded& encoded) {
  const Index rows = encoded.spans.rows();
  check(encoded.ids.size() == rows, "start",
        "expected the ids that were read, to copy from; got {} for {} rows", encoded.ids.size(),
        rows);
  for (const Id id : encoded.ids.span())
    check(id >= 0, "start", "expected ids of at least 0; got {}", id);
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
