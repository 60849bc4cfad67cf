#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// What the Unicode Character Database says of code points. It is that of the library utf8proc:
/// Unicode 15.0 on Debian 12.
namespace heed::unicode {

/// The major class of a code point's general category, formats and controls told apart.
enum class Category : std::uint8_t {
  letter,       // L
  mark,         // M, combining
  number,       // N
  punctuation,  // P
  symbol,       // S
  separator,    // Z
  control,      // Cc
  format,       // Cf
  other,        // unassigned, private or a surrogate
};
Category category(char32_t code);

/// A text is in normal form C where no code point of it may change in it, alone or behind another.
struct Traits {
  Category category;
  bool may_change_in_nfc;
};
Traits traits(char32_t code);

bool is_number(char32_t code);
bool is_punctuation(char32_t code);
bool is_symbol(char32_t code);
bool is_cased(char32_t code);
bool is_case_ignorable(char32_t code);
/// What Python's str.isspace calls white space.
bool is_space(char32_t code);

/// The simple lower case of one code point, itself where it has none.
char32_t to_lower(char32_t code);

/// Whether a grapheme cluster (UAX #29) ends between two neighbours. `state` is 0 where a cluster
/// begins, and is handed from each pair of it to the next.
bool ends_cluster(char32_t before, char32_t code, std::int32_t& state);

/// The text in normal form C (UAX #15). Throws Error unless it is well-formed UTF-8.
std::string nfc(std::string_view text);

}  // namespace heed::unicode
