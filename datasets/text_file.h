#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// The lines of a UTF-8 text file, packed by gzip or not, as LineReader splits them, all at once
/// and of any length. Throws Error, `FILE: ...` or `FILE:LINE: ...`, when the file is missing,
/// unreadable (InputFile) or empty, or holds malformed UTF-8 or a NUL byte.
std::vector<std::string> read_lines(const std::string& path);

/// The same file as one string, lines ended by \n; the last as it stands in the file.
std::string read_text(const std::string& path);

/// Throws `FILE:LINE: ...` unless `text` is well-formed UTF-8 without NUL: for lines that come from
/// elsewhere, as standard input.
void check_line(std::string_view text, std::string_view file, std::size_t line);

}  // namespace heed
