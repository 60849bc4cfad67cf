#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// How a word is written. A word is a longest run of letters and combining marks.
enum class WordCase {
  as_is,
  capital,       // its first letter alone is a capital
  all_capitals,  // two letters or more, all of them capitals
};

/// The tokens that stand before a word in lower case. In a text these characters are spelled in
/// bytes.
inline constexpr std::string_view capital_mark = "⇧";
inline constexpr std::string_view all_capitals_mark = "⇪";

/// Whether a character is one of the two.
bool is_case_mark(char32_t code);

struct CasedPart {
  WordCase written = WordCase::as_is;
  std::string text;  // begins with the word, in lower case
};
/// Cuts a text before each word that is of one of the two forms and that restore_case() brings
/// back. Everything else stays as it is: mixed case, combining marks, letters that are not the
/// upper case of their lower case (title case, dotted I, the sign of kelvin). Throws Error where
/// the text is not UTF-8.
std::vector<CasedPart> cased_parts(std::string_view text);

/// The texts of all parts together. The two marks' own characters become tabs.
std::string lower_case_words(std::string_view text);

/// The text with its first word written so. A space may stand before the word. Where none begins
/// there, the text stays.
std::string restore_case(WordCase written, std::string_view text);

}  // namespace heed
