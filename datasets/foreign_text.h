#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace heed {

/// What is no UTF-8 text in lines and says so by its first bytes.
struct ForeignText {
  // "UTF-16", "save it as UTF-8"
  std::string_view what;
  std::string_view remedy;
  bool packed = false;  // by a program that packs one file
};

/// By the first bytes, 16 or more where there are as many; nothing where it may be a text.
std::optional<ForeignText> foreign_text(std::string_view start);

/// Whether lines end in carriage returns alone, as on old Macs: more of them stand before other
/// text than there are line feeds. Fewer are strays within lines.
bool ends_lines_by_returns(std::string_view start);

/// Throws Error, `FILE: ...`, where `start`, what a file begins with, is foreign or has such lines.
void check_start(std::string_view start, std::string_view file);

}  // namespace heed
