#pragma once

#include <string>
#include <vector>

#include "framework/types.h"

namespace heed {

/// A token of an output, and how sure the model was of it.
struct TokenConfidence {
  struct Candidate {
    std::string token;
    double probability = 0;
  };
  std::string token = {};
  double probability = 0;            // p(token | source, the tokens before), 0 to 1
  Index rank = 1;                    // 1: no token was more probable
  std::vector<Candidate> best = {};  // the most probable tokens, the best first
};

}  // namespace heed
