#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Properties of code points from the Unicode Character Database, in the version of the library
/// utf8proc: Unicode 15.0 on Debian 12.
namespace heed::unicode {

/// The major class of a code point's general category. Controls and formats are separate classes.
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

/// `may_change_in_nfc`: normal form C may change the code point, alone or after another. A text
/// without such code points is in normal form C.
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
/// Whether the code point is white space by Python's str.isspace.
bool is_space(char32_t code);

/// The simple lower case of one code point, or the code point itself if it has none.
char32_t to_lower(char32_t code);
/// The simple upper case, likewise.
char32_t to_upper(char32_t code);

/// Whether a grapheme cluster (UAX #29) ends between two neighbours. Set `state` to 0 at the start
/// of a cluster and pass it unchanged to each next call within the cluster.
bool ends_cluster(char32_t before, char32_t code, std::int32_t& state);

/// The text in normal form C (UAX #15). Throws Error when it is not well-formed UTF-8.
std::string nfc(std::string_view text);

}  // namespace heed::unicode
