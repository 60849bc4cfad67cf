#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace heed {

/// Whether a file that starts with these bytes is compressed by gzip (RFC 1952).
bool is_gzip(std::string_view start);

/// Decompresses gzip data of one or more members and passes the text to `write` piece by piece.
/// The memory used does not depend on the size of the text. `read` fills its argument with the next
/// bytes and returns their number, 0 at the end.
///
/// Throws Error, `NAME: ...`, when
/// - there are no data;
/// - the data are damaged or end too early;
/// - anything but zeros follows the last member.
void gunzip(const std::function<std::size_t(std::span<char>)>& read,
            const std::function<void(std::string_view)>& write, const std::string& name);

}  // namespace heed
