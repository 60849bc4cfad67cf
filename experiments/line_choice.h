#pragma once

#include <string>
#include <vector>

#include "framework/types.h"

namespace heed {

/// A line of a test set that a report shows, and why.
struct ChosenLine {
  enum class Why { worst, best, random };
  std::size_t line = 0;  // from 0
  Why why = Why::random;

  const char* reason() const;  // "worst", "best", "drawn at random"
};

/// The `each` lines with the lowest scores, as many with the highest, and as many that are drawn at
/// random, by the seed, from the others. Of equal scores the longer line comes first, since it
/// tells more; of equally long ones the first.
std::vector<ChosenLine> choose_lines(const std::vector<double>& scores,
                                     const std::vector<std::string>& lines, std::size_t each,
                                     Index seed);

}  // namespace heed
