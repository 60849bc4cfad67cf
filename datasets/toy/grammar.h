#pragma once

#include "datasets/toy/tree.h"
#include "framework/random.h"

namespace heed::toy {

/// A plausible sentence of 3 to 30 English words whose French is a function of its English.
Sentence draw_sentence(Random& random);

}  // namespace heed::toy
