#pragma once

#include <string>
#include <string_view>

// Makes text safe for pictures and pages. Tokens come from any data: they may hold markup, control
// characters or parts of a character.

namespace heed::report {

/// The text as well-formed UTF-8, which JSON requires: each malformed byte becomes U+FFFD.
std::string well_formed(std::string_view text);

/// The text with invisible characters made visible:
/// - a control character becomes its symbol (a tab is ␉);
/// - a mark that changes the direction of writing, and a code point that XML forbids, becomes its
///   number ("U+202E");
/// - a space at either end becomes ␣.
std::string visible(std::string_view text);

/// visible() for running text: spaces stay as they are.
std::string readable(std::string_view text);

/// Replaces & < > " ' by references. The result may stand in elements and in quoted attributes of
/// XML and HTML. `text` must be well-formed.
std::string escape(std::string_view text);

/// The width in half-width columns, estimated by blocks of Unicode: a CJK character or an emoji
/// takes two, a combining mark none.
int text_columns(std::string_view text);

/// The estimated width as a multiple of the font size, for the widest font in which pages are
/// shown.
double text_width(std::string_view text);

/// The text cut to at most `most` columns. A text that is cut ends in "…".
std::string shortened(std::string_view text, int most);

/// Whether the token is a mark of the vocabulary: <s>, </s>, <pad> or <unk>.
bool is_special(std::string_view token);

}  // namespace heed::report
