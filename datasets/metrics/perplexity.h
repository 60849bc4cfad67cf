#pragma once

#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/text/tokenizer.h"
#include "framework/types.h"

namespace heed {

class ItemCounts;    // item_counts.h
struct MetricScore;  // metrics.h

/// How well a model predicts a text.
///
///   per_token = exp(nats / tokens)
///   per_character = exp(nats / characters)
///   bits_per_character = nats / characters / ln 2
///
/// - The perplexity per token compares only models with the same tokenizer.
/// - The perplexity per character compares any two models on the same text, if neither has unknown
///   tokens. Characters are those of the text, whatever the tokenizer does.
/// - All three are NaN for an empty text.
struct Perplexity {
  double nats = 0;       // -sum ln p over all tokens
  Index tokens = 0;      // the tokens predicted, ends of lines included
  Index characters = 0;  // code points of the text; each end of a line counts as one

  double per_token() const { return std::exp(nats / static_cast<double>(tokens)); }
  double per_character() const { return std::exp(nats / static_cast<double>(characters)); }
  double bits_per_character() const {
    return nats / static_cast<double>(characters) / std::numbers::ln2;
  }
};

/// The byte offset in `text` after its first `count` tokens, or the size of `text` if it has no
/// more tokens. Blanks after them belong to the rest.
std::size_t end_of_tokens(const Tokenizer& tokenizer, std::string_view text, Index count);

/// The parts of a text as items, and the bits a character of a sum of them. nats[i] is a number:
/// what a model needs for texts[0][i], -sum ln p over its tokens. A row is (nats, characters).
/// Throws Error when
/// - there are no items, or not as many numbers as texts, or more than one text for each;
/// - a number is negative, not finite, or none.
ItemCounts bits_items(std::span<const std::string> nats,
                      std::span<const std::vector<std::string>> texts);
MetricScore bits_of_sum(std::span<const double> sum);

}  // namespace heed
