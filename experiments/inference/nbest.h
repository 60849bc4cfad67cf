#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/inference/translation.h"

namespace heed {

/// Translates lines as translate() does, and returns up to options.nbest outputs of each line whose
/// texts differ. Subwords can spell one text in several ways; of equal texts the output with the
/// best score is kept.
///
/// Where too few outputs are left, the search is repeated with a beam (or a number of draws) of
/// two, four and eight times the width, at most 1,000. The first output stays that of translate().
std::vector<std::vector<Translation>> translate_nbest(const Decoder& decoder,
                                                      const Tokenizers& tokenizers,
                                                      std::span<const std::string> lines,
                                                      const DecodeOptions& options,
                                                      std::uint64_t first);

}  // namespace heed
