#pragma once

#include <string>

#include "experiments/inference/attended_line.h"

// Attention within a page.

namespace heed::report {

/// An element for a line: what was read and written, its large picture, and a small one for each
/// head of each layer; where a picture was read, that picture, and what was attended to in it.
/// `open`: false if it is folded. `titles`: whether cells of the small pictures have tooltips.
std::string attention_element(const AttendedLine& line, Index number, bool open,
                              bool titles = true);

/// How the pictures are read, and the box that hides special tokens. It must stand before the
/// lines, in the same element.
std::string attention_introduction();

/// CSS rules for both.
std::string attention_rules();

}  // namespace heed::report
