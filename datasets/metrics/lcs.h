#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "framework/types.h"

namespace heed {

/// The length of a longest common subsequence of a and b, 64 cells of the usual table at a time
/// (Hyyrö 2004, "Bit-parallel LCS-length computation revisited"): |a| |b| / 64 steps, memory linear
/// in |a| + |b|.
Index lcs_length(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b);

/// The positions in a, ascending, of the longest common subsequence that ROUGE-1.5.5 and
/// rouge_score read out: from the ends, equal words are taken; else it goes back in b where that
/// keeps strictly more than going back in a, else in a. As fast, within a factor of two, with
/// sqrt(|a|) rows of |b| bits in memory.
std::vector<std::size_t> lcs_positions(std::span<const std::uint32_t> a,
                                       std::span<const std::uint32_t> b);

}  // namespace heed
