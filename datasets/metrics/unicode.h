#pragma once

/// What metrics ask of a code point (Unicode 15.0).
namespace heed::unicode {

bool is_number(char32_t code);       // \p{N}
bool is_punctuation(char32_t code);  // \p{P}
bool is_symbol(char32_t code);       // \p{S}
bool is_cased(char32_t code);
bool is_case_ignorable(char32_t code);

/// The simple lower case of one code point, itself where it has none.
char32_t to_lower(char32_t code);

}  // namespace heed::unicode
