#pragma once

#include <cmath>
#include <cstddef>
#include <numbers>
#include <string_view>

#include "datasets/tokenizer.h"
#include "framework/types.h"

namespace heed {

/// How well a model foretells text: `nats` is -sum ln p over all tokens, natural logarithms.
/// Perplexities per token compare only models with the same tokenizer; per character they compare
/// any two on the same text, as long as neither has unknown tokens. Both are NaN over nothing.
/// Characters are those of the text itself, whatever the tokenizer makes of them.
struct Perplexity {
  double nats = 0;
  Index tokens = 0;      // predicted, ends of lines included
  Index characters = 0;  // code points of the text, each line's end counted as one

  double per_token() const { return std::exp(nats / static_cast<double>(tokens)); }
  double per_character() const { return std::exp(nats / static_cast<double>(characters)); }
  double bits_per_character() const {
    return nats / static_cast<double>(characters) / std::numbers::ln2;
  }
};

/// The byte of `text` behind its first `count` tokens; its size where it has no more. Blanks behind
/// them belong to what follows.
std::size_t end_of_tokens(const Tokenizer& tokenizer, std::string_view text, Index count);

}  // namespace heed
