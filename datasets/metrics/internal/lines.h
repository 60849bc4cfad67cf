#pragma once

#include <span>
#include <string>
#include <vector>

#include "framework/error.h"

// Functions that all metrics over lines share. references[r][i] is the r-th reference of
// hypotheses[i].

namespace heed {

/// Throws Error when there are no lines or no references, or when the numbers of lines differ.
inline void check_aligned(const char* op, std::span<const std::string> hypotheses,
                          std::span<const std::vector<std::string>> references) {
  check(!hypotheses.empty(), op, "expected at least one line; got none");
  check(!references.empty(), op, "expected at least one reference; got none");
  for (std::size_t r = 0; r < references.size(); ++r)
    check(references[r].size() == hypotheses.size(), op,
          "expected as many lines in reference {} as hypotheses, {}; got {}", r + 1,
          hypotheses.size(), references[r].size());
}

/// The references of one line as columns of one line each.
inline std::vector<std::vector<std::string>> columns(std::span<const std::string> references) {
  std::vector<std::vector<std::string>> result;
  for (const std::string& reference : references)
    result.push_back({reference});
  return result;
}

}  // namespace heed
