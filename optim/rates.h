#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/module.h"

namespace heed {

/// A factor of the learning rate of the parameters that a pattern matches.
struct RateFactor {
  std::string pattern;  // as in ParameterPatterns; "!PATTERN" means all others
  double factor = 1;
};

/// The factor in a text such as "embedding*=0.1". Throws Error when it is no pattern, equals sign
/// and number from 0 to 1e6.
RateFactor parse_rate_factor(std::string_view text);

/// The factor of each parameter, in the order of parameters(), for Optimizer::set_rate_factors().
/// Where several patterns match, their factors are multiplied. Throws Error when a pattern matches
/// no parameter.
std::vector<double> rate_factors(AnyModule model, const std::vector<RateFactor>& factors);

}  // namespace heed
