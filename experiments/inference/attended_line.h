#pragma once

#include <string>
#include <vector>

#include "framework/types.h"

namespace heed {

/// The attention weights of one layer for one line.
struct AttentionLayerMap {
  std::string layer = {};  // its name
  Index heads = 0;
  Index rows = 0;                   // target tokens
  Index columns = 0;                // source tokens
  std::vector<float> weights = {};  // (heads, rows, columns)
};

/// A source line, the model's output, and the attention weights of each token of the output.
struct AttendedLine {
  std::string source_text = {};
  std::string target_text = {};
  // Tokens, </s> included.
  std::vector<std::string> source = {};
  std::vector<std::string> target = {};
  std::vector<AttentionLayerMap> layers = {};
};

}  // namespace heed
