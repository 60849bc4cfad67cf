#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, no code points above U+10FFFF.
namespace heed::utf8 {

/// The byte where the first malformed sequence begins; npos when `text` is well formed.
std::size_t find_invalid(std::string_view text);

/// Decodes the code point that begins at byte `at` and moves `at` past it. Throws Error when it is
/// malformed.
char32_t next(std::string_view text, std::size_t& at);

/// Appends `code` to `text`.
void append(std::string& text, char32_t code);

/// Calls take(char32_t code, std::string_view bytes) for each code point in order.
template <class Take>
void for_each(std::string_view text, Take&& take) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t code = next(text, at);
    take(code, text.substr(begin, at - begin));
  }
}

/// The number of code points.
std::size_t length(std::string_view text);

/// Whether the code point is white space by Python's str.isspace. Metrics split words there.
bool is_space(char32_t code);

/// The text without white space at its ends.
std::string_view trim(std::string_view text);

}  // namespace heed::utf8
