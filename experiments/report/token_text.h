#pragma once

#include <span>
#include <string>

#include "experiments/inference/token_confidence.h"

namespace heed::report {

/// The tokens of an output, one after another, each over a line that is the stronger the less
/// probable the token was:  strength = min(1, -ln p / 5). Its tooltip has the probability, the rank
/// and the best candidates.
std::string token_text(std::span<const TokenConfidence> tokens);

/// CSS rules for it.
std::string token_rules();

}  // namespace heed::report
