#pragma once

#include "datasets/tokenizer.h"

namespace heed {

/// Words and marks, reversibly, with the joiner marks of OpenNMT (Klein et al. 2017).
///
/// Version 2 cuts by Unicode's general categories. The text is brought into normal form C, so that
/// an accented letter is the same however it was typed. Then
/// - a word is a run of letters (L), numbers (N) and the combining marks (M) behind them. Code
///   points without a category (unassigned, private) count as letters;
/// - between two letters of a word may stand a hyphen (-, U+2010, U+2011), an apostrophe (' or
///   U+2019), a soft hyphen, or a zero-width joiner or non-joiner;
/// - after an elision the word ends behind the apostrophe: l'homme gives l' and homme; but don't
///   and Anna's, where an English ending follows, stay whole;
/// - the space U+0020 separates and is no piece;
/// - all else is a piece of its own: punctuation, symbols, other blanks, control and format
///   characters. What belongs to one grapheme cluster (UAX #29), as an emoji of several code points
///   does, is one piece.
///
/// Version 1 knows ASCII alone: of what lies beyond, all but U+2019 counts as a letter, and nothing
/// is normalised.
///
/// Where two pieces touch in the text, one of them carries U+FFED '￭' on the side they touch: the
/// mark, else the left word. U+FFED and U+FF05 in the text are spelled "％ffed" and "％ff05". So
/// join(tokens(text)) is the text, of version 2 in normal form C, but for spaces: one is left of
/// several in a row, and none at either end.
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
