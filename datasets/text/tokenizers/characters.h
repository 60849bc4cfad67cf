#pragma once

#include "datasets/text/tokenizer.h"

namespace heed {

/// Every code point is a piece, the space included. join(tokens(text)) == text for every text.
class Characters final : public Tokenizer {
 public:
  explicit Characters(Vocabulary vocabulary, int version = newest_version)
      : Tokenizer(version), vocabulary_(std::move(vocabulary)) {}
  std::string kind() const override { return "characters"; }
  std::vector<std::string> tokens(std::string_view text) const override;
  std::string join(std::span<const std::string> pieces) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  Vocabulary vocabulary_;
};

}  // namespace heed
