#pragma once

#include <exception>
#include <string>

namespace heed::cli {

/// A message may quote what a name or a setting holds: line breaks, what would steer the terminal,
/// and names of any length, of which the ends are shown.
std::string one_line(std::string text);

/// What went wrong and what to do, of an exception that is not the parser's.
std::string message_of(const std::exception& error);

}  // namespace heed::cli
