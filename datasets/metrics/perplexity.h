#pragma once

#include <cmath>
#include <numbers>

#include "framework/types.h"

namespace heed {

/// How well a model foretells text: `nats` is -sum ln p over all tokens, natural logarithms. Perplexities per token compare only models
/// with the same tokenizer; per character they compare any two on the same text, as long as neither has unknown tokens. Both are NaN
/// over nothing.
struct Perplexity {
  double nats = 0;
  Index tokens = 0;      // predicted, ends of lines included
  Index characters = 0;  // code points of the text, each line's end counted as one

  double per_token() const { return std::exp(nats / static_cast<double>(tokens)); }
  double per_character() const { return std::exp(nats / static_cast<double>(characters)); }
  double bits_per_character() const { return nats / static_cast<double>(characters) / std::numbers::ln2; }
};

}  // namespace heed
