#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/run.h"

namespace heed::cli {

/// Translates lines as translate() does, and gives for each up to options.nbest outputs whose texts
/// differ: subwords spell one text in several ways.
///
/// Of one text the output with the best score stays. Where too few are left, a wider search or more
/// draws (eight times as many, and 1,000, at most) fill the list up. The first stays what
/// translate() gives.
std::vector<std::vector<Translation>> translate_nbest(const Decoder& decoder,
                                                      const Tokenizers& tokenizers,
                                                      std::span<const std::string> lines,
                                                      const DecodeOptions& options,
                                                      std::uint64_t first);

}  // namespace heed::cli
