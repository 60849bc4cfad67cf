#pragma once

#include <span>
#include <string>
#include <string_view>

#include "framework/types.h"

namespace heed {

/// "line 3", "lines 3, 17", or "lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 27 more".
std::string listed(std::string_view noun, std::span<const Index> numbers);

}  // namespace heed
