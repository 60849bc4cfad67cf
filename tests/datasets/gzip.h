#pragma once

#include <string>
#include <string_view>

namespace heed {

/// `text` as gzip packs it: one member.
std::string gzip(std::string_view text);

}  // namespace heed
