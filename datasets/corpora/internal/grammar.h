#pragma once

#include "datasets/corpora/internal/tree.h"
#include "framework/random.h"

namespace heed::toy {

/// A plausible sentence of 3 to 30 English words. Its English text determines its French text.
Sentence draw_sentence(Random& random);

}  // namespace heed::toy
