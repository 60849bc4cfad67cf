#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/types.h"

namespace heed {

/// The attention weights of one layer for one line.
struct AttentionLayerMap {
  std::string layer = {};  // its name
  Index heads = 0;
  Index rows = 0;                   // target tokens
  Index columns = 0;                // source tokens, or parts of a picture
  std::vector<float> weights = {};  // (heads, rows, columns)
};

/// A picture that a model read, and the grid of its parts: one for each row, in the order of
/// reading.
struct AttendedPicture {
  std::string png = {};  // the bytes of a file
  Index height = 0;
  Index width = 0;
  Index down = 0;  // parts, one below the other
  Index across = 0;
};

/// A source line, the model's output, and the attention weights of each token of the output.
struct AttendedLine {
  std::string source_text = {};
  std::string target_text = {};
  // Tokens, </s> included. Of a picture: the pixels of each part, "4-7,0-3" for lines 4 to 7 and
  // columns 0 to 3. Of what cannot be shown: the numbers of its rows, from 1.
  std::vector<std::string> source = {};
  std::vector<std::string> target = {};
  // Where the source is a picture: what the model saw, and its parts, which `source` names.
  std::optional<AttendedPicture> picture = {};
  std::vector<AttentionLayerMap> layers = {};
};

}  // namespace heed
