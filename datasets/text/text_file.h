#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// All lines of a UTF-8 text file, split as LineReader does but of any length. The file may be
/// compressed by gzip.
///
/// Throws Error, `FILE: ...` or `FILE:LINE: ...`, when the file
/// - is missing or unreadable (InputFile);
/// - is empty;
/// - holds malformed UTF-8 or a NUL byte.
std::vector<std::string> read_lines(const std::string& path);

/// The same file as one string. Each line ends in \n, the last one only if it does in the file.
std::string read_text(const std::string& path);

/// Throws Error, `FILE:LINE: ...`, unless `text` is well-formed UTF-8 without NUL. For lines from
/// other places, such as standard input.
void check_line(std::string_view text, std::string_view file, std::size_t line);

}  // namespace heed
