#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "framework/types.h"

namespace heed {

/// The length of a longest common subsequence of a and b. Computes 64 cells of the usual table at a
/// time (Hyyrö 2004, "Bit-parallel LCS-length computation revisited"), in |a| |b| / 64 steps and
/// with memory linear in |a| + |b|.
Index lcs_length(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b);

/// The positions in a, ascending, of the longest common subsequence that ROUGE-1.5.5 and
/// rouge_score choose. The choice starts at the ends of a and b:
/// - if the last words are equal, they are taken;
/// - else the last word of b is dropped if that leaves a strictly longer common subsequence than
///   dropping the last word of a;
/// - else the last word of a is dropped.
///
/// Takes at most about twice the time of lcs_length and holds sqrt(|a|) rows of |b| bits in memory.
std::vector<std::size_t> lcs_positions(std::span<const std::uint32_t> a,
                                       std::span<const std::uint32_t> b);

}  // namespace heed
