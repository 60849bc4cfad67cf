#pragma once

#include "datasets/tokenizer.h"

namespace heed {

/// Words and punctuation marks, reversibly, with the joiner marks of OpenNMT (Klein et al. 2017).
///
/// A word is a run of ASCII letters and digits and of any other code points beyond ASCII; a hyphen or an apostrophe (' or U+2019)
/// between two of them stays inside. After an elision the word ends behind the apostrophe: l'homme gives l' and homme; but don't
/// and Anna's, where an English ending follows, stay whole. Every other code point but the space is a piece of its own. Where two
/// pieces touch in the text, one of them carries U+FFED '￭' on the side they touch: the mark of punctuation, else the left word.
/// U+FFED and U+FF05 in the text are spelled "％ffed" and "％ff05", so that join(tokens(text)) == text for text with single inner
/// spaces.
class Words final : public Tokenizer {
 public:
  explicit Words(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  std::string kind() const override { return "words"; }
  std::vector<std::string> tokens(std::string_view text) const override;
  std::string join(std::span<const std::string> pieces) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  Vocabulary vocabulary_;
};

}  // namespace heed
