#pragma once

#include <string>
#include <string_view>

// Text as pictures and pages may show it. Tokens come from anywhere: they may hold markup, control
// characters, half a character.

namespace heed::plots {

/// Well-formed UTF-8: each malformed byte becomes U+FFFD. JSON takes no other.
std::string well_formed(std::string_view text);

/// What a reader can see: control characters as their pictures (a tab is ␉), marks that turn the
/// direction of writing and code points that XML forbids by name ("U+202E"), spaces at either end
/// as ␣.
std::string visible(std::string_view text);

/// `visible` for running text: spaces stay as they are.
std::string readable(std::string_view text);

/// Markup as text: & < > " ' become references. For well-formed text, in elements and in quoted
/// attributes of XML and HTML.
std::string escape(std::string_view text);

/// Its width in half-width columns: a CJK character or an emoji takes two, a combining mark none
/// (an estimate by blocks of Unicode).
int text_columns(std::string_view text);

/// About how wide it is, in font sizes, in the widest of the fonts that pages are shown in.
double text_width(std::string_view text);

/// At most `most` columns; what was longer ends in "…".
std::string shortened(std::string_view text, int most);

/// <s>, </s>, <pad>, <unk>: marks of the vocabulary and no words.
bool is_special(std::string_view token);

}  // namespace heed::plots
