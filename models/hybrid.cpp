#include "models/hybrid.h"

namespace heed {

RecurrentSeq2SeqOptions hybrid_options(const TransformerOptions& o) {
  o.check();
  return {.vocabulary = o.vocabulary,
          .source_vocabulary = o.source_vocabulary,
          .d = o.d,
          .layers = o.layers,
          .encoder_layers = o.encoder_layers,
          .decoder_layers = o.decoder_layers,
          .cell = o.cell,
          .attention = o.decoder_attention,
          .heads = o.heads,
          .dropout = o.dropout,
          .unknown = o.unknown,
          .tied = o.blocks.tied,
          .transformer = encoder_options(o)};
}

}  // namespace heed
