#pragma once

#include <string>

#include "framework/fields.h"
#include "layers/recurrent.h"

// The fields that several families of models have, each with one range and one help.

namespace heed::detail {

inline constexpr Index largest_width = Index{1} << 20;
inline constexpr const char* decoder_part = "decoder";  // alone reads some of them

inline void list_width(Fields& f, Index& d) {
  f("d", d, even(2, largest_width), "width of the model");
}

inline void list_layers(Fields& f, int& layers, const char* help) {
  f("layers", layers, between(Index{1}, Index{1000}), help);
}

/// The depths of an encoder-decoder.
template <class Options>
void list_depths(Fields& f, Options& o) {
  list_layers(f, o.layers, "layers of the encoder, and of the decoder");
  const Range range = between(Index{0}, Index{1000});
  f("encoder_layers", o.encoder_layers, range, "layers of the encoder; 0: as many as layers")
      .absent(Index{0});
  f("decoder_layers", o.decoder_layers, range, "layers of the decoder; 0: as many as layers")
      .absent(Index{0})
      .used_by(decoder_part);
}

inline void list_heads(Fields& f, int& heads) {
  f("heads", heads, between(Index{1}, largest_width), "attention heads");
}

inline void list_feed_forward(Fields& f, Index& ff) {
  f("ff", ff, between(Index{0}, largest_width),
    "width inside the feed-forward layers; 0: 4 d (swiglu: 8 d / 3)");
}

inline void list_dropout(Fields& f, Real& dropout) {
  f("dropout", dropout, between(0.0, 0.99),
    "probability of dropping an activation (built-in corpora: 0)");
}

inline Field& list_cell(Fields& f, CellKind& cell) {
  return f("cell", cell, cells(), "the recurrent cell").absent(std::string("lstm"));
}

inline void list_tied(Fields& f, bool& tied) {
  f("tied", tied, any_value(),
    "the output layer shares the weights of the embedding, where their widths agree")
      .used_by(decoder_part)
      .absent(false);
}

inline void list_copy(Fields& f, bool& copy) {
  f("copy", copy, any_value(), "words may be copied from the source (pointer-generator)")
      .used_by(decoder_part);
}

}  // namespace heed::detail
