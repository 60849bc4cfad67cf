#pragma once

#include <cstdint>

namespace heed {

#ifdef HEED_DOUBLE
using Real = double;  // preset `double`: the same sources, to check gradients
#else
using Real = float;
#endif

using Id = std::int32_t;     // number of a class, item or row
using Index = std::int64_t;  // extents, offsets, counts

/// Whether a kernel replaces the values of its output or adds to them.
enum class Mode : std::uint8_t { assign, accumulate };

}  // namespace heed
