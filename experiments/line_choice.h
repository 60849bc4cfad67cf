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

/// How many lines of each kind are wanted.
struct LineCounts {
  std::size_t worst = 0;
  std::size_t best = 0;
  std::size_t random = 0;
};

/// The lines with the lowest scores, those with the highest, and some that are drawn at random, by
/// the seed, from the others. Of equal scores the longer line comes first, since it tells more; of
/// equally long ones the first.
std::vector<ChosenLine> choose_lines(const std::vector<double>& scores,
                                     const std::vector<std::string>& lines,
                                     const LineCounts& counts, Index seed);

}  // namespace heed
