#pragma once

#include "models/recurrent_seq2seq.h"
#include "models/transformer.h"

namespace heed {

/// The options of the model that TransformerOptions with DecoderKind::rnn describe: the encoder of
/// a Transformer, and the decoder of a recurrent model (Chen et al. 2018 join the two). Throws
/// Error where an option is out of its range, and for copying and softcap, which that decoder lacks
/// here.
RecurrentSeq2SeqOptions hybrid_options(const TransformerOptions& options);

}  // namespace heed
