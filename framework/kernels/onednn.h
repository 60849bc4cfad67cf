#pragma once

#include <cstdint>
#include <string>

#include "framework/types.h"

// The one place that knows oneDNN (Intel 2016-2022). Its library is loaded when it is first asked
// for: it has some 40 MB of code to map and relocate, several milliseconds of the start of a
// program that may never use it.

namespace heed::kernels::onednn {

/// Why bfloat16 products cannot be computed here, in words; empty where they can.
const std::string& obstacle();

/// The right operand's layout: panels of 64 columns; in each, blocks of 32 rows; in each, 16 pairs
/// of rows; in each, the pairs of the 64 columns. Short of a whole panel or block it is filled with
/// zeros.
constexpr Index panel_columns = 64;
constexpr Index block_rows = 32;

/// c (m, n) = or += a (m, k) b (k, n) on the calling thread, in float. a and c are dense, k a
/// multiple of 32. Compiles code for every new (m, n, k, mode), a millisecond: callers choose from
/// few. Throws Error where oneDNN does.
void product(Index m, Index n, Index k, const std::uint16_t* a, const std::uint16_t* b, float* c,
             Mode mode);

/// How often any thread has had to make a primitive.
std::uint64_t made();

}  // namespace heed::kernels::onednn
