#pragma once

#include <cstdint>
#include <string>

#include "framework/types.h"

// The one place that knows oneDNN (Intel 2016-2022). Its library is loaded when it is first asked
// for. It has some 40 MB of code to map and relocate, which would add several milliseconds to the
// start of a program that may never use it.

namespace heed::kernels::onednn {

/// Says why bfloat16 products cannot be computed here. Empty where they can.
const std::string& obstacle();

// The layout of the right operand, from the outside in:
// - panels of 64 columns;
// - blocks of 32 rows;
// - 16 pairs of rows;
// - for each of the 64 columns, its two numbers.
// Panels and blocks that are not whole are filled up with zeros.
constexpr Index panel_columns = 64;
constexpr Index block_rows = 32;

/// c (m, n) = or += a (m, k) b (k, n) on the calling thread, in float. a and c are dense; k is a
/// multiple of 32. Every new (m, n, k, mode) compiles code, which takes a millisecond: callers use
/// few of them. Throws Error where oneDNN fails.
void product(Index m, Index n, Index k, const std::uint16_t* a, const std::uint16_t* b, float* c,
             Mode mode);

/// How many primitives all threads have made.
std::uint64_t made();

}  // namespace heed::kernels::onednn
