#pragma once

#include <span>
#include <string>
#include <vector>

#include "datasets/text/internal/listed.h"

namespace heed {

/// "lines 1, 4" for {0, 3}: what the streams of tests say of their lines.
inline std::string lines_text(std::span<const Index> lines) {
  std::vector<Index> numbers(lines.begin(), lines.end());
  for (Index& number : numbers)
    ++number;
  return listed("line", numbers);
}

}  // namespace heed
