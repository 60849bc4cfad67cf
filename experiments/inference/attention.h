#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/inference/attended_line.h"
#include "experiments/inference/translation.h"

namespace heed {

/// Whether the model attends to its source.
bool attends(const Decoder& decoder);

/// The attention weights for each line's best hypothesis, from one forward pass over it (teacher
/// forcing). Row i of a map holds the weights with which token i of the target was predicted; the
/// last target token is </s>. A line without a hypothesis has neither tokens nor maps. The caller
/// switches the model to evaluation.
std::vector<AttendedLine> attend(const Decoder& decoder, const Tokenizers& tokenizers,
                                 std::span<const std::string> lines,
                                 std::span<const std::vector<Translation>> results);

/// The weights with which a language model predicted each token of a text but the first: row i of a
/// map is that of token i + 1, column j that of token j.
AttendedLine attend_text(const Decoder& decoder, const Tokenizer& tokenizer,
                         std::span<const Id> text);

}  // namespace heed
