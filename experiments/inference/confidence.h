#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/inference/token_confidence.h"
#include "experiments/inference/translation.h"

namespace heed {

/// For each line, the tokens of its best output with their probabilities, from one pass over it
/// (teacher forcing), and the `most` best candidates of each. The last token is </s> where the
/// output ended. A line without an output has none. The caller switches the model to evaluation.
std::vector<std::vector<TokenConfidence>> confidences(
    const Decoder& decoder, const Tokenizers& tokenizers, std::span<const std::string> lines,
    std::span<const std::vector<Translation>> results, std::size_t most = 5);

/// The same of a running text, by a language model: of each token but the first, given those before
/// in windows of `context` tokens as in training.
std::vector<TokenConfidence> confidences_of_text(const Decoder& decoder, const Tokenizer& tokenizer,
                                                 std::span<const Id> text, Index context,
                                                 std::size_t most = 5);

}  // namespace heed
