#pragma once

#include <span>
#include <string>

namespace heed {

/// The share, 0 to 1, of lines that equal their reference byte for byte. Throws Error when the counts differ or there are no lines.
double exact_match(std::span<const std::string> hypotheses, std::span<const std::string> references);

}  // namespace heed
