#pragma once

#include <cstdint>

namespace heed {

#ifdef HEED_DOUBLE
using Real = double;  // the `double` preset: the same sources, for checking gradients
#else
using Real = float;
#endif

using Id = std::int32_t;     // a token, class or row number; never a float
using Index = std::int64_t;  // extents, offsets, counts

/// How a kernel treats what its output already holds.
enum class Mode : std::uint8_t { assign, accumulate };

}  // namespace heed
