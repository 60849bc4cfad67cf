#pragma once

#include <exception>
#include <string>

namespace heed::cli {

/// Makes one line of a message, which may quote names and settings of any content: replaces line
/// breaks and other control characters by spaces, and shortens long words to their two ends.
std::string one_line(std::string text);

/// The advice of a message of the library in the words of the options: after the first semicolon,
/// the name of a setting becomes the option that sets it. "no data; give data.train" becomes "no
/// data; give --train".
std::string in_option_words(std::string text);

/// What went wrong, and what to do, for an exception that is not from the command line's parser.
std::string message_of(const std::exception& error);

}  // namespace heed::cli
