#pragma once

#include <string>
#include <vector>

namespace heed {

/// "a, b, c and 21 more": a message names the first three, and says how many there are.
std::string first_three(const std::vector<std::string>& items);

}  // namespace heed
