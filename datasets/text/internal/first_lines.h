#pragma once

#include <string>
#include <vector>

namespace heed {

/// The first lines of a text file, compressed by gzip or not: at most 100, and none from the first
/// malformed one on. None where the file cannot be read a second time, as a pipe.
std::vector<std::string> first_lines(const std::string& path);

}  // namespace heed
