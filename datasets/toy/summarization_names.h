#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "datasets/pairs.h"
#include "framework/random.h"

namespace heed::toy::news {

/// What may fill a slot of a template: one of its words, a number, a name, a time. Throws Error for
/// an unknown slot.
std::string draw(std::string_view slot, Random& random, Split split);

/// Every phrase a slot may be filled with that is not made up.
std::vector<std::string> phrases();

}  // namespace heed::toy::news
