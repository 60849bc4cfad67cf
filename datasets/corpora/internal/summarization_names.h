#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "datasets/text/pairs.h"
#include "framework/random.h"

namespace heed::toy::news {

/// Draws a value for a slot of a template: one of its words, a number, a name or a time. Throws
/// Error when the slot is unknown.
std::string draw(std::string_view slot, Random& random, Split split);

/// Every value of a slot that is not made up.
std::vector<std::string> phrases();

}  // namespace heed::toy::news
