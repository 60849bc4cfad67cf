#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace heed {

/// A kind of file that is not lines of UTF-8 text, recognised by its first bytes.
struct ForeignText {
  std::string_view what;    // "UTF-16"
  std::string_view remedy;  // "save it as UTF-8"
  bool packed = false;      // compressed by a program that compresses one file
};

/// Recognises a kind by the first bytes of a file. `start` should hold at least 16 bytes if the
/// file does. nullopt: it may be UTF-8 text.
std::optional<ForeignText> foreign_text(std::string_view start);

/// Whether lines end in carriage returns alone, as on old Macs: more carriage returns stand before
/// other text than there are line feeds. A smaller number of them are errors within lines.
bool ends_lines_by_returns(std::string_view start);

/// Throws Error, `FILE: ...`, when `start`, the first bytes of a file,
/// - is a kind that foreign_text() recognises;
/// - is text whose lines end in carriage returns alone.
void check_start(std::string_view start, std::string_view file);

}  // namespace heed
