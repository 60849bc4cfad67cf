#pragma once

#include "framework/types.h"

namespace heed {

/// The ids of a vocabulary that are no words. What decodes gets them as an argument, so that a
/// model knows no vocabulary. The defaults are those of Heed's tokenizers.
struct SpecialIds {
  Id pad = 0;  // never an output
  Id bos = 1;  // <s>: an output begins after it
  Id eos = 2;  // </s>: it ends an output
  Id unk = 3;  // <unk>: a word that the vocabulary lacks
};

}  // namespace heed
