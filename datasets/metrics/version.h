#pragma once

#include <string_view>

namespace heed {

/// Ends the signature of a score: which code computed it. Kept equal to the project's version by a
/// test.
inline constexpr std::string_view metrics_version = "heed-0.1.0";

}  // namespace heed
