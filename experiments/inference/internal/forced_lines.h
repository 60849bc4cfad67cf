#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "datasets/text/tokenizer.h"
#include "experiments/inference/translation.h"

namespace heed {

/// A line and its best output, for a pass in which the output is given (teacher forcing).
struct ForcedLine {
  std::size_t number = 0;          // among the lines
  std::vector<Id> source;          // with </s>
  std::vector<Id> target;          // after <s>
  std::vector<Id> gold;            // what is predicted: the output, and </s> where it ended
  std::vector<std::string> extra;  // of a model that copies: the unknown words of the source
};

/// Calls take(batch) for batches of the lines that have an output, in their order. A batch is small
/// enough that the logits of all its rows fit into memory.
void for_forced_batches(const Decoder& decoder, const Tokenizers& tokenizers,
                        std::span<const std::string> lines,
                        std::span<const std::vector<Translation>> results,
                        const std::function<void(std::span<const ForcedLine>)>& take);

/// The sides of a batch, one after another.
Sequences sources_of(std::span<const ForcedLine> batch);
Sequences targets_of(std::span<const ForcedLine> batch);

std::vector<std::string> tokens_of(const Tokenizer& tokenizer, std::span<const Id> ids,
                                   std::span<const std::string> extra);

}  // namespace heed
