#pragma once

#include <string>
#include <vector>

namespace heed {

/// Names the first three items and counts the others: "a, b, c and 21 more".
std::string first_three(const std::vector<std::string>& items);

}  // namespace heed
