#pragma once

#include <span>
#include <vector>

#include "experiments/inference/interrupted.h"
#include "experiments/inference/test_set.h"
#include "models/decoder.h"

namespace heed {

/// A text that a decoder gets token by token, whatever it would write itself: teacher forcing.
struct ForcedText {
  std::vector<Id> source;  // is read at once
  std::vector<Id> tokens;  // are given, one a step
};

/// The first pairs of a test set: each reference after its source.
std::vector<ForcedText> forced_pairs(const Decoder& decoder, const Tokenizers& tokenizers,
                                     const TestSet& test);
/// The beginning of a running text.
std::vector<ForcedText> forced_beginning(const Decoder& decoder, const Tokenizers& tokenizers,
                                         const TestSet& test);

/// What it costs to write. All models write the same.
struct DecodingCost {
  double tokens_per_s = 0;  // one text at a time, a row each
  double state_kib = 0;  // what is kept at the end of a text, the mean over the texts; 0: unknown
};
DecodingCost decoding_cost(const Decoder& decoder, std::span<const ForcedText> texts,
                           const ShouldStop& should_stop);

}  // namespace heed
