#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace heed {

/// Whether a file that starts with these bytes is packed by gzip (RFC 1952).
bool is_gzip(std::string_view start);

/// Unpacks gzip data, one member or several on end, and hands it piece by piece to `write`: memory
/// does not grow with what is in it. `read` fills its argument with the next bytes and says how
/// many: 0 at the end. Throws Error, `NAME: ...`, on damaged data, on data that end too early, and
/// on anything but zeros behind them.
void gunzip(const std::function<std::size_t(std::span<char>)>& read,
            const std::function<void(std::string_view)>& write, const std::string& name);

}  // namespace heed
