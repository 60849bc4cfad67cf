#pragma once

#include "datasets/text/tokenizer.h"

namespace heed {

/// Splits text into words and marks, and can join them again, by the joiner marks of OpenNMT (Klein
/// et al. 2017).
///
/// Version 2 splits by Unicode's general categories. It brings the text into normal form C, so that
/// an accented letter is the same however it was typed. Then
/// - a word is a run of letters (L), numbers (N) and the combining marks (M) after them. Code
///   points without a category (unassigned, private) count as letters;
/// - a word may contain, between two letters, a hyphen (-, U+2010, U+2011), an apostrophe (' or
///   U+2019), a soft hyphen, or a zero-width joiner or non-joiner;
/// - the apostrophe of an elision ends a word: l'homme gives l' and homme. Words with an English
///   ending, such as don't and Anna's, stay whole;
/// - the space U+0020 separates words and is no piece;
/// - all other characters are pieces: punctuation, symbols, other blanks, control and format
///   characters. A grapheme cluster (UAX #29), such as an emoji of several code points, is one
///   piece.
///
/// Version 1 knows ASCII alone. All other characters except U+2019 count as letters, and the text
/// is not normalised.
///
/// Where two pieces touch in the text, one of them carries the joiner U+FFED '￭' on the side where
/// they touch: the mark, or the left one of two words. U+FFED and U+FF05 in the text are escaped as
/// "％ffed" and "％ff05".
///
/// join(tokens(text)) is the text, in version 2 in normal form C, with several spaces in a row
/// reduced to one and without spaces at its ends.
class Words final : public Tokenizer {
 public:
  explicit Words(Vocabulary vocabulary, int version = newest_version)
      : Tokenizer(version), vocabulary_(std::move(vocabulary)) {}
  std::string kind() const override { return "words"; }
  std::vector<std::string> tokens(std::string_view text) const override;
  std::string join(std::span<const std::string> pieces) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  Vocabulary vocabulary_;
};

}  // namespace heed
